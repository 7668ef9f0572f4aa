#pragma once

// Durations as people write them in annotations: Go's, without signs and fractions. Pure.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace holdfast::controller {

/// "500ms", "30s", "5m", "1h30m": whole numbers, each with its unit (h, m, s, ms; in that order,
/// each at most once). "0s" is a duration, "0" and "30" are not: the error is half a sentence that
/// says what to write. Never overflows.
base::StatusOr<base::Duration> parse_duration(std::string_view text);

/// The shortest text that parse_duration() reads as the same. REQUIRES: not negative, whole
/// milliseconds.
std::string format_duration(base::Duration duration);

}  // namespace holdfast::controller
