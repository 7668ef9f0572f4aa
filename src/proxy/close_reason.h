#pragma once

// Why something ended: a request, a connection, a relay. Exactly one reason each; it alone decides
// the metric label, the log field and the HTTP status of our own answer.

#include <array>
#include <cstdint>
#include <string_view>

namespace holdfast::proxy {

enum class CloseReason : std::uint8_t {
  kNone,
  // Nothing went wrong.
  kCompleted,
  // The downstream peer's doing.
  kDownstreamCloseFrame,
  kDownstreamEnded,
  kDownstreamReset,
  kDownstreamStalled,
  kKeepAliveTimedOut,
  /// The connection was to begin with a PROXY header, and came from no trusted proxy.
  kUntrustedProxy,
  kBadProxyHeader,
  kTlsFailed,
  kTlsTimedOut,
  /// As many handshakes were under way as may be, and this one had waited longest for its client.
  kTlsCrowdedOut,
  kHeadTimedOut,
  kBodyTimedOut,
  kBadRequest,
  /// The path has a dot segment: it asks whoever resolves it for another one.
  kBadPath,
  kBadBody,
  kBodyTooLong,
  kBadUpgrade,
  kBadWebSocketVersion,
  /// The TLS connection is for another host (RFC 9110 section 15.5.20).
  kMisdirected,
  /// The host wants a certificate of its clients, and this connection has shown none.
  kCertificateWanted,
  kLastHop,
  kTraceAtLastHop,
  kLoop,
  // The configuration's.
  kNotConfigured,
  kHttpsRedirect,
  kNoRoute,
  kNoEndpoint,
  kAddressRefused,
  kOriginRefused,
  /// The pod of an affinity cookie is gone, and no other may do.
  kAffinityGone,
  // The upstream peer's.
  kConnectFailed,
  kConnectTimedOut,
  /// No TLS with the endpoint, or with somebody who is not it.
  kUpstreamTlsFailed,
  kUpstreamNoAnswer,
  kUpstreamTimedOut,
  kBadResponse,
  kBadSwitch,
  kUpgradeDeclined,
  kUpstreamTruncated,
  kUpstreamCloseFrame,
  kUpstreamEnded,
  kUpstreamReset,
  kUpstreamStalled,
  // Ours.
  kIdleTimedOut,
  kHalfCloseTimedOut,
  kDescriptorsExhausted,
  kPortsExhausted,
  kShutdown,
};
inline constexpr std::size_t kCloseReasonCount =
    static_cast<std::size_t>(CloseReason::kShutdown) + 1;

enum class Side : std::uint8_t { kNobody, kDownstream, kUpstream, kInternal };

struct CloseReasonFacts {
  CloseReason reason;
  /// Metric label and log field.
  std::string_view label;
  Side side;
  /// Our answer when none has been sent; 0: none can be given, or the request decides
  /// (kBadRequest).
  int status;
  /// What that answer says.
  std::string_view sentence;
};

const CloseReasonFacts& facts_of(CloseReason reason);

/// The close codes that get a metric label of their own; the rest share one a class.
inline constexpr std::array<std::string_view, 18> kCloseCodeLabels = {
    "none", "1000", "1001", "1002", "1003", "1005", "1007",      "1008",      "1009",
    "1010", "1011", "1012", "1013", "1014", "1015", "3000-3999", "4000-4999", "other"};

/// The index into kCloseCodeLabels; 0 (no Close frame passed) is "none".
std::size_t close_code_index(std::uint16_t code);

}  // namespace holdfast::proxy
