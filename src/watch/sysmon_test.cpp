// White box: how sysmon's thread is scheduled.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <runnel/go.hpp>
#include <runnel/sync.hpp>

namespace {

std::vector<pid_t> threads_called(const std::string& name) {
  std::vector<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string its_name;
    std::getline(std::ifstream(task.path() / "comm"), its_name);
    if (its_name == name) found.push_back(std::stoi(task.path().filename()));
  }
  return found;
}

TEST(Sysmon, TakesTheCpuFromNobody) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "the program has a policy of its own";
  runnel::run([] {});
  std::vector<pid_t> sysmon;
  for (int i = 0; i < 1000 && (sysmon.empty() || sched_getscheduler(sysmon[0]) != SCHED_BATCH);
       ++i) {
    usleep(1000);  // it names itself, and then changes its policy
    sysmon = threads_called("runnel-sysmon");
  }
  ASSERT_EQ(sysmon.size(), 1U);
  EXPECT_EQ(sched_getscheduler(sysmon[0]), SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

TEST(Sysmon, ThreadsThatItMakesAreScheduledAsAllOthers) {
  if (sched_getscheduler(0) != SCHED_OTHER) GTEST_SKIP() << "the program has a policy of its own";
  const runnel::runtime_options one{.max_procs = 1};
  std::vector<pid_t> workers;
  runnel::run(one, [&] {
    for (int i = 0; i < 100 && workers.size() < 3; ++i) {
      runnel::wait_group blocked;
      for (int k = 0; k < 3; ++k) blocked.go([] { usleep(20'000); });  // the kernel has the thread
      blocked.wait();
      workers = threads_called("runnel-worker");
    }
  });
  EXPECT_GE(workers.size(), 3U);
  for (const pid_t w : workers) EXPECT_EQ(sched_getscheduler(w), SCHED_OTHER);
}

}  // namespace
