#pragma once

// What the machine and the container allow.

#include <cstdint>
#include <string>

#include "base/status.h"

namespace holdfast::base {

/// How many worker threads make sense: the cgroup's CPU quota rounded up (cgroup v2 cpu.max, then
/// v1 cpu.cfs_quota_us), at most the CPUs of the affinity mask, at least 1. `cgroup_root` and
/// `proc_self_cgroup` are for tests.
unsigned usable_cpus(const std::string& cgroup_root = "/sys/fs/cgroup",
                     const std::string& proc_self_cgroup = "/proc/self/cgroup");

/// Raises the soft limit of open files to the hard one and returns it.
StatusOr<std::uint64_t> raise_descriptor_limit();

/// The soft limit of open files of this process; 0: not known.
std::uint64_t descriptor_limit();

/// Keeps this process's memory from core dumps, and from other processes of its user (prctl(2),
/// PR_SET_DUMPABLE).
Status hide_memory();

}  // namespace holdfast::base
