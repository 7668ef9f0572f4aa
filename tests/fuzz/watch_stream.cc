// The stream of a watch, from bytes to what a sink is told: cut the same whatever the pieces, as a
// naive reader cuts it; every event is something, and the cache, the sink and the reflector agree
// on it. The first byte of an input chooses the kind, the second the size that an event may have.

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "kube/api_message.h"
#include "kube/object_cache.h"
#include "kube/reflector.h"
#include "kube/watch_framer.h"
#include "tests/fuzz/target.h"
#include "tests/support/fake_clock.h"

namespace holdfast::fuzz {
namespace {

using kube::Kind;
using kube::WatchEvent;
using kube::WatchEventType;

constexpr std::size_t kExpandedBytesMost = std::size_t{16} << 10;

/// Whole events, and whether one was too long.
struct Cut {
  std::vector<std::string> events;
  bool overflowed = false;

  bool operator==(const Cut&) const = default;
};

Cut cut_in_pieces(std::string_view stream, std::size_t most, std::size_t piece) {
  kube::WatchFramer framer(most);
  Cut cut;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const Exactly bytes(stream.substr(at, piece));
    framer.append(bytes.view());
    while (const auto event = framer.next()) cut.events.emplace_back(*event);
  }
  cut.overflowed = framer.overflowed();
  return cut;
}

Cut cut_naively(std::string_view stream, std::size_t most) {
  Cut cut;
  for (;;) {
    const std::size_t newline = stream.find('\n');
    const std::string_view line = stream.substr(0, newline);
    if (line.size() > most) {
      cut.overflowed = true;
      return cut;
    }
    if (newline == std::string_view::npos) return cut;
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) cut.events.emplace_back(line);
    stream.remove_prefix(newline + 1);
  }
}

/// What a data plane would hold: versions by name.
class Holder final : public kube::ObjectSink {
 public:
  void replace(const kube::Scope& /*scope*/, std::vector<kube::Object> objects) override {
    held.clear();
    for (kube::Object& object : objects) upsert(std::move(object));
  }
  void upsert(kube::Object object) override {
    const kube::Metadata& metadata = kube::metadata_of(object);
    held[metadata.name] = metadata.resource_version;
  }
  void remove(Kind /*kind*/, const kube::ObjectName& name) override {
    require(held.erase(name) == 1, "what is removed was there");
  }
  void report_unreadable(const std::string& /*kind*/, const kube::ObjectName& name,
                         const std::string& /*reason*/) override {
    require(!name.name.empty(), "what is unreadable has a name");
  }

  std::map<kube::ObjectName, std::string> held;
};

void require_sane(const WatchEvent& event, Kind kind) {
  const bool of_object = event.type == WatchEventType::kAdded ||
                         event.type == WatchEventType::kModified ||
                         event.type == WatchEventType::kDeleted;
  require(event.object.has_value() == of_object, "these events have an object and no other has");
  require(!event.initial_events_end || event.type == WatchEventType::kBookmark,
          "only a bookmark ends the initial events");
  if (!of_object) return;
  require(event.object->resource_version == event.resource_version || !event.object->object.ok(),
          "an event has its object's version");
  require(!event.object->object.ok() || kube::kind_of(*event.object->object) == kind,
          "an object is of the kind that is watched");
}

/// A failure when the stream cannot be followed any further.
std::optional<kube::Failure> follow(const std::string& line, Kind kind, kube::ObjectCache& cache,
                                    kube::Reflector& reflector, const Holder& holder) {
  base::StatusOr<WatchEvent> event = kube::parse_watch_event(kind, line);
  if (!event.ok()) {
    require(!event.status().message().empty(), "a refusal has a reason");
    return kube::Failure{kube::FailureKind::kMalformed, {}, ""};
  }
  require_sane(*event, kind);
  if (event->type == WatchEventType::kError) {
    return kube::Failure{kube::FailureKind::kErrorEvent, event->status, ""};
  }
  reflector.event_received(*event);
  if (event->type == WatchEventType::kDeleted) {
    cache.remove(event->object->name);
    require(holder.held.count(event->object->name) == 0, "what is deleted is gone");
  } else if (event->object) {
    const kube::ObjectName name = event->object->name;
    const bool known = holder.held.count(name) != 0;
    const bool readable = cache.upsert(*std::move(event->object));
    require(holder.held.count(name) == (known || readable ? 1U : 0U),
            "an object that cannot be read stays as it was");
  }
  require(cache.size() == holder.held.size(), "the sink holds what the cache holds");
  return std::nullopt;
}

void run(std::string_view input) {
  constexpr std::array<std::size_t, 4> kMost = {16, 300, 5000, kExpandedBytesMost};
  if (input.size() < 2) return;
  const auto kind = static_cast<Kind>(static_cast<unsigned char>(input[0]) % kube::kKindCount);
  const std::size_t most = kMost[static_cast<unsigned char>(input[1]) % kMost.size()];
  const std::string stream = expand(input.substr(2), kExpandedBytesMost);

  const Cut whole = cut_naively(stream, most);
  for (const std::size_t piece : {stream.size() + 1, std::size_t{1}, std::size_t{7}}) {
    require(cut_in_pieces(stream, most, piece) == whole, "cut the same whatever the pieces");
  }

  base::FakeClock clock;
  kube::Reflector reflector(kube::ReflectorOptions(), clock);
  (void)reflector.next();
  reflector.page_received("1", "");
  (void)reflector.next();
  reflector.watch_started();
  Holder holder;
  kube::ObjectCache cache(kind, holder);
  cache.replace({});
  std::optional<kube::Failure> failure;
  for (const std::string& line : whole.events) {
    failure = follow(line, kind, cache, reflector, holder);
    if (failure) break;
  }
  if (!failure && whole.overflowed) failure = kube::Failure{kube::FailureKind::kTooLarge, {}, ""};
  if (failure) {
    reflector.watch_failed(*failure);
  } else {
    (void)reflector.watch_ended();
  }
  const kube::Step step = reflector.next();
  require(step.wait <= kube::kBackoffMost, "no wait is longer than the most");
  require(!reflector.resource_version().empty(), "there is a version to go on from");
  const bool lists = std::holds_alternative<kube::ListRequest>(step.request);
  require(failure || !lists, "a list is made only when the stream cannot go on");
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
