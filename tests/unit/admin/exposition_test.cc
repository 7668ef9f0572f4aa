#include "admin/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "admin/process_metrics.h"

namespace holdfast::admin {
namespace {

using base::MetricFamily;
using base::MetricType;

class Fixed final : public base::MetricSource {
 public:
  explicit Fixed(std::vector<MetricFamily> families) : families_(std::move(families)) {}
  void collect(std::vector<MetricFamily>& out) const override {
    out.insert(out.end(), families_.begin(), families_.end());
  }

 private:
  const std::vector<MetricFamily> families_;
};

TEST(Exposition, WritesCountersAndGauges) {
  const Fixed source(
      {{"b_total", "Bees.", MetricType::kCounter, {{.value = 3}}},
       {"a", "Apples.", MetricType::kGauge, {{.labels = {{"k", "v"}}, .value = -1.5}}}});
  EXPECT_EQ(exposition({&source}),
            "# HELP a Apples.\n# TYPE a gauge\na{k=\"v\"} -1.5\n"
            "# HELP b_total Bees.\n# TYPE b_total counter\nb_total 3\n");
}

TEST(Exposition, WritesHistogramsWithTheLastBucket) {
  const Fixed source({{"h_seconds",
                       "Time.",
                       MetricType::kHistogram,
                       {{.buckets = {{0.1, 2}, {1, 5}}, .sum = 7.5, .count = 6}}}});
  EXPECT_EQ(exposition({&source}),
            "# HELP h_seconds Time.\n# TYPE h_seconds histogram\n"
            "h_seconds_count 6\nh_seconds_sum 7.5\n"
            "h_seconds_bucket{le=\"0.1\"} 2\nh_seconds_bucket{le=\"1\"} 5\n"
            "h_seconds_bucket{le=\"+Inf\"} 6\n");
}

TEST(Exposition, MergesFamiliesOfOneName) {
  const Fixed one({{"x", "First.", MetricType::kGauge, {{.labels = {{"of", "1"}}, .value = 1}}}});
  const Fixed two({{"x", "Second.", MetricType::kGauge, {{.labels = {{"of", "2"}}, .value = 2}}}});
  EXPECT_EQ(exposition({&one, &two}),
            "# HELP x First.\n# TYPE x gauge\nx{of=\"1\"} 1\nx{of=\"2\"} 2\n");
}

TEST(Exposition, LeavesOutFamiliesWithoutSeries) {
  const Fixed source({{"x", "Nothing yet.", MetricType::kGauge, {}}});
  EXPECT_EQ(exposition({&source}), "");
}

TEST(Exposition, EscapesLabelValues) {
  const Fixed source(
      {{"x", "Text.", MetricType::kGauge, {{.labels = {{"k", "a\\b\"c\nd"}}, .value = 1}}}});
  EXPECT_THAT(exposition({&source}), testing::HasSubstr("x{k=\"a\\\\b\\\"c\\nd\"} 1\n"));
}

/// The value of the series, or -1.
double value_of(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(series + " ", 0) == 0) return std::stod(line.substr(series.size() + 1));
  }
  return -1;
}

TEST(ProcessMetrics, TellsWhatPrometheusExpects) {
  const ProcessMetrics source("1.2.3");
  const std::string text = exposition({&source});
  EXPECT_EQ(value_of(text, "holdfast_build_info{version=\"1.2.3\"}"), 1);
  EXPECT_GE(value_of(text, "process_cpu_seconds_total"), 0);
  EXPECT_GT(value_of(text, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(value_of(text, "process_start_time_seconds"), 1.7e9);
  EXPECT_GE(value_of(text, "process_max_fds"), 3);
}

TEST(ProcessMetrics, CountsOpenDescriptors) {
  const ProcessMetrics source("1.2.3");
  const double before = value_of(exposition({&source}), "process_open_fds");
  EXPECT_GE(before, 3);
  const int another = ::dup(0);
  ASSERT_GE(another, 0);
  EXPECT_EQ(value_of(exposition({&source}), "process_open_fds"), before + 1);
  ::close(another);
}

TEST(ProcessMetrics, HasTheFormOfTheTextFormat) {
  const ProcessMetrics source("1.2.3");
  const std::regex comment("# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|histogram))");
  const std::regex sample(R"([a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.e]+)");
  std::istringstream lines(exposition({&source}));
  int samples = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool is_comment = line[0] == '#';
    EXPECT_TRUE(std::regex_match(line, is_comment ? comment : sample)) << line;
    if (!is_comment) ++samples;
  }
  EXPECT_EQ(samples, 6);
}

}  // namespace
}  // namespace holdfast::admin
