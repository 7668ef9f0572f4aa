#pragma once

// A sink and a log that remember what they were told, in words.

#include <string>
#include <vector>

#include "base/log.h"
#include "kube/objects.h"
#include "tests/support/fake_clock.h"

namespace holdfast::kube {

inline std::string name_of(const ObjectName& name) {
  return name.namespace_name.empty() ? name.name : name.namespace_name + "/" + name.name;
}

class RecordingSink final : public ObjectSink {
 public:
  void replace(const Scope& scope, std::vector<Object> objects) override {
    std::string line = std::string("replace ") + to_string(scope.kind);
    if (scope.is_single()) {
      line += " " + scope.namespace_name + "/" + scope.name;
    } else if (!scope.namespace_name.empty()) {
      line += " in " + scope.namespace_name;
    }
    line += ":";
    for (const Object& object : objects) line += " " + described(object);
    calls.push_back(line);
    last_replaced = std::move(objects);
  }
  void upsert(Object object) override {
    calls.push_back(std::string("upsert ") + to_string(kind_of(object)) + " " + described(object));
  }
  void remove(Kind kind, const ObjectName& name) override {
    calls.push_back(std::string("remove ") + to_string(kind) + " " + name_of(name));
  }
  void report_unreadable(const std::string& kind, const ObjectName& name,
                         const std::string& reason) override {
    calls.push_back(std::string(reason.empty() ? "fine " : "unreadable ") + kind + " " +
                    name_of(name) + (reason.empty() ? "" : ": " + reason));
  }

  /// The calls since the last take.
  std::vector<std::string> take() { return std::exchange(calls, {}); }

  std::vector<std::string> calls;
  std::vector<Object> last_replaced;

 private:
  static std::string described(const Object& object) {
    const Metadata& metadata = metadata_of(object);
    // Content hashes of the manifest folder say nothing to a reader.
    const bool hashed = metadata.resource_version.starts_with("content-");
    return name_of(metadata.name) + (hashed ? "" : "@" + metadata.resource_version);
  }
};

class RecordingLogSink final : public base::LogSink {
 public:
  void write(std::string line) override { text += line + "\n"; }
  [[nodiscard]] std::uint64_t lost_lines() const override { return 0; }
  void flush_and_stop(base::Duration) override {}

  std::string text;
};

/// Time, log and sink of one test.
struct Recording {
  base::FakeClock clock;
  RecordingLogSink lines;
  base::Log log{lines, clock, base::LogLevel::kDebug};
  RecordingSink sink;
};

}  // namespace holdfast::kube
