#pragma once

// Metric values to Prometheus's text format (version 0.0.4).

#include <string>
#include <vector>

#include "base/metric.h"

namespace holdfast::admin {

/// Content-Type of exposition().
inline constexpr const char* kExpositionType = "text/plain; version=0.0.4; charset=utf-8";

/// Asks every source. Families of one name from several sources become one, sorted by name; the
/// first source's help and type count. Admin thread. Throws only what a source or the allocator
/// throws.
std::string exposition(const std::vector<const base::MetricSource*>& sources);

}  // namespace holdfast::admin
