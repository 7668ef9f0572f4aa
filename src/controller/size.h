#pragma once

// Sizes as people write them in annotations: Kubernetes quantities of bytes, binary suffixes only.
// Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace holdfast::controller {

/// "1048576", "1024Ki", "1Mi", "2Gi", "1Ti": a whole number of bytes. "1m" and "1M" mean other
/// things elsewhere and are no sizes: the error is half a sentence that says what to write. Never
/// overflows.
base::StatusOr<std::uint64_t> parse_size(std::string_view text);

/// The shortest text that parse_size() reads as the same.
std::string format_size(std::uint64_t bytes);

}  // namespace holdfast::controller
