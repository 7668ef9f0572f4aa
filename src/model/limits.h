#pragma once

// Bounds on single resources. The validator holds both sides to them; the controller takes its
// annotations' ranges from the same numbers.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace holdfast::model {

/// A closed range.
struct DurationRange {
  base::Duration least;
  base::Duration most;
};

// RoutePolicy's ranges, as discovery.proto states them.
inline constexpr DurationRange kConnectTimeoutRange{std::chrono::milliseconds(1),
                                                    std::chrono::hours(1)};
inline constexpr DurationRange kIdleTimeoutRange{std::chrono::seconds(1), std::chrono::hours(8760)};
inline constexpr DurationRange kRequestTimeoutRange{std::chrono::milliseconds(1),
                                                    std::chrono::hours(24)};

inline constexpr DurationRange kSlowStartRange{base::Duration::zero(), std::chrono::hours(1)};
/// Two years are what the list of browsers asks for at most.
inline constexpr DurationRange kHstsMaxAgeRange{base::Duration::zero(), std::chrono::hours(87600)};
inline constexpr DurationRange kEjectForRange{std::chrono::seconds(1), std::chrono::hours(1)};
inline constexpr DurationRange kCookieMaxAgeRange{std::chrono::seconds(1),
                                                  std::chrono::hours(8760)};
inline constexpr DurationRange kHealthIntervalRange{std::chrono::seconds(1), std::chrono::hours(1)};
inline constexpr DurationRange kHealthTimeoutRange{std::chrono::milliseconds(100),
                                                   std::chrono::minutes(1)};

/// The least and the most that a number can be set to.
struct NumberRange {
  std::uint32_t least;
  std::uint32_t most;
};
/// Per cent of the mean: at 100 no endpoint could be above it, and none would be chosen.
inline constexpr NumberRange kBalanceFactorRange{101, 1000};
inline constexpr NumberRange kEjectAfterRange{0, 100};

/// Header fields that a route may set or remove, in each direction: the edge takes 100 in all.
inline constexpr int kFieldChangesMost = 32;
/// Name and value of one, as much as a field line at the edge.
inline constexpr std::size_t kFieldBytes = std::size_t{8} * 1024;
/// Blocks in an address list: looked through for each request.
inline constexpr int kCidrsMost = 256;
/// Origins that may open a WebSocket.
inline constexpr int kOriginsMost = 256;
/// An Origin, a Host, a cookie's or a parameter's name; a scheme, a host name and a port fit.
inline constexpr std::size_t kNameBytes = 300;
/// Zones that an endpoint is hinted for. Kubernetes writes at most 8.
inline constexpr int kHintZonesMost = 8;

/// The least and the most that a limit of bytes can be set to.
struct SizeRange {
  std::uint64_t least;
  std::uint64_t most;
};
inline constexpr SizeRange kMaxBodyBytesRange{1, std::uint64_t{1} << 40};

/// One resource, serialised. A Part holds at most 1 MiB and at least one resource; the rest is room
/// for the Part's own fields.
inline constexpr std::size_t kResourceBytes = (std::size_t{1} << 20) - 4096;

/// Certificates of one server name: one for each kind of key, with room for those that follow them.
inline constexpr int kCertificatesOfAName = 8;
/// Certificates between a client's and its authority's: RFC 5280 knows no bound, chains in use have
/// one or two.
inline constexpr NumberRange kClientCertificateDepthRange{1, 10};

/// How an endpoint's address names a Unix socket, and the longest path of one (unix(7)).
inline constexpr std::string_view kUnixPrefix = "unix:";
inline constexpr std::size_t kUnixPathBytes = 107;

/// A DNS name in text (RFC 1035, section 2.3.4, without the trailing dot).
inline constexpr std::size_t kHostBytes = 253;

}  // namespace holdfast::model
