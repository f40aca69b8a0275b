#include "runtime/cpus.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "../../tests/support/scratch_directory.hpp"

namespace {

using runnel::detail::cgroup_quota;
using runnel::detail::cpus_within;
using runnel_test::scratch_directory;

TEST(Cpus, AQuotaIsRoundedUpToAtLeastTwo_SC15) {
  const double none = INFINITY;
  EXPECT_EQ(cpus_within(none, 8), 8);
  EXPECT_EQ(cpus_within(3.0, 8), 3);
  for (const double q : {2.00001, 2.5, 2.99999}) EXPECT_EQ(cpus_within(q, 8), 3) << q;
  for (const double q : {0.5, 1.0, 1.5}) EXPECT_EQ(cpus_within(q, 8), 2) << q;
  EXPECT_EQ(cpus_within(8.0, 8), 8);
  EXPECT_EQ(cpus_within(7.5, 8), 8);
  EXPECT_EQ(cpus_within(12.0, 8), 8);
  for (const double q : {0.5, 2.0, none}) EXPECT_EQ(cpus_within(q, 1), 1) << q;
}

/// What is in /proc and /sys, as files of ours.
class CgroupFiles : public testing::Test {
 protected:
  void file(const std::string& name, const std::string& text) { files_.write(name, text); }
  double quota() const { return cgroup_quota(files_.path() + "/cgroup", files_.path() + "/sys"); }

 private:
  scratch_directory files_;
};

TEST_F(CgroupFiles, WithoutThemThereIsNoQuota_SC15) {
  EXPECT_EQ(quota(), INFINITY);
  file("cgroup", "0::/a/b\n");
  EXPECT_EQ(quota(), INFINITY);
}

TEST_F(CgroupFiles, OfVersion2TheLeastUpToTheRootCounts_SC15) {
  file("cgroup", "0::/a/b\n");
  file("sys/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), INFINITY);
  file("sys/a/cpu.max", "250000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 2.5);
  file("sys/a/b/cpu.max", "300000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 2.5);
  file("sys/cpu.max", "50000 50000\n");
  EXPECT_DOUBLE_EQ(quota(), 1.0);
}

TEST_F(CgroupFiles, OfVersion1TheControllerOfCpusCounts_SC15) {
  file("cgroup", "5:memory:/m\n4:cpu,cpuacct:/c\n1:cpuset:/s\n");
  file("sys/memory/m/cpu.cfs_quota_us", "100000\n");
  file("sys/memory/m/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), INFINITY);
  file("sys/cpu,cpuacct/c/cpu.cfs_quota_us", "-1\n");
  file("sys/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), INFINITY);
  file("sys/cpu,cpuacct/c/cpu.cfs_quota_us", "350000\n");
  EXPECT_DOUBLE_EQ(quota(), 3.5);
}

TEST_F(CgroupFiles, TheRootGroupAndLinesThatAreNone) {
  file("cgroup", "\nnonsense\n0:\n0::/\n");
  file("sys/cpu.max", "400000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 4.0);
}

}  // namespace
