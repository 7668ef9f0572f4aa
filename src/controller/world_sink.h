#pragma once

// A World of what a source tells, for who looks at it once. One thread.

#include <string>
#include <utility>
#include <vector>

#include "controller/compile.h"
#include "controller/world_builder.h"
#include "kube/objects.h"

namespace holdfast::controller {

class WorldSink final : public kube::ObjectSink {
 public:
  void replace(const kube::Scope& scope, std::vector<kube::Object> objects) override {
    builder_.replace(scope, objects);
  }
  void upsert(kube::Object object) override { builder_.upsert(object); }
  void remove(kube::Kind kind, const kube::ObjectName& name) override {
    builder_.remove(kind, name);
  }
  void report_unreadable(const std::string& kind, const kube::ObjectName& name,
                         const std::string& reason) override {
    unreadable_.push_back({kind, name, "", Severity::kError, reason});
  }

  [[nodiscard]] const World& world() const { return builder_.world(); }
  /// What could not be read, in the order in which that was told.
  [[nodiscard]] const std::vector<Problem>& unreadable() const { return unreadable_; }

 private:
  WorldBuilder builder_;
  std::vector<Problem> unreadable_;
};

}  // namespace holdfast::controller
