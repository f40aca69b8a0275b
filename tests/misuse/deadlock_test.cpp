// When the deadlock report comes, what it says, and when it must stay silent.
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "../support/child.hpp"

namespace {

using namespace runnel_test;

constexpr const char* report = "fatal error: all goroutines are asleep - deadlock!\n";

/// Status 2, the report at the start of standard error, and the main goroutine in `state`.
void expect_report(const std::string& scenario, const std::string& state) {
  const child_result r = run_program("deadlock", scenario);
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_STARTS(r, report);
  EXPECT_ERR_HAS(r, "[" + state);
  EXPECT_EQ(r.out, "");
}

TEST(Deadlock, EmptySelect_DL01) { expect_report("empty_select", "select (no cases)]"); }
TEST(Deadlock, Receive) { expect_report("receive", "chan receive]"); }
TEST(Deadlock, ReceiveFromNil) { expect_report("receive_nil", "chan receive (nil chan)]"); }
TEST(Deadlock, SendToNil) { expect_report("send_nil", "chan send (nil chan)]"); }
TEST(Deadlock, Select) { expect_report("select_cases", "select]"); }
TEST(Deadlock, MainLockedToItsThread_DL03) { expect_report("locked_main", "select (no cases)]"); }
TEST(Deadlock, BothLockedToThreads_DL04) { expect_report("locked_both", "select (no cases)]"); }
TEST(Deadlock, TimersAndPollerHaveBeenUsed_DL05) {
  expect_report("after_using_drivers", "chan send]");
}
TEST(Deadlock, SignalsAndChildrenHaveBeenWaitedFor) {
  expect_report("after_signals_and_children", "select (no cases)]");
}
TEST(Deadlock, TimersNobodyAwaits_DL09) {
  expect_report("timers_nobody_awaits", "select (no cases)]");
}
TEST(Deadlock, TimersGivenUp_DL09) { expect_report("timers_given_up", "select (no cases)]"); }
TEST(Deadlock, MutexLockedTwice_MU08) { expect_report("mutex_twice", "sync.Mutex.Lock]"); }
TEST(Deadlock, ReadLockBehindAWriter_RW08) {
  expect_report("read_lock_behind_writer", "sync.RWMutex.RLock]");
}
TEST(Deadlock, ReadLockUnderAWriteLock_RW09) {
  expect_report("lock_then_read_lock", "sync.RWMutex.RLock]");
}
TEST(Deadlock, OnceWithinItself_ON10) { expect_report("once_within_itself", ""); }
TEST(Deadlock, AThreadParkedWithoutTimeoutCannotWakeAnybody) {
  expect_report("thread_parked_too", "chan receive]");
}
TEST(Deadlock, TwoRuns) { expect_report("two_runs", "select (no cases)]"); }
TEST(Deadlock, AfterABusyStart) { expect_report("after_a_busy_start", "sync.WaitGroup.Wait]"); }

TEST(Deadlock, AfterTheLastTimerHasWokenNobody) {
  for (int i = 0; i < 5; ++i) {
    const child_result r = run_program("deadlock", "last_timer_wakes_nobody");
    EXPECT_EXIT_CODE(r, 2);
    EXPECT_ERR_STARTS(r, report);
    EXPECT_LT(r.elapsed, 900ms * slowdown);
  }
}

TEST(Deadlock, InAStaticInitialiser_DL02) {
  const child_result r = run_program("static_start", "count", {"STATIC_START=deadlock"});
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_STARTS(r, report);
}

/// The block of the dump that belongs to the goroutine called `name`.
std::string block_of(const std::string& dump, const std::string& name) {
  const std::size_t at = dump.find(name + ":");
  if (at == std::string::npos) return "no " + name;
  const std::size_t start = dump.rfind("goroutine ", at);
  const std::size_t end = dump.find("\n\n", at);
  return dump.substr(start, end - start);
}

TEST(Deadlock, TheDumpNamesStatesAndWhereTheyWereCreated_DL15) {
  const child_result r = run_program("deadlock", "reasons");
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_STARTS(r, report);
  const std::pair<const char*, const char*> expected[] = {
      {"w_recv", "[chan receive]"},
      {"w_send", "[chan send]"},
      {"w_select", "[select]"},
      {"w_no_cases", "[select (no cases)]"},
      {"w_nil_recv", "[chan receive (nil chan)]"},
      {"w_nil_send", "[chan send (nil chan)]"},
      {"w_mutex", "[sync.Mutex.Lock]"},
      {"w_rlock", "[sync.RWMutex.RLock]"},
      {"w_wlock", "[sync.RWMutex.Lock]"},
      {"w_cond", "[sync.Cond.Wait]"},
      {"w_group", "[sync.WaitGroup.Wait]"},
      {"w_sem", "[semacquire]"},
      {"the main one", "[chan receive]"},
  };
  for (const auto& [name, state] : expected) {
    const std::string block = block_of(r.err, name);
    EXPECT_TRUE(contains(block, state)) << name << ": " << block << '\n' << r.err;
  }
  EXPECT_TRUE(contains(block_of(r.err, "w_mutex"), "scenario_reasons"))
      << "the place of the go call: " << block_of(r.err, "w_mutex");
}

/// No report; the program wakes up and ends by itself.
void expect_woken(const std::string& scenario) {
  const child_result r = run_program("no_deadlock", scenario);
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "woken\n");
  EXPECT_EQ(r.err, "");
}

/// No report; the program waits until its alarm.
void expect_silence(const std::string& scenario, const std::vector<std::string>& environment = {}) {
  const child_result r = run_program("no_deadlock", scenario, environment);
  EXPECT_DIED_BY(r, SIGALRM);
  EXPECT_EQ(r.err, "");
}

TEST(NoDeadlock, Sleeper_DL08) { expect_woken("sleeper"); }
TEST(NoDeadlock, SleepForAnHour_DL08) { expect_silence("sleep_for_an_hour"); }
TEST(NoDeadlock, Callback_DL08) { expect_woken("callback"); }
TEST(NoDeadlock, CallbacksDuringTheLook_DL08) { expect_woken("callbacks_during_the_look"); }
TEST(NoDeadlock, CallbackInAnHour_DL08) { expect_silence("callback_in_an_hour"); }
TEST(NoDeadlock, AwaitedTimer_DL09) { expect_silence("awaited_timer"); }
TEST(NoDeadlock, AwaitedTicker_DL09) { expect_silence("awaited_ticker"); }
TEST(NoDeadlock, SelectWithTimeout_DL08) { expect_woken("select_with_timeout"); }
TEST(NoDeadlock, ReceiveWithTimeout_DL08) { expect_woken("receive_with_timeout"); }
TEST(NoDeadlock, LockWithTimeout_DL08) { expect_woken("lock_with_timeout"); }
TEST(NoDeadlock, Descriptor_DL10) { expect_woken("descriptor"); }
TEST(NoDeadlock, Subscription) { expect_woken("subscription"); }
TEST(NoDeadlock, Child) { expect_woken("child"); }
TEST(NoDeadlock, SystemCall_DL11) { expect_woken("system_call"); }
TEST(NoDeadlock, InsideBlocking_DL11) { expect_woken("inside_blocking"); }
TEST(NoDeadlock, MainInsideBlocking_DL11) { expect_woken("main_inside_blocking"); }
TEST(NoDeadlock, Computing) { expect_woken("computing"); }
TEST(NoDeadlock, ForeignThread_DL13) { expect_woken("foreign_thread"); }
TEST(NoDeadlock, ThreadWithTimeout_DL13) { expect_woken("thread_with_timeout"); }
TEST(NoDeadlock, ThreadAfterItsRun_DL13) { expect_woken("thread_after_its_run"); }
TEST(NoDeadlock, MainReturns_DL14) { expect_woken("main_returns"); }
TEST(NoDeadlock, NoRunIsActive) { expect_woken("no_run_active"); }
TEST(NoDeadlock, IgnoredByOption) { expect_silence("ignored_by_option"); }
TEST(NoDeadlock, IgnoredByEnvironment) {
  expect_silence("ignored_by_environment", {"RUNNEL_DEADLOCK=ignore"});
}

TEST(DeadlockThrow, Channels) { EXPECT_EXIT_CODE(run_program("deadlock_throw", "channels"), 0); }
TEST(DeadlockThrow, Locks) { EXPECT_EXIT_CODE(run_program("deadlock_throw", "locks"), 0); }
TEST(DeadlockThrow, GroupsAreGivenUp) {
  const child_result r = run_program("deadlock_throw", "groups");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "done\n");
}
TEST(DeadlockThrow, Others) { EXPECT_EXIT_CODE(run_program("deadlock_throw", "others"), 0); }
TEST(DeadlockThrow, TheOthersStayParked) {
  EXPECT_EXIT_CODE(run_program("deadlock_throw", "others_stay"), 0);
}
TEST(DeadlockThrow, MayBeCaughtInside) {
  EXPECT_EXIT_CODE(run_program("deadlock_throw", "caught_inside"), 0);
}
TEST(DeadlockThrow, ReachesTheCallerOfRun) {
  EXPECT_DIED_BY(run_program("deadlock_throw", "nobody_catches"), SIGABRT);
}

}  // namespace
