// Misuse that ends the process, the environment, signals, the end of the process, static initialisers and fork.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <regex>
#include <string>
#include <vector>

#include "../support/child.hpp"

namespace {

using namespace runnel_test;

void expect_fatal(const std::string& scenario, const std::string& message) {
  const child_result r = run_program("fatal", scenario);
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_STARTS(r, "fatal error: " + message + "\n");
  EXPECT_EQ(r.out, "") << "it went on, or was caught";
}

constexpr const char* not_locked = "unlock of unlocked mutex";
constexpr const char* not_locked_shared = "unlock of unlocked shared_mutex";

TEST(UnlockOfUnlocked, Mutex_MU03) {
  expect_fatal("mutex_never_locked", not_locked);
  expect_fatal("mutex_twice", not_locked);
  expect_fatal("timed_mutex", not_locked);
  expect_fatal("mutex_on_a_thread", not_locked);
}
TEST(UnlockOfUnlocked, SharedMutex_RW05) {
  expect_fatal("shared_never_locked", not_locked_shared);
  expect_fatal("shared_while_read_locked", not_locked_shared);
  expect_fatal("shared_twice", not_locked_shared);
  expect_fatal("shared_timed", not_locked_shared);
}
TEST(UnlockOfUnlocked, SharedMutexByReaders_RW06) {
  expect_fatal("shared_read_never_locked", not_locked_shared);
  expect_fatal("shared_read_while_write_locked", not_locked_shared);
  expect_fatal("shared_read_once_too_often", not_locked_shared);
}

void expect_overflow(const std::string& scenario) {
  const child_result r = run_program("stack_overflow", scenario);
  EXPECT_NE(r.code, 0) << r.describe();
  EXPECT_FALSE(r.timed_out);
  EXPECT_NE(r.signal, SIGSEGV) << r.describe();
  EXPECT_ERR_STARTS(r, "fatal error: stack overflow\n");
  EXPECT_ERR_HAS(r, "deep");
  EXPECT_TRUE(std::regex_search(r.err, std::regex("goroutine [0-9]+ "))) << r.err;
  EXPECT_ERR_HAS(r, "recurse");
}

TEST(StackOverflow, IsReportedWithTheGoroutine_PA11) { expect_overflow("recursion"); }
TEST(StackOverflow, WithFramesJustUnderTheGuard_PA11) { expect_overflow("large_frames"); }
TEST(StackOverflow, OnASmallStack_PA11) { expect_overflow("small_stack"); }
TEST(StackOverflow, InTheMainGoroutine_PA11) { expect_overflow("main_goroutine"); }
TEST(StackOverflow, AfterMovingAbout_PA11) { expect_overflow("after_moving_about"); }
TEST(StackOverflow, LargeEnoughStacksDoNotOverflow_PA11) {
  EXPECT_EXIT_CODE(run_program("stack_overflow", "large_enough"), 0);
  EXPECT_EXIT_CODE(run_program("stack_overflow", "large_enough_by_default"), 0);
}

TEST(Fault, OtherFaultsStayWhatTheyAre) {
  if (slowdown > 1) GTEST_SKIP() << "a sanitizer reports these itself";
  for (const char* scenario : {"null_in_goroutine", "null_on_thread"}) {
    const child_result r = run_program("stack_overflow", scenario);
    EXPECT_DIED_BY(r, SIGSEGV);
    EXPECT_ERR_HAS_NOT(r, "stack overflow");
  }
  const child_result r = run_program("stack_overflow", "earlier_handler");
  EXPECT_EXIT_CODE(r, 9);
}

void expect_unreadable(const std::string& variable, const std::string& value) {
  const child_result r = run_program("environment", "procs", {variable + "=" + value});
  EXPECT_NE(r.code, 0) << r.describe();
  EXPECT_FALSE(r.timed_out);
  EXPECT_ERR_STARTS(r, "runnel: " + variable + ": cannot read \"" + value + "\"");
  EXPECT_EQ(r.out, "") << r.describe();
}

TEST(Environment, UnreadableValuesEndTheProgramAtStart) {
  for (const char* value : {"0", "-1", "two", "1.5", "", "2x", "99999999999999999999"})
    expect_unreadable("RUNNEL_MAXPROCS", value);
  for (const char* value : {"", "K", "64Q", "-64K", "64 K", "99999999999G"})
    expect_unreadable("RUNNEL_STACK_SIZE", value);
  expect_unreadable("RUNNEL_STACK_GUARD", "maybe");
  expect_unreadable("RUNNEL_DEADLOCK", "throw");
  expect_unreadable("RUNNEL_LEAKS", "On");
}

TEST(Environment, MaxProcs) {
  EXPECT_EQ(run_program("environment", "procs", {"RUNNEL_MAXPROCS=3"}).out, "3\n");
  EXPECT_EQ(run_program("environment", "procs_by_option", {"RUNNEL_MAXPROCS=3"}).out, "2\n");
}

TEST(Environment, StackSizeAndGuard) {
  EXPECT_EQ(run_program("environment", "deep_recursion", {"RUNNEL_STACK_SIZE=8M"}).out, "done\n");
  EXPECT_EQ(run_program("environment", "deep_recursion", {"RUNNEL_STACK_SIZE=8388608"}).out,
            "done\n");
  EXPECT_EQ(run_program("environment", "deep_recursion",
                        {"RUNNEL_STACK_SIZE=8192K", "RUNNEL_STACK_GUARD=off"})
                .out,
            "done\n");
  const child_result r = run_program("environment", "deep_recursion", {"RUNNEL_STACK_SIZE=128K"});
  EXPECT_ERR_STARTS(r, "fatal error: stack overflow\n");
}

TEST(Threads, WhereNoMoreCanBeHadThatIsSaidOnceAndGoroutinesWait) {
  if (slowdown > 1) GTEST_SKIP() << "sanitizers and emulators need the address space";
  const child_result r = run_program("environment", "threads_run_out");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "after run\n");
  EXPECT_ERR_STARTS(r, "runnel: no more threads can be created (");
  EXPECT_ERR_HAS(r, "goroutines wait until a thread comes back from the kernel\n");
}

TEST(Threads, WhereNoMoreCanBeHadNoGoroutineIsForgotten) {
  if (slowdown > 1) GTEST_SKIP() << "sanitizers and emulators need the address space";
  const child_result r = run_program("environment", "one_thread_serves_all");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "all ran\n");
  EXPECT_ERR_STARTS(r, "runnel: no more threads can be created (");
}

TEST(Stacks, WhereNoMoreCanBeHadGoThrowsAndAllThatWereStartedRun) {
  if (slowdown > 1) GTEST_SKIP() << "sanitizers and emulators need the address space";
  for (const char* scenario : {"stacks_run_out", "promises_run_out"})
    for (const char* procs : {"1", "2", "8"}) {
      const child_result r =
          run_program("environment", scenario, {std::string("RUNNEL_MAXPROCS=") + procs});
      EXPECT_EXIT_CODE(r, 0);
      // Which is short first depends on the threads that sysmon adds meanwhile.
      EXPECT_TRUE(starts_with(r.out, "runnel: cannot map a goroutine stack of 262144 bytes") ||
                  starts_with(r.out, "no memory for a goroutine\n"))
          << r.describe();
      EXPECT_TRUE(r.out.ends_with("\nall ran\n")) << r.describe();
    }
}

TEST(Leaks, AreIgnoredByDefault) {
  const child_result r = run_program("environment", "leaks_two");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "after run\n");
  EXPECT_EQ(r.err, "");
}

TEST(Leaks, AreReportedWithNamesAndStates) {
  for (const auto& r : {run_program("environment", "leaks_two", {"RUNNEL_LEAKS=report"}),
                        run_program("environment", "leaks_report_by_option")}) {
    EXPECT_EXIT_CODE(r, 0);
    EXPECT_EQ(r.out, "after run\n");
    EXPECT_ERR_HAS(r, "left behind");
    EXPECT_ERR_HAS(r, "[chan receive");
  }
}

TEST(Leaks, AreLoopsOverChannelsThatNobodyCloses) {
  const child_result r = run_program("environment", "leaks_ranging", {"RUNNEL_LEAKS=report"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "after run\n");
  EXPECT_ERR_HAS(r, "left in a loop");
  EXPECT_ERR_HAS(r, "left with a ticker");
}

TEST(Leaks, TerminateIfAskedTo) {
  for (const auto& r : {run_program("environment", "leaks_two", {"RUNNEL_LEAKS=terminate"}),
                        run_program("environment", "leaks_terminate_by_option")}) {
    EXPECT_NE(r.code, 0) << r.describe();
    EXPECT_FALSE(r.timed_out);
    EXPECT_EQ(r.out, "") << r.describe();
    EXPECT_ERR_HAS(r, "left behind");
  }
}

TEST(Leaks, NoneNothingIsSaid) {
  for (const char* action : {"RUNNEL_LEAKS=report", "RUNNEL_LEAKS=terminate"}) {
    const child_result r = run_program("environment", "leaks_none", {action});
    EXPECT_EXIT_CODE(r, 0);
    EXPECT_EQ(r.err, "");
  }
  const child_result r = run_program("environment", "leaks_of_others");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.err, "");
}

child_result quit_when_ready(const std::string& scenario, int number = SIGQUIT) {
  child c(std::string(RUNNEL_PROGRAM_DIR) + "/prog_signals", {scenario});
  EXPECT_TRUE(c.wait_for_output("ready\n"));
  c.send_signal(number);
  return c.finish(std::chrono::seconds(60));
}

TEST(SigQuit, DumpsAllGoroutinesAndEndsWithStatus2_DL15) {
  const child_result r = quit_when_ready("everything");
  EXPECT_EXIT_CODE(r, 2);
  for (const char* line :
       {"[sleep] q_sleeper:", "[chan receive] q_receiver:", "[select] q_selector:",
        "[sync.Mutex.Lock] q_locker:", "[IO wait] q_reader:", "[running] q_computer:"})
    EXPECT_ERR_HAS(r, line);
  EXPECT_ERR_HAS(r, "inner_frame_of_receiver");
  EXPECT_FALSE(contains(r.out, "woken"));
}

TEST(SigQuit, WorksWhileEverythingSleeps) {
  const child_result r = quit_when_ready("quiet");
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_ERR_HAS(r, "[sleep]");
}

TEST(SigQuit, OfAThousandGoroutinesAndOfRestlessOnes) {
  const child_result many = quit_when_ready("many");
  EXPECT_EXIT_CODE(many, 2);
  std::size_t sleeping = 0;
  for (std::size_t at = many.err.find("[sleep]"); at != std::string::npos;
       at = many.err.find("[sleep]", at + 1))
    ++sleeping;
  EXPECT_GE(sleeping, 1000U);
  EXPECT_EXIT_CODE(quit_when_ready("restless"), 2);
}

TEST(SigQuit, IsLeftToTheProgramThatWantsIt) {
  EXPECT_EXIT_CODE(quit_when_ready("own_handler"), 5);
  const child_result r = quit_when_ready("ignored");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "ready\nwent on\n");
}

TEST(Signals, TheUsualOnesStillKill_PA16) {
  EXPECT_DIED_BY(quit_when_ready("quiet", SIGTERM), SIGTERM);
  EXPECT_DIED_BY(quit_when_ready("quiet", SIGINT), SIGINT);
  EXPECT_DIED_BY(quit_when_ready("everything", SIGTERM), SIGTERM);
}

void expect_end(const std::string& scenario, int code, const std::string& out = "") {
  const child_result r = run_program("ending", scenario);
  EXPECT_EXIT_CODE(r, code);
  EXPECT_EQ(r.out, out);
  EXPECT_EQ(r.err, "");
  EXPECT_LT(r.elapsed, 10s) << "the end must not wait for ever for goroutines";
}

TEST(Ending, MainReturnsWhileGoroutinesRun) { expect_end("main_returns", 0); }
TEST(Ending, ExitOnTheMainThread) { expect_end("exit_on_the_main_thread", 3); }
TEST(Ending, ExitInTheMainGoroutine) { expect_end("exit_in_main_goroutine", 3); }
TEST(Ending, ExitInAGoroutine) { expect_end("exit_in_a_goroutine", 3); }
TEST(Ending, ExitOnAForeignThread) { expect_end("exit_on_a_foreign_thread", 3); }
TEST(Ending, WhileOneComputes) { expect_end("while_one_computes", 3); }
TEST(Ending, WhileOneIsInTheKernel) { expect_end("while_one_is_in_the_kernel", 3); }
TEST(Ending, WhileHoldingAMutex) { expect_end("while_holding_a_mutex", 3); }
TEST(Ending, QuickExit) { expect_end("quick_exit", 3); }
TEST(Ending, ExitHandlersRun) { expect_end("exit_handlers_run", 0, "handler\n"); }
TEST(Ending, ExitHandlersMayUseChannels) { expect_end("handler_uses_channels", 0, "handler\n"); }

// Goroutines run no more then: said, rather than waited for for ever.
TEST(Ending, AWaitForAGoroutineAfterwardsIsReported) {
  for (const char* scenario : {"handler_waits_for_a_goroutine", "handler_waits_beside_a_sleeper"}) {
    const child_result r = run_program("ending", scenario);
    EXPECT_EXIT_CODE(r, 2);
    EXPECT_ERR_STARTS(
        r, "fatal error: a wait after the process has begun to exit: goroutines run no more\n");
  }
}

TEST(Ending, TimersAndDescriptorsEndWaitsAfterwards) {
  expect_end("handler_waits_for_a_timer", 0, "handler\n");
  expect_end("handler_waits_for_a_descriptor", 0, "handler\n");
}

TEST(PlainThreadsOnly, TimersContextsAndDescriptorsWork) {
  for (const char* scenario : {"after", "ticker", "after_func", "context_done", "context_polled",
                               "lock_with_context", "selecting", "descriptor"})
    for (const char* procs : {"1", "4"}) {
      const child_result r =
          run_program("plain_threads_only", scenario, {std::string("RUNNEL_MAXPROCS=") + procs});
      EXPECT_EXIT_CODE(r, 0) << scenario;
      EXPECT_EQ(r.out, "done\n") << scenario;
      EXPECT_LT(r.elapsed, 10s) << scenario;
    }
}

std::string static_start(const std::string& what, const std::string& scenario) {
  const child_result r = run_program("static_start", scenario, {"STATIC_START=" + what});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.err, "");
  return r.out;
}

TEST(StaticInitialisers, MayStartGoroutines) {
  EXPECT_EQ(static_start("go", "receive"), "sum 6, ran 4\n");
  EXPECT_EQ(static_start("go", "receive_without_run"), "sum 6\n");
}
TEST(StaticInitialisers, MayCallRun) { EXPECT_EQ(static_start("run", "count"), "4\n"); }
TEST(StaticInitialisers, MayWaitForDescriptors_NP16) {
  EXPECT_EQ(static_start("descriptor", "count"), "1\n");
}

TEST(Fork, AChildThatLeavesTheRuntimeAloneIsFine) {
  EXPECT_EQ(run_program("forking", "child_does_nothing").out, "child: exit 0 signal 0\n");
  EXPECT_EQ(run_program("forking", "child_execs").out, "child: exit 0 signal 0\n");
  EXPECT_EQ(run_program("forking", "before_the_start").out, "child: exit 7\n");
}

TEST(Fork, AChildThatUsesTheRuntimeAbortsWithAMessage) {
  for (const char* scenario :
       {"child_starts_a_goroutine", "child_calls_run", "child_sleeps", "child_receives"}) {
    const child_result r = run_program("forking", scenario);
    EXPECT_EXIT_CODE(r, 0);
    EXPECT_EQ(r.out, "child: exit -1 signal 6\n") << scenario;
    EXPECT_ERR_HAS(r, "fork");
  }
}

}  // namespace
