#pragma once

// Asks another process's admin server for a page.

#include <string>
#include <string_view>

#include "base/status.h"

namespace holdfast::admin {

/// The body of a 200 answer to GET `target` at ADDR:PORT, on a connection of its own. Blocks for at
/// most kFetchPatience. The error is one sentence: Unavailable when nobody answers, NotFound when
/// there is no such page, else what the answer says.
base::StatusOr<std::string> fetch(const std::string& address, const std::string& target);

/// `text` as the value of a query's parameter (RFC 3986 section 2.1).
std::string percent_encoded(std::string_view text);

}  // namespace holdfast::admin
