#pragma once

// Lists in one text, as people write them in flags and annotations. Pure.

#include <string_view>
#include <vector>

namespace holdfast::base {

/// Without spaces, tabs and carriage returns around it.
std::string_view trim(std::string_view text);

/// The trimmed pieces of `text` between separators; empty ones are left out.
std::vector<std::string_view> split_list(std::string_view text, char separator);

}  // namespace holdfast::base
