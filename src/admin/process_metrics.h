#pragma once

// What Prometheus expects of every process, from /proc/self (proc(5)), and who we are.

#include <string>
#include <utility>
#include <vector>

#include "base/metric.h"

namespace holdfast::admin {

/// Any thread. What /proc does not tell is left out.
class ProcessMetrics final : public base::MetricSource {
 public:
  explicit ProcessMetrics(std::string version) : version_(std::move(version)) {}

  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  const std::string version_;
};

}  // namespace holdfast::admin
