#include "controller/named_secret_quota.h"

#include <utility>

#include "controller/limits.h"

namespace holdfast::controller {

bool NamedSecretQuota::admit(const kube::ObjectName& secret, const kube::ObjectName& refused) {
  if (admitted_.contains(secret)) return true;
  const auto of_namespace = by_namespace_.find(secret.namespace_name);
  const std::size_t known = of_namespace == by_namespace_.end() ? 0 : of_namespace->second;
  if (admitted_.size() >= most_ || known >= kNamedSecretsOfANamespace) {
    refused_.insert(refused);
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

std::set<kube::ObjectName> NamedSecretQuota::take_readmitted() {
  if (!std::exchange(has_new_room_, false)) return {};
  return std::exchange(refused_, {});
}

}  // namespace holdfast::controller
