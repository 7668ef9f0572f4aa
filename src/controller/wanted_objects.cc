#include "controller/wanted_objects.h"

#include <algorithm>
#include <utility>

namespace holdfast::controller {

std::vector<kube::Scope> WantedObjects::want(std::set<kube::Scope> objects,
                                             base::Instant patience) {
  const std::set<kube::Scope> before = std::exchange(wanted_, std::move(objects));
  std::vector<kube::Scope> forgotten;
  for (const kube::Scope& object : before) {
    if (wanted_.contains(object)) continue;
    waited_for_.erase(object);
    answered_.erase(object);
    // In a list of all it is told of whether it is wanted or not.
    if (!has_answer(object)) forgotten.push_back(object);
  }
  for (const kube::Scope& object : wanted_) {
    if (!before.contains(object) && !has_answer(object)) waited_for_.emplace(object, patience);
  }
  return forgotten;
}

void WantedObjects::answered(const kube::Scope& scope) {
  answered_.insert(scope);
  if (scope.is_single()) {
    waited_for_.erase(scope);
  } else {
    std::erase_if(waited_for_, [this](const auto& waited) { return has_answer(waited.first); });
  }
}

bool WantedObjects::has_answer(const kube::Scope& object) const {
  // Of it alone, of its namespace, of all.
  return answered_.contains(object) ||
         answered_.contains(kube::Scope(object.kind, object.namespace_name)) ||
         answered_.contains(kube::Scope(object.kind));
}

bool WantedObjects::would_wait(const kube::Scope& object) const {
  return waited_for_.contains(object) || (!wanted_.contains(object) && !has_answer(object));
}

void WantedObjects::wait_until(base::Instant patience) {
  for (auto& [object, until] : waited_for_) until = patience;
}

std::optional<base::Instant> WantedObjects::deadline() const {
  std::optional<base::Instant> first;
  for (const auto& [object, until] : waited_for_) first = std::min(first.value_or(until), until);
  return first;
}

std::vector<kube::Scope> WantedObjects::give_up(base::Instant now) {
  std::vector<kube::Scope> given_up;
  for (const auto& [object, until] : waited_for_) {
    if (until <= now) given_up.push_back(object);
  }
  for (const kube::Scope& object : given_up) waited_for_.erase(object);
  return given_up;
}

}  // namespace holdfast::controller
