#include "admin/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

namespace holdfast::admin {
namespace {

void add(std::vector<base::MetricFamily>& out, const char* name, const char* help,
         base::MetricType type, std::optional<double> value) {
  if (value) out.push_back(base::single_metric(name, help, type, *value));
}

/// /proc/self/stat from field 3 (state) on; the name in field 2 may hold anything, even ')'.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return {};
  std::istringstream fields(text.substr(after_name + 1));
  return {std::istream_iterator<std::string>(fields), {}};
}

/// Field `number` as proc(5) counts them, from 3 on.
std::optional<double> field(const std::vector<std::string>& fields, std::size_t number) {
  if (fields.size() <= number - 3) return std::nullopt;
  double value = 0;
  if (!(std::istringstream(fields[number - 3]) >> value)) return std::nullopt;
  return value;
}

/// "btime SECONDS" of /proc/stat.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    double seconds = 0;
    std::string key;
    if (std::istringstream(line) >> key >> seconds && key == "btime") return seconds;
  }
  return std::nullopt;
}

std::optional<double> open_descriptors() {
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc/self/fd", error);
  if (error) return std::nullopt;
  double count = 0;
  for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (error) return std::nullopt;
    ++count;
  }
  // One of them is the listing's own.
  return count - 1;
}

}  // namespace

void ProcessMetrics::collect(std::vector<base::MetricFamily>& out) const {
  using enum base::MetricType;
  base::MetricSample build;
  build.value = 1;
  build.labels = {{"version", version_}};
  out.push_back({"holdfast_build_info",
                 "Always 1; the label says which version runs.",
                 kGauge,
                 {std::move(build)}});

  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  const std::vector<std::string> fields = stat_fields();
  const std::optional<double> user = field(fields, 14);
  const std::optional<double> system = field(fields, 15);
  const std::optional<double> started = field(fields, 22);
  const std::optional<double> resident = field(fields, 24);
  const std::optional<double> boot = boot_time();
  rlimit limit{};
  const bool limited = getrlimit(RLIMIT_NOFILE, &limit) == 0;

  add(out, "process_cpu_seconds_total", "User and system CPU time, in seconds.", kCounter,
      user && system ? std::optional((*user + *system) / ticks) : std::nullopt);
  add(out, "process_start_time_seconds", "When the process began, in seconds since the epoch.",
      kGauge, started && boot ? std::optional(*boot + *started / ticks) : std::nullopt);
  add(out, "process_resident_memory_bytes", "Resident memory, in bytes.", kGauge,
      resident ? std::optional(*resident * page) : std::nullopt);
  add(out, "process_open_fds", "Open file descriptors.", kGauge, open_descriptors());
  add(out, "process_max_fds", "Soft limit of open file descriptors.", kGauge,
      limited ? std::optional(static_cast<double>(limit.rlim_cur)) : std::nullopt);
}

}  // namespace holdfast::admin
