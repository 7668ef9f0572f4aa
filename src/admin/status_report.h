#pragma once

// The page /debug/status as tables for people. Pure.

#include <string>
#include <vector>

#include "base/status.h"

namespace holdfast::admin {

/// Rows of texts under a heading, in columns as wide as they need to be, two spaces apart. Bytes
/// that a terminal would act upon are shown as '?'.
std::string table(const std::vector<std::string>& heading,
                  const std::vector<std::vector<std::string>>& rows);

/// The tables of a page: configuration, routes, endpoints, connections, problems; those that the
/// page has. The error says that it is none such.
base::StatusOr<std::string> status_tables(const std::string& page);

}  // namespace holdfast::admin
