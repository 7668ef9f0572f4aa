#include "base/machine.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

namespace holdfast::base {
namespace {

unsigned affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
  // More CPUs than cpu_set_t holds.
  return std::max(1U, std::thread::hardware_concurrency());
}

/// "MAX PERIOD" of cgroup v2's cpu.max, in CPUs; absent when "max" or unreadable.
std::optional<double> quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0;
  double period = 0;
  // "max 100000" does not read as a number.
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

std::optional<double> quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  // -1: no quota.
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

/// The smallest quota of a cgroup and its ancestors. Folders that are not mounted (a container
/// often sees its own group as the root) are passed over.
template <typename Quota>
std::optional<double> smallest_quota(const std::string& root, std::string path, Quota quota_of) {
  std::optional<double> smallest;
  while (true) {
    const std::optional<double> quota = quota_of(root + path);
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    if (path.empty()) return smallest;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

bool lists_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

/// cgroups(7): lines of "ID:CONTROLLERS:PATH"; version 2 is "0::PATH".
std::optional<double> cgroup_quota(const std::string& root, const std::string& proc_self_cgroup) {
  std::ifstream file(proc_self_cgroup);
  std::optional<double> v1;
  std::optional<double> v2;
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers.empty()) {
      v2 = smallest_quota(root, path, quota_v2);
    } else if (lists_cpu(controllers)) {
      v1 = smallest_quota(root + "/cpu", path, quota_v1);
      if (!v1) {
        std::string joined = root;
        joined.append("/").append(controllers);
        v1 = smallest_quota(joined, path, quota_v1);
      }
    }
  }
  return v2 ? v2 : v1;
}

}  // namespace

unsigned usable_cpus(const std::string& cgroup_root, const std::string& proc_self_cgroup) {
  const unsigned cpus = affinity_cpus();
  const std::optional<double> quota = cgroup_quota(cgroup_root, proc_self_cgroup);
  if (!quota || *quota >= cpus) return cpus;
  return std::max(1U, static_cast<unsigned>(std::ceil(*quota)));
}

StatusOr<std::uint64_t> raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return absl::ErrnoToStatus(errno, "the limit of open files cannot be read");
  }
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return absl::ErrnoToStatus(errno, "the limit of open files cannot be raised");
    }
  }
  return static_cast<std::uint64_t>(limit.rlim_cur);
}

std::uint64_t descriptor_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

Status hide_memory() {
  if (prctl(PR_SET_DUMPABLE, 0) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "core dumps cannot be forbidden");
}

}  // namespace holdfast::base
