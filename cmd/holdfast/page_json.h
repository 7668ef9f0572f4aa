#pragma once

// What several debug pages show, as JSON. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "controller/compile.h"
#include "proxy/connection_info.h"

namespace holdfast {

/// Appends a JSON array of what `append_one` makes of each item.
template <typename Items, typename AppendOne>
void append_array(std::string& out, const Items& items, AppendOne append_one) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append_one(out, item);
  }
  out += ']';
}

void append_problem(std::string& out, const controller::Problem& problem);

/// `"connections":[...],"next_before":NUMBER`; the number asks for the next page, null: there is
/// none.
void append_connections(std::string& out, const std::vector<proxy::ConnectionInfo>& connections,
                        std::size_t asked_for);

/// Connections on a page.
inline constexpr std::size_t kConnectionsDefault = 100;
inline constexpr std::size_t kConnectionsMost = 1000;

/// The query of /debug/connections and /debug/status. The error says what may stand there.
base::StatusOr<proxy::ConnectionQuery> parse_connection_query(std::string_view text);

}  // namespace holdfast
