#pragma once

#include <string>
#include <string_view>

namespace holdfast::controller {

/// `text` in quotes for a message, cut at kQuotedBytes; control bytes, quotes and bytes outside
/// ASCII become "?" (a message says what is wrong, the object itself has the rest). Pure.
std::string quote(std::string_view text);

}  // namespace holdfast::controller
