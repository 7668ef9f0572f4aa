#pragma once

// TCP ports in text, and those that schemes mean. Pure.

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::base {

/// Decimal digits, 0 to 65535, without leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text);

/// The port of "http" (80) and "https" (443) in digits (RFC 9110 section 4.2); empty for others.
std::string_view default_port(std::string_view scheme);

/// An origin (RFC 6454 section 6.2) without the port that its scheme means anyway: what a browser
/// sends. REQUIRES: it is in lower case.
std::string_view without_default_port(std::string_view origin);

}  // namespace holdfast::base
