#include "base/machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

namespace holdfast::base {
namespace {

namespace fs = std::filesystem;

unsigned cpus_of_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  return static_cast<unsigned>(CPU_COUNT(&set));
}

class UsableCpus : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "holdfast-cgroup-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  [[nodiscard]] unsigned usable() const {
    return usable_cpus(root_.string(), (root_ / "self").string());
  }

  fs::path root_;
};

TEST_F(UsableCpus, IsTheAffinityMaskWithoutAQuota) {
  EXPECT_EQ(usable(), cpus_of_affinity()) << "no cgroup files at all";
  put("self", "0::/pod\n");
  put("pod/cpu.max", "max 100000\n");
  EXPECT_EQ(usable(), cpus_of_affinity());
}

TEST_F(UsableCpus, RoundsTheQuotaUp) {
  put("self", "0::/pod\n");
  put("pod/cpu.max", "10000 100000\n");
  EXPECT_EQ(usable(), 1U);
  put("pod/cpu.max", "150000 100000\n");
  EXPECT_EQ(usable(), std::min(2U, cpus_of_affinity()));
}

TEST_F(UsableCpus, NeverExceedsTheAffinityMask) {
  put("self", "0::/\n");
  put("cpu.max", "1000000000 1000\n");
  EXPECT_EQ(usable(), cpus_of_affinity());
}

TEST_F(UsableCpus, TakesTheSmallestQuotaOfTheAncestors) {
  put("self", "0::/slice/pod/container\n");
  put("slice/cpu.max", "100000 100000\n");
  put("slice/pod/container/cpu.max", "900000 100000\n");
  EXPECT_EQ(usable(), 1U);
}

TEST_F(UsableCpus, ReadsCgroupVersion1) {
  put("self", "3:memory:/pod\n2:cpu,cpuacct:/pod\n");
  put("cpu/pod/cpu.cfs_quota_us", "50000\n");
  put("cpu/pod/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(usable(), 1U);
  put("cpu/pod/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(usable(), cpus_of_affinity());
}

TEST_F(UsableCpus, FallsBackToTheRootThatAContainerSees) {
  put("self", "2:cpu,cpuacct:/kubepods/pod1/container\n");
  put("cpu,cpuacct/cpu.cfs_quota_us", "100000\n");
  put("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(usable(), 1U);
}

TEST(DescriptorLimit, IsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = std::min<rlim_t>(64, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const StatusOr<std::uint64_t> raised = raise_descriptor_limit();
  ASSERT_TRUE(raised.ok()) << raised.status();
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(*raised, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace holdfast::base
