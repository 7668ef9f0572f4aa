#include "controller/named_secret_quota.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controller/limits.h"

namespace holdfast::controller {

bool NamedSecretQuota::admit(const kube::ObjectName& secret, const kube::ObjectName& refused) {
  if (admitted_.contains(secret)) return true;
  if (room_in(secret.namespace_name) == 0) {
    refused_[refused.namespace_name].insert(refused);
    return false;
  }
  admitted_.insert(secret);
  ++by_namespace_[secret.namespace_name];
  return true;
}

void NamedSecretQuota::release(const kube::ObjectName& secret) {
  if (admitted_.erase(secret) == 0) return;
  has_new_room_ = true;
  const auto of_namespace = by_namespace_.find(secret.namespace_name);
  if (--of_namespace->second == 0) by_namespace_.erase(of_namespace);
}

void NamedSecretQuota::forget(const kube::ObjectName& ingress) {
  const auto waiting = refused_.find(ingress.namespace_name);
  if (waiting == refused_.end()) return;
  waiting->second.erase(ingress);
  if (waiting->second.empty()) refused_.erase(waiting);
}

std::set<kube::ObjectName> NamedSecretQuota::take_readmitted() {
  std::set<kube::ObjectName> readmitted;
  if (!std::exchange(has_new_room_, false)) return readmitted;
  const std::size_t room = most_ - admitted_.size();
  for (auto waiting = refused_.begin(); waiting != refused_.end() && readmitted.size() < room;) {
    auto& [namespace_name, ingresses] = *waiting;
    std::size_t taken = std::min(room - readmitted.size(), room_in(namespace_name));
    for (; taken > 0 && !ingresses.empty(); --taken) {
      readmitted.insert(ingresses.extract(ingresses.begin()));
    }
    waiting = ingresses.empty() ? refused_.erase(waiting) : std::next(waiting);
  }
  return readmitted;
}

std::size_t NamedSecretQuota::room_in(const std::string& namespace_name) const {
  const auto found = by_namespace_.find(namespace_name);
  const std::size_t known = found == by_namespace_.end() ? 0 : found->second;
  return std::min(most_ - admitted_.size(), kNamedSecretsOfANamespace - known);
}

}  // namespace holdfast::controller
