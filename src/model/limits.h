#pragma once

// Bounds on single resources. The validator holds both sides to them; the controller takes its
// annotations' ranges from the same numbers.

#include <cstddef>
#include <cstdint>

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

/// The least and the most that a limit of bytes can be set to.
struct SizeRange {
  std::uint64_t least;
  std::uint64_t most;
};
inline constexpr SizeRange kMaxBodyBytesRange{1, std::uint64_t{1} << 40};

/// One resource, serialised. A Part holds at most 1 MiB and at least one resource; the rest is room
/// for the Part's own fields.
inline constexpr std::size_t kResourceBytes = (std::size_t{1} << 20) - 4096;

/// A DNS name in text (RFC 1035, section 2.3.4, without the trailing dot).
inline constexpr std::size_t kHostBytes = 253;

}  // namespace holdfast::model
