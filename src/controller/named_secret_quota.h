#pragma once

// Which of the Secrets that annotations name may be followed: first come, first served, up to a
// number in all and one of each namespace. One thread (control). Never fails.

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "kube/objects.h"

namespace holdfast::controller {

class NamedSecretQuota {
 public:
  explicit NamedSecretQuota(std::size_t most) : most_(most) {}

  /// True: it is admitted, now or before. False: `refused` has to do without it, until
  /// take_readmitted() names it.
  bool admit(const kube::ObjectName& secret, const kube::ObjectName& refused);
  /// Nobody follows it any more.
  void release(const kube::ObjectName& secret);
  /// The Ingress goes, or is about to ask again.
  void forget(const kube::ObjectName& ingress);
  /// Of those that were refused something as many as there has come to be room for since.
  std::set<kube::ObjectName> take_readmitted();

 private:
  /// For another one of that namespace.
  [[nodiscard]] std::size_t room_in(const std::string& namespace_name) const;

  const std::size_t most_;
  std::set<kube::ObjectName> admitted_;
  std::map<std::string, std::size_t> by_namespace_;
  /// Ingresses, by namespace.
  std::map<std::string, std::set<kube::ObjectName>> refused_;
  bool has_new_room_ = false;
};

}  // namespace holdfast::controller
