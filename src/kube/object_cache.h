#pragma once

// The objects of one scope as an API server last told them, between the reflector and the sink. It
// keeps the last good state of an object that can no longer be read, so that a full list does not
// drop it, and remembers which ones those are, to take the report back when they read well again.
//
// Control thread only. Owned by a KindWatcher; the sink outlives it. Never fails.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kube/api_message.h"
#include "kube/objects.h"

namespace holdfast::kube {

class ObjectCache {
 public:
  ObjectCache(Scope scope, ObjectSink& sink) : scope_(std::move(scope)), sink_(sink) {}

  /// A full list. Nameless objects are in no way reportable; returns how many objects of the list
  /// could not be read.
  std::size_t replace(std::vector<ParsedObject> objects);
  /// ADDED or MODIFIED. False: it could not be read.
  bool upsert(ParsedObject object);
  /// DELETED
  void remove(const ObjectName& name);

  [[nodiscard]] std::size_t size() const { return objects_.size(); }

 private:
  void report_good(const ObjectName& name);
  void report_unreadable(const ParsedObject& object);

  const Scope scope_;
  ObjectSink& sink_;
  std::map<ObjectName, Object> objects_;
  std::set<ObjectName> unreadable_;
};

}  // namespace holdfast::kube
