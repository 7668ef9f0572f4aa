#pragma once

// Routes as the data plane uses them: what is fixed at the handshake (Route, part of a snapshot)
// and what lives as long as a connection does (RoutePolicy: live settings and counters).

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ip_address.h"
#include "holdfast/discovery/v1/discovery.pb.h"
#include "proxy/close_reason.h"
#include "proxy/counter.h"
#include "proxy/endpoint_health.h"

namespace holdfast::proxy {

enum class Direction : std::uint8_t { kUpstreamward, kDownstreamward };
inline constexpr std::size_t kDirectionCount = 2;
constexpr std::size_t index_of(Direction direction) { return static_cast<std::size_t>(direction); }
constexpr Direction opposite(Direction direction) {
  return direction == Direction::kUpstreamward ? Direction::kDownstreamward
                                               : Direction::kUpstreamward;
}

/// How a connect failed. kAbandoned: the client left, though not before it was to be expected that
/// the connection is made.
enum class ConnectFailure : std::uint8_t {
  kRefused,
  kTimeout,
  kPorts,
  kDescriptors,
  kAbandoned,
  /// The endpoint does not speak TLS as it should, or has not proved who it is.
  kTls,
  kOther,
};
inline constexpr std::size_t kConnectFailureCount = 7;

/// Closes by reason and close code. 5 KiB: made at a route's first close.
struct CloseCounters {
  std::array<std::array<Counter, kCloseCodeLabels.size()>, kCloseReasonCount> by_reason_and_code;
};

/// What one worker counts for one route. Written by that worker, read by the scraping thread.
struct alignas(64) RouteCounters {
  ~RouteCounters() { delete closes_.load(std::memory_order_acquire); }

  Counter open_websockets;
  /// Plain requests under way; answers under way, be it to a declined handshake.
  Counter open_requests;
  Counter open_streams;
  std::array<Counter, kDirectionCount> messages;
  std::array<Counter, kDirectionCount> bytes;
  /// Upgrades that became a relay under kCompleted, the others under their reason.
  std::array<Counter, kCloseReasonCount> upgrades;
  /// Plain requests by the class of the status sent (1xx to 5xx); [0]: none was sent.
  std::array<Counter, 6> requests;
  /// Plain requests that did not run their course, by reason.
  std::array<Counter, kCloseReasonCount> request_failures;
  std::array<Counter, kConnectFailureCount> connect_failures;
  /// Endpoints put out of the choice for failed connects.
  Counter ejections;

  void count_close(CloseReason reason, std::uint16_t code);
  /// Null before the first close.
  [[nodiscard]] const CloseCounters* closes() const {
    return closes_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<CloseCounters*> closes_{nullptr};
};

/// What labels a route in metrics and logs.
struct RouteNames {
  std::string ingress_namespace;
  std::string ingress;
  std::string service;

  auto operator<=>(const RouteNames&) const = default;
};

/// What the connections of an Ingress towards one Service share for as long as any of them is open,
/// whatever happens to the Ingress: live settings and counters. Interned by its names; any thread.
class RoutePolicy {
 public:
  RoutePolicy(RouteNames route_names, unsigned workers, bool with_series = true)
      : names(std::move(route_names)), has_series(with_series), counters_(workers) {}

  const RouteNames names;
  /// Its counters are shown under its names, not in the sum of all others (kRouteSeriesMost).
  const bool has_series;

  [[nodiscard]] base::Duration idle_timeout() const {
    return base::Duration(idle_timeout_.load(std::memory_order_relaxed));
  }
  void set_idle_timeout(base::Duration timeout) {
    idle_timeout_.store(timeout.count(), std::memory_order_relaxed);
  }

  RouteCounters& counters(unsigned worker) { return counters_[worker]; }
  [[nodiscard]] const std::vector<RouteCounters>& all_counters() const { return counters_; }

 private:
  std::atomic<std::int64_t> idle_timeout_{0};
  std::vector<RouteCounters> counters_;
};

/// Where requests of one kind go, and what counts them.
struct Target {
  std::shared_ptr<RoutePolicy> policy;
  std::string cluster;
  /// Empty: no affinity.
  std::string affinity_cookie = {};
};

/// How an endpoint is chosen.
struct Balancing {
  discovery::v1::LoadBalance load_balance = discovery::v1::LOAD_BALANCE_UNSPECIFIED;
  std::optional<discovery::v1::Affinity> affinity;
  std::optional<discovery::v1::HashBy> hash_by;
  /// 0: an endpoint that joins or returns has its full share at once.
  base::Duration slow_start{};
  EjectionPolicy ejection;
};

/// Who is let in.
struct Admission {
  std::vector<base::Cidr> allow;
  std::vector<base::Cidr> deny;
  /// Of handshakes. Absent: every Origin passes.
  std::optional<discovery::v1::OriginCheck> origins;
};

/// What becomes of a message on its way, but for its path.
struct Forwarding {
  std::vector<discovery::v1::FieldChange> request_fields;
  std::vector<discovery::v1::FieldChange> response_fields;
  /// Empty: the client's Host.
  std::string upstream_host;
  /// What replaces Route::matched at the front of a path; empty: nothing does.
  std::string rewrite_prefix;
  bool starts_trace = false;
  discovery::v1::ProxyProtocol proxy_protocol = discovery::v1::PROXY_PROTOCOL_UNSPECIFIED;
  bool https_redirect = false;
  /// Of answers to requests over TLS; empty: the pod's own.
  std::string strict_transport_security;
};

/// What an Ingress asks for its routes, which share it. Immutable.
struct RouteSettings {
  Balancing balancing;
  Admission admission;
  Forwarding forwarding;
  base::Duration connect_timeout{};
  base::Duration request_timeout{};
  base::Duration upgrade_timeout{};
  /// Of a plain request.
  std::uint64_t body_bytes_most = std::numeric_limits<std::uint64_t>::max();
};

/// Immutable; shared by the workers and by requests under way.
struct Route {
  /// Of plain requests, and of WebSocket handshakes; often the same.
  Target plain;
  Target websocket;
  /// Never null in a snapshot.
  std::shared_ptr<const RouteSettings> settings;
  /// Its path match; a prefix without a trailing slash, and so empty for "/"; empty for a fallback.
  std::string matched;
  /// Of a request's path as it is matched (base::matched_path), how much that is.
  std::size_t matched_bytes = 0;
};
using RoutePtr = std::shared_ptr<const Route>;

/// Lets maps of strings be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

/// The routes of one host. Immutable once in a snapshot.
class VirtualHost {
 public:
  // As all paths here, they are matched as base::matched_path() has them.
  void add_exact(std::string_view path, RoutePtr route);
  void add_prefix(std::string_view prefix, RoutePtr route);
  void set_fallback(RoutePtr route) { fallback_ = std::move(route); }

  /// The route of a path (base::matched_path(), no query): exact, then the longest prefix by path
  /// elements. Null when there is none; the fallback is the caller's second question.
  [[nodiscard]] const RoutePtr& find(std::string_view path) const;
  [[nodiscard]] const RoutePtr& fallback() const { return fallback_; }

 private:
  StringMap<RoutePtr> exact_;
  /// Keyed without trailing slashes: "" is the prefix "/".
  StringMap<RoutePtr> prefixes_;
  /// Slashes in the deepest prefix: no deeper part of a path needs to be looked up.
  std::size_t deepest_ = 0;
  RoutePtr fallback_;
};

}  // namespace holdfast::proxy
