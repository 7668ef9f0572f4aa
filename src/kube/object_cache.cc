#include "kube/object_cache.h"

#include <utility>

namespace holdfast::kube {

std::size_t ObjectCache::replace(std::vector<ParsedObject> objects) {
  std::map<ObjectName, Object> fresh;
  std::set<ObjectName> reported = std::exchange(unreadable_, {});
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
  for (const ObjectName& name : reported) {
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
  unreadable_.insert(parsed.name);
  sink_.report_unreadable(to_string(scope_.kind), parsed.name,
                          std::string(parsed.object.status().message()));
}

}  // namespace holdfast::kube
