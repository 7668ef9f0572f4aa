#pragma once

// The objects of one scope as an API server last told them, between the reflector and the sink. It
// keeps the last good state of an object that can no longer be read, so that a full list does not
// drop it, and remembers which ones those are, to take the report back when they read well again.
//
// Control thread only. Owned by a KindWatcher; the sink outlives it. Never fails.

#include <map>
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

  /// Of a single object (Scope::is_single): the API server does not let us read it, which is told
  /// like a bad object, until a list or the second of these.
  void report_refused(const std::string& reason);
  void report_admitted();

  [[nodiscard]] std::size_t size() const { return objects_.size(); }

 private:
  [[nodiscard]] ObjectName name_of_single() const { return {scope_.namespace_name, scope_.name}; }
  void report_good(const ObjectName& name);
  void report_unreadable(const ParsedObject& object);

  const Scope scope_;
  ObjectSink& sink_;
  std::map<ObjectName, Object> objects_;
  /// With the reason.
  std::map<ObjectName, std::string> unreadable_;
  bool refused_ = false;
};

}  // namespace holdfast::kube
