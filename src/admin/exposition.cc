#include "admin/exposition.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <limits>
#include <map>
#include <sstream>
#include <utility>

namespace holdfast::admin {
namespace {

prometheus::MetricType type_of(base::MetricType type) {
  switch (type) {
    case base::MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case base::MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case base::MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric metric_of(const base::MetricSample& sample, base::MetricType type) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
  switch (type) {
    case base::MetricType::kCounter:
      metric.counter.value = sample.value;
      break;
    case base::MetricType::kGauge:
      metric.gauge.value = sample.value;
      break;
    case base::MetricType::kHistogram:
      metric.histogram.sample_count = sample.count;
      metric.histogram.sample_sum = sample.sum;
      for (const auto& [bound, count] : sample.buckets) {
        metric.histogram.bucket.push_back({count, bound});
      }
      metric.histogram.bucket.push_back({sample.count, std::numeric_limits<double>::infinity()});
      break;
  }
  return metric;
}

}  // namespace

std::string exposition(const std::vector<const base::MetricSource*>& sources) {
  std::vector<base::MetricFamily> collected;
  for (const base::MetricSource* source : sources) source->collect(collected);

  std::map<std::string, prometheus::MetricFamily> by_name;
  for (const base::MetricFamily& family : collected) {
    prometheus::MetricFamily& merged = by_name[family.name];
    if (merged.name.empty()) {
      merged.name = family.name;
      merged.help = family.help;
      merged.type = type_of(family.type);
    }
    for (const base::MetricSample& sample : family.samples) {
      merged.metric.push_back(metric_of(sample, family.type));
    }
  }
  std::vector<prometheus::MetricFamily> families;
  for (auto& [name, family] : by_name) {
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace holdfast::admin
