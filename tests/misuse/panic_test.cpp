// An exception that leaves a goroutine ends the process with a report, unwinding nothing.
#include <gtest/gtest.h>

#include <csignal>
#include <regex>
#include <string>

#include "../support/child.hpp"

namespace {

using namespace runnel_test;

/// Died by std::terminate after a report that begins with `panic: TEXT`; main never went on.
child_result expect_panic(const std::string& scenario, const std::string& text) {
  const child_result r = run_program("panic", scenario);
  EXPECT_DIED_BY(r, SIGABRT);
  EXPECT_ERR_STARTS(r, "panic: " + text);
  EXPECT_ERR_HAS_NOT(r, "deadlock");  // DL-12
  EXPECT_FALSE(contains(r.out, "main went on")) << r.describe();
  EXPECT_FALSE(contains(r.out, "destroyed")) << r.describe();
  return r;
}

TEST(Panic, ReportNamesTheGoroutineAndItsStack_PA01) {
  const child_result r = expect_panic("goroutine", "test\n\ngoroutine ");
  EXPECT_TRUE(std::regex_search(
      r.err, std::regex("^panic: test\n\ngoroutine [0-9]+ \\[running\\] crasher:\n")))
      << r.err;
  EXPECT_ERR_HAS(r, "throw_test");  // the stack at the throw
}

TEST(Panic, NoDestructorRunsBeforeTheReport_PA02) {
  expect_panic("destructor_would_release_main", "test\n\n");
}
TEST(Panic, InAStageOnItsOwn) { expect_panic("stage", "test\n\n"); }
TEST(Panic, InWaitGroupGoWaitDoesNotReturn_WG07) { expect_panic("wait_group_go", "test\n\n"); }
TEST(Panic, MainCannotWinTheRaceToACleanExit_PA02) { expect_panic("main_cannot_win", "slow\n\n"); }
TEST(Panic, CannotBeCaughtInAnotherGoroutine_PA04) {
  const child_result r = expect_panic("not_caught_elsewhere", "test\n\n");
  EXPECT_EQ(r.out, "");
}
TEST(Panic, WhatAnExceptionIsNestedInComesFirst) {
  expect_panic("nested", "outer\n\tcaused by: middle\n\tcaused by: inner\n\n");
}
TEST(Panic, TextThatThrowsIsSaidToHaveDoneSo_PA07) {
  const child_result r = expect_panic("text_throws", "");
  EXPECT_ERR_HAS(r, "fails_to_tell");
  EXPECT_ERR_HAS(r, "(panic while printing panic value)\n\ngoroutine ");
}
TEST(Panic, TheTextMayYield_PA06) { expect_panic("text_yields", "after a yield\n\n"); }
TEST(Panic, FurtherLinesAreIndented_PA08) {
  expect_panic("several_lines", "first\n\tsecond\n\tthird\n\n");
}
TEST(Panic, OfNoExceptionClassIsReportedToo) {
  const child_result r = expect_panic("not_an_exception_class", "");
  EXPECT_ERR_HAS(r, "int");
}
TEST(Panic, OfATextIsReportedToo) { expect_panic("text_thrown", ""); }
TEST(Panic, AThrownErrorSaysWhatItIs) {
  expect_panic("error_thrown", "reading: no such thing\n\n");
}
TEST(Panic, FunctionsOfCHaveTheirOwnNames) {
  const child_result r = expect_panic("in_a_c_function", "test\n\n");
  EXPECT_TRUE(std::regex_search(r.err, std::regex("\nf(\\(|\n)"))) << r.err;
}
TEST(Panic, Rethrown_PA05) { expect_panic("rethrown", "test\n\n"); }
TEST(Panic, ThrownWhileHandlingAnother_PA05) { expect_panic("thrown_while_handling", "outer\n\n"); }
TEST(Panic, FromANoexceptFunction) { expect_panic("from_a_noexcept_function", "test\n\n"); }
TEST(Panic, InsideAOnceTheStackIsThatOfTheThrow) {
  EXPECT_ERR_HAS(expect_panic("inside_a_once", "test\n\n"), "throw_test");
}
TEST(Panic, AfterParking) { expect_panic("after_parking", "test\n\n"); }
TEST(Panic, ManyAtOnceGiveOneReport) {
  const child_result r = expect_panic("many_at_once", "test\n\n");
  EXPECT_EQ(r.err.find("panic: "), r.err.rfind("panic: ")) << r.err;
}

TEST(Panic, OnlyTheGoroutineConcernedIsShown_PA14) {
  const child_result r = expect_panic("with_others_and_timers", "test\n\n");
  EXPECT_ERR_HAS_NOT(r, "bystander");
  EXPECT_EQ(r.err.find("goroutine "), r.err.rfind("\ngoroutine ") + 1) << r.err;
}

TEST(Panic, TerminateWithoutAnException) {
  const child_result r = run_program("panic", "terminate_without_exception");
  EXPECT_DIED_BY(r, SIGABRT);
}

TEST(Panic, EmptyFunctionIsRefusedOrPanics_PA10) {
  const child_result r = run_program("panic", "empty_function");
  const bool refused = r.code == 0 && r.out == "caught\n";
  const bool panicked = r.signal == SIGABRT && starts_with(r.err, "panic: ");
  EXPECT_TRUE(refused || panicked) << r.describe();
}

TEST(Panic, TheHandlerRunsFirstAndCannotResume) {
  const child_result r = run_program("panic", "handler");
  EXPECT_DIED_BY(r, SIGABRT);
  EXPECT_ERR_STARTS(r, "panic: test\n\n");
  EXPECT_TRUE(starts_with(r.out, "handler saw test in crasher, id set, ")) << r.describe();
  EXPECT_FALSE(contains(r.out, " 0 frames")) << r.describe();
  EXPECT_FALSE(contains(r.out, "destroyed")) << r.describe();
}

TEST(Panic, TheProgramsOwnTerminateHandlerRunsAfterTheReport) {
  const child_result r = run_program("panic", "own_terminate_handler");
  EXPECT_EXIT_CODE(r, 7);
  EXPECT_ERR_STARTS(r, "panic: test\n\n");
  EXPECT_EQ(r.out, "own handler\n");
}

TEST(Panic, EachMayCatchItsOwn_PA03) {
  const child_result r = run_program("panic", "each_catches_its_own");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "main done\nlocked done\nsecond done\nagain done\n");
  EXPECT_EQ(r.err, "");
}

TEST(Panic, WhatMainThrowsIsRunsToThrow) {
  const child_result r = run_program("panic", "main_throws");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "test\n");
  EXPECT_EQ(r.err, "");
}

TEST(Panic, AFutureKeepsItOrDropsItQuietly) {
  const child_result r = run_program("panic", "async_keeps_it");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "test\n");
  EXPECT_EQ(r.err, "");
}

}  // namespace
