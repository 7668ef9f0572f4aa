#pragma once

// Metrics as plain values, so that no room but admin needs prometheus-cpp. A room that has
// something to show implements MetricSource; admin asks every source at scrape time.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::base {

enum class MetricType { kCounter, kGauge, kHistogram };

/// One series of a family at scrape time.
struct MetricSample {
  std::vector<std::pair<std::string, std::string>> labels = {};
  /// Counters and gauges.
  double value = 0;
  /// Histograms: cumulative count for each upper bound, without +Inf, then the totals.
  std::vector<std::pair<double, std::uint64_t>> buckets = {};
  double sum = 0;
  std::uint64_t count = 0;
};

/// All series of one name. `help` is a sentence with the unit.
struct MetricFamily {
  std::string name;
  std::string help;
  MetricType type = MetricType::kGauge;
  std::vector<MetricSample> samples = {};
};

/// A family of one series without labels.
inline MetricFamily single_metric(std::string name, std::string help, MetricType type,
                                  double value) {
  return {std::move(name), std::move(help), type, {{.value = value}}};
}

/// Something that can be scraped. collect() is called on the admin thread while everything else
/// runs; implementations read atomics or take short locks of their own. Never fails.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  virtual void collect(std::vector<MetricFamily>& out) const = 0;
};

}  // namespace holdfast::base
