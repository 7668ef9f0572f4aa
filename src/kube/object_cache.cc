#include "kube/object_cache.h"

#include <utility>

namespace holdfast::kube {

std::size_t ObjectCache::replace(std::vector<ParsedObject> objects) {
  std::map<ObjectName, Object> fresh;
  std::map<ObjectName, std::string> reported = std::exchange(unreadable_, {});
  if (std::exchange(refused_, false)) reported.try_emplace(name_of_single());
  std::size_t unreadable = 0;
  for (ParsedObject& parsed : objects) {
    if (parsed.object.ok()) {
      fresh.insert_or_assign(parsed.name, *std::move(parsed.object));
      continue;
    }
    ++unreadable;
    const auto last_good = objects_.find(parsed.name);
    if (last_good != objects_.end()) fresh.insert(*last_good);
    report_unreadable(parsed);
  }
  for (const auto& [name, reason] : reported) {
    if (unreadable_.count(name) == 0) sink_.report_unreadable(to_string(scope_.kind), name, "");
  }
  objects_ = std::move(fresh);
  std::vector<Object> all;
  all.reserve(objects_.size());
  for (const auto& [name, object] : objects_) all.push_back(object);
  sink_.replace(scope_, std::move(all));
  return unreadable;
}

bool ObjectCache::upsert(ParsedObject parsed) {
  if (!parsed.object.ok()) {
    report_unreadable(parsed);
    return false;
  }
  report_good(parsed.name);
  objects_.insert_or_assign(parsed.name, *parsed.object);
  sink_.upsert(*std::move(parsed.object));
  return true;
}

void ObjectCache::remove(const ObjectName& name) {
  report_good(name);
  if (objects_.erase(name) > 0) sink_.remove(scope_.kind, name);
}

void ObjectCache::report_good(const ObjectName& name) {
  if (unreadable_.erase(name) > 0) sink_.report_unreadable(to_string(scope_.kind), name, "");
}

void ObjectCache::report_unreadable(const ParsedObject& parsed) {
  if (parsed.name.name.empty()) return;
  std::string& reason = unreadable_[parsed.name];
  reason = std::string(parsed.object.status().message());
  sink_.report_unreadable(to_string(scope_.kind), parsed.name, reason);
}

void ObjectCache::report_refused(const std::string& reason) {
  refused_ = true;
  sink_.report_unreadable(to_string(scope_.kind), name_of_single(), reason);
}

void ObjectCache::report_admitted() {
  if (!std::exchange(refused_, false)) return;
  const auto unreadable = unreadable_.find(name_of_single());
  sink_.report_unreadable(to_string(scope_.kind), name_of_single(),
                          unreadable == unreadable_.end() ? "" : unreadable->second);
}

}  // namespace holdfast::kube
