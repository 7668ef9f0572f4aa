#pragma once

// YAML documents as JSON values, so that manifests go through the parser of API objects. Private to
// the room. Values only; any thread; no exception leaves.

#include <string>
#include <vector>

#include "base/status.h"
#include "kube/json.h"

namespace holdfast::kube {

/// All documents of a text, empty ones left out. Plain scalars have the types of YAML 1.2's core
/// schema (10.3.2): 80 is a number, "80" a string, true a boolean, ~ and nothing null. Merge keys
/// (<<) are followed. An error names the line: not YAML, a key twice in a mapping, a key that is
/// not a scalar, more than kNesting levels (as every cycle of aliases has), more than kYamlValues
/// values or kYamlTextBytes of text.
base::StatusOr<std::vector<Json>> parse_yaml(const std::string& text);

}  // namespace holdfast::kube
