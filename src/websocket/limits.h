#pragma once

#include <cstddef>

namespace holdfast::websocket {

/// Extensions in a 101. Each is looked for among all that were offered, so this bounds the work
/// that one response can cause; only permessage-deflate is in common use.
inline constexpr std::size_t kExtensionsMost = 16;

}  // namespace holdfast::websocket
