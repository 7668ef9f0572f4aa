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

/// What a terminal shows as one line of text, whoever wrote it: '?' in place of control characters
/// (C0, DEL, C1), of line and paragraph separators, of what changes the direction of writing
/// (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069), and of bytes that are not UTF-8.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace holdfast::base
