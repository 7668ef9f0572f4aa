#pragma once

// UTF-8 (RFC 3629) of texts that others wrote. Any thread; never fails.

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::base {

/// Bytes of the valid sequence at the start of `text` (no overlong form, no surrogate, nothing
/// above U+10FFFF); 0: there is none.
[[nodiscard]] std::size_t utf8_sequence_bytes(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

/// The text with every byte that is not part of a valid sequence replaced by U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view text);

}  // namespace holdfast::base
