// White box: how sysmon's thread is scheduled.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <runnel/go.hpp>

namespace {

pid_t thread_called(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string its_name;
    std::getline(std::ifstream(task.path() / "comm") >> std::ws, its_name);
    if (its_name == name) return std::stoi(task.path().filename());
  }
  return -1;
}

TEST(Sysmon, TakesTheCpuFromNobody) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "the program has a policy of its own";
  runnel::run([] {});
  pid_t sysmon = -1;
  for (int i = 0; i < 1000 && sched_getscheduler(sysmon) != SCHED_BATCH; ++i) {
    usleep(1000);  // it names itself, and then changes its policy
    sysmon = thread_called("runnel-sysmon");
  }
  ASSERT_NE(sysmon, -1);
  EXPECT_EQ(sched_getscheduler(sysmon), SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
