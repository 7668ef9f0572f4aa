#include "kube/watch_metrics.h"

#include <string_view>
#include <utility>

namespace holdfast::kube {
namespace {

const char* label_of(WatchEventType type) {
  switch (type) {
    case WatchEventType::kAdded:
      return "added";
    case WatchEventType::kModified:
      return "modified";
    case WatchEventType::kDeleted:
      return "deleted";
    case WatchEventType::kBookmark:
      return "bookmark";
    case WatchEventType::kError:
      return "error";
    case WatchEventType::kUnknown:
      return "unknown";
  }
  return "unknown";
}

using Labels = std::vector<std::pair<std::string, std::string>>;

void add(base::MetricFamily& family, Labels labels, double value) {
  base::MetricSample sample;
  sample.labels = std::move(labels);
  sample.value = value;
  family.samples.push_back(std::move(sample));
}

base::MetricFamily family_of(const char* name, const char* help, base::MetricType type) {
  base::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

}  // namespace

WatchMetrics::WatchMetrics(const std::set<Scope>& scopes) {
  for (const Scope& scope : scopes) followed(scope.kind);
}

void WatchMetrics::followed(Kind kind) { of(kind).scopes.fetch_add(1, std::memory_order_relaxed); }

void WatchMetrics::given_up(Kind kind) { of(kind).scopes.fetch_sub(1, std::memory_order_relaxed); }

void WatchMetrics::connected(Kind kind) {
  of(kind).connected.fetch_add(1, std::memory_order_relaxed);
}

void WatchMetrics::disconnected(Kind kind) {
  of(kind).connected.fetch_sub(1, std::memory_order_relaxed);
}

void WatchMetrics::event(Kind kind, WatchEventType type, base::WallTime now) {
  PerKind& counters = of(kind);
  counters.events[static_cast<std::size_t>(type)].fetch_add(1, std::memory_order_relaxed);
  const std::chrono::duration<double> seconds = now.time_since_epoch();
  counters.last_event_seconds.store(seconds.count(), std::memory_order_relaxed);
}

void WatchMetrics::list(Kind kind, ListReason reason) {
  of(kind).lists[static_cast<std::size_t>(reason)].fetch_add(1, std::memory_order_relaxed);
}

void WatchMetrics::error(Kind kind, const Failure& failure) {
  add_error(kind, failure.reason(), 1);
}

void WatchMetrics::unreadable_objects(Kind kind, std::size_t count) {
  add_error(kind, "unreadable_object", count);
}

void WatchMetrics::add_error(Kind kind, const char* reason, std::size_t count) {
  for (std::size_t i = 0; i < kErrorReasons.size(); ++i) {
    if (std::string_view(kErrorReasons[i]) == reason) {
      of(kind).errors[i].fetch_add(count, std::memory_order_relaxed);
    }
  }
}

void WatchMetrics::objects(Kind kind, std::size_t before, std::size_t now) {
  // Unsigned, and so right in either direction.
  of(kind).objects.fetch_add(now - before, std::memory_order_relaxed);
}

void WatchMetrics::collect(std::vector<base::MetricFamily>& out) const {
  using base::MetricType;
  base::MetricFamily connected =
      family_of("holdfast_watch_connected",
                "1 while the API server is being watched, in every namespace that is; else 0.",
                MetricType::kGauge);
  base::MetricFamily objects =
      family_of("holdfast_watch_objects", "Objects known from the API server.", MetricType::kGauge);
  base::MetricFamily last =
      family_of("holdfast_watch_last_event_timestamp_seconds",
                "Unix time of the last watch event, bookmarks included; 0 before the first.",
                MetricType::kGauge);
  base::MetricFamily events = family_of("holdfast_watch_events_total",
                                        "Watch events received, by type.", MetricType::kCounter);
  base::MetricFamily lists =
      family_of("holdfast_watch_lists_total", "Lists begun, by what made them necessary.",
                MetricType::kCounter);
  base::MetricFamily errors =
      family_of("holdfast_watch_errors_total",
                "Lists and watches that failed, and objects that could not be read, by reason.",
                MetricType::kCounter);
  for (std::size_t index = 0; index < kKindCount; ++index) {
    const PerKind& counters = per_kind_[index];
    const std::size_t scopes = counters.scopes.load(std::memory_order_relaxed);
    if (scopes == 0) continue;
    const auto kind = static_cast<Kind>(index);
    const std::pair<std::string, std::string> label("kind", to_string(kind));
    const bool all = counters.connected.load(std::memory_order_relaxed) == scopes;
    add(connected, {label}, all ? 1 : 0);
    add(objects, {label}, static_cast<double>(counters.objects.load(std::memory_order_relaxed)));
    add(last, {label}, counters.last_event_seconds.load(std::memory_order_relaxed));
    const auto add_counter = [&label](base::MetricFamily& family, const char* key,
                                      const char* value, const Counter& counter) {
      const std::uint64_t count = counter.load(std::memory_order_relaxed);
      if (count > 0) add(family, {label, {key, value}}, static_cast<double>(count));
    };
    for (std::size_t i = 0; i < kEventTypes; ++i) {
      add_counter(events, "type", label_of(static_cast<WatchEventType>(i)), counters.events[i]);
    }
    for (std::size_t i = 0; i < kListReasons; ++i) {
      add_counter(lists, "reason", to_string(static_cast<ListReason>(i)), counters.lists[i]);
    }
    for (std::size_t i = 0; i < kErrorReasons.size(); ++i) {
      add_counter(errors, "reason", kErrorReasons[i], counters.errors[i]);
    }
  }
  for (base::MetricFamily* family : {&connected, &objects, &last, &events, &lists, &errors}) {
    out.push_back(std::move(*family));
  }
}

}  // namespace holdfast::kube
