#pragma once

// UTF-8 (RFC 3629) of texts that others wrote. Any thread; never fails.

#include <string>
#include <string_view>

namespace holdfast::kube {

[[nodiscard]] bool is_utf8(std::string_view text);

/// The text with every byte that is not part of a valid sequence replaced by U+FFFD.
[[nodiscard]] std::string repair_utf8(std::string_view text);

}  // namespace holdfast::kube
