#pragma once

// The configuration that a worker routes by.
//
// What a transaction changes is compiled once, into immutable parts that all workers share
// (Change); each worker then puts those parts into its own Snapshot in one step on its own thread,
// between two events. A worker therefore never sees half a transaction, takes no lock, and the
// price of a change does not grow with the configuration's size.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/endpoint.h"
#include "proxy/identity_compiler.h"
#include "proxy/route.h"

namespace holdfast::proxy {

/// One compiled transaction; a null part is a removal. Immutable once posted.
struct Change {
  std::vector<std::pair<std::string, std::shared_ptr<const VirtualHost>>> hosts;
  std::vector<std::pair<std::string, std::shared_ptr<const Cluster>>> clusters;
  IdentityChanges identities;
};

/// Worker thread only.
class Snapshot final : public tls::IdentityFinder {
 public:
  void apply(const Change& change);
  /// A configuration has been applied, be it an empty one.
  [[nodiscard]] bool in_force() const { return in_force_; }

  /// By host (any case, no port; exact, then `*.` and one label, then "*") and path (as VirtualHost
  /// has it). The most specific host decides alone, but for the fallback of "*". Null: 404.
  [[nodiscard]] RoutePtr find_route(std::string_view host, std::string_view path) const;
  /// Null when the cluster is not known: 503.
  [[nodiscard]] std::shared_ptr<const Cluster> find_cluster(std::string_view name) const;

  /// As whom to answer where no ServerName says it. REQUIRES: set before the first handshake.
  void set_default_identity(IdentityPtr identity) { default_identity_ = std::move(identity); }
  /// Exact, then `*.` and one label, then "*", then the default one; null where that is not set.
  [[nodiscard]] IdentityPtr find_identity(std::string_view lower_case_host) const override;
  [[nodiscard]] const std::vector<tls::CertificatePtr>& other_certificates(
      const tls::ServerIdentity& identity) const override;

 private:
  StringMap<std::shared_ptr<const VirtualHost>> hosts_;
  StringMap<std::shared_ptr<const Cluster>> clusters_;
  StringMap<IdentityPtr> identities_;
  IdentityPtr default_identity_;
  bool in_force_ = false;
};

}  // namespace holdfast::proxy
