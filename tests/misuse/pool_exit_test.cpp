// Static worker pools when the process ends: it does not hang, and what had not run is reported.
// Pools that are stuck.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "../support/child.hpp"

namespace {

using namespace runnel_test;

constexpr auto soon = std::chrono::seconds(10);

void expect_report(const std::string& scenario, const std::string& report) {
  const child_result r = run_program("static_pool", scenario);
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.err, report) << scenario;
  EXPECT_EQ(r.out, "") << scenario;
  EXPECT_LT(r.elapsed, soon);
}

TEST(StaticPool, MadeBeforeTheRuntimeIsReported) {
  const std::string report =
      "runnel: the process ends with worker pool early: 3 tasks had not run, 1 task was still "
      "running\n";
  expect_report("made_before_the_runtime", report);
  expect_report("used_without_run", report);
}

TEST(StaticPool, MadeAfterTheRuntimeIsReported) {
  expect_report(
      "made_in_run",
      "runnel: the process ends with worker pool: 3 tasks had not run, 1 task was still running\n");
  expect_report("on_the_heap",
                "runnel: the process ends with worker pool heap: 3 tasks had not run, 1 task was "
                "still running\n");
}

TEST(StaticPool, LetsATaskEndThatListens) {
  const child_result r = run_program("static_pool", "told_to_end");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "told\n");
  EXPECT_EQ(r.err, "runnel: the process ends with worker pool: 3 tasks had not run\n");
}

TEST(StaticPool, ThatIsDrainedOrIdleSaysNothing) {
  const child_result r = run_program("static_pool", "drained");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "ran\nran\nran\n");
  EXPECT_EQ(r.err, "");
}

TEST(StaticPool, MayBeEndedByOneOfItsTasks) {
  const child_result r = run_program("static_pool", "exit_in_a_task");
  EXPECT_EXIT_CODE(r, 3);
  EXPECT_ERR_HAS(r, "1 task was still running");
  EXPECT_LT(r.elapsed, soon);
}

TEST(PoolDeadlock, OfTasksThatAddToTheirFullPoolIsReported) {
  const child_result r = run_program("static_pool", "stuck_on_its_own_queue");
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_STARTS(r, "fatal error: all goroutines are asleep - deadlock!\n");
  EXPECT_ERR_HAS(r, "worker_pool/1");
  EXPECT_EQ(r.out, "");
}

void expect_left(const std::string& scenario, const std::string& out) {
  const child_result r = run_program("static_pool", scenario);
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, out) << scenario;
  EXPECT_EQ(r.err, "") << scenario;
}

TEST(PoolDeadlock, ThatThrowsLeavesStuckTasksBehind) {
  expect_left("stuck_in_wait", "unwound\nwoken\nunwound\nwoken\n");
  expect_left("stuck_in_its_adder", "unwound\nwoken\n");
  expect_left("stuck_in_the_destructor", "left\nwoken\n");
  expect_left("waited_for_by_its_task", "unwound\n");
}

}  // namespace
