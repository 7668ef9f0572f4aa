#pragma once

// What is counted about lists and watches, one set of numbers a kind, whatever its scopes. The
// control thread counts, any thread reads (relaxed atomics). Owned by the source. Never fails.

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/metric.h"
#include "kube/reflector.h"

namespace holdfast::kube {

/// The labels `type` and `reason` come from enumerations: 6 event types, 6 list reasons, 15 errors.
class WatchMetrics {
 public:
  explicit WatchMetrics(const std::set<Scope>& scopes);

  /// One more scope of this kind, or one less.
  void followed(Kind kind);
  void given_up(Kind kind);
  /// A watch of this kind has begun, or ended.
  void connected(Kind kind);
  void disconnected(Kind kind);
  void event(Kind kind, WatchEventType type, base::WallTime now);
  void list(Kind kind, ListReason reason);
  void error(Kind kind, const Failure& failure);
  void unreadable_objects(Kind kind, std::size_t count);
  /// A scope of this kind that had `before` objects has `now`.
  void objects(Kind kind, std::size_t before, std::size_t now);

  void collect(std::vector<base::MetricFamily>& out) const;

 private:
  static constexpr std::size_t kEventTypes = 6;
  static constexpr std::size_t kListReasons = 6;
  static constexpr std::array<const char*, 15> kErrorReasons = {
      "connect",   "timeout", "lost",         "error_event",       "malformed",
      "too_large", "expired", "short_watch",  "unauthorized",      "forbidden",
      "throttled", "refused", "server_error", "version_too_large", "unreadable_object"};
  using Counter = std::atomic<std::uint64_t>;

  struct PerKind {
    /// 0: the kind is not followed.
    std::atomic<std::size_t> scopes{0};
    std::atomic<std::size_t> connected{0};
    std::atomic<double> last_event_seconds{0};
    std::atomic<std::size_t> objects{0};
    std::array<Counter, kEventTypes> events{};
    std::array<Counter, kListReasons> lists{};
    std::array<Counter, kErrorReasons.size()> errors{};
  };
  /// Those of one Kubernetes kind are counted together.
  PerKind& of(Kind kind) {
    return per_kind_[static_cast<std::size_t>(kind == Kind::kNamedSecret ? Kind::kSecret : kind)];
  }
  void add_error(Kind kind, const char* reason, std::size_t count);

  std::array<PerKind, kKindCount> per_kind_;
};

}  // namespace holdfast::kube
