// Mistakes the compiler must catch, with the words it must say. Each program is compiled both ways: as it is, which must
// work, and with MUST_FAIL, which must not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#ifndef RUNNEL_PROGRAM_DIR
#define RUNNEL_PROGRAM_DIR "."  // child.hpp names it; no program of the misuse tests is used here
#endif
#include "../support/child.hpp"

namespace {

using namespace runnel_test;
namespace fs = std::filesystem;

child_result compile(const std::string& program, bool must_fail) {
  const fs::path here = fs::path(__FILE__).parent_path();
  const char* compiler = std::getenv("CXX");
  std::vector<std::string> arguments{compiler != nullptr ? compiler : "c++", "-std=c++20",
                                     "-fsyntax-only", "-I" + (here / "../../include").string()};
  if (must_fail) arguments.emplace_back("-DMUST_FAIL");
  arguments.push_back((here / "must_not_compile" / (program + ".cpp")).string());
  child c("/usr/bin/env", arguments);
  return c.finish(60s);
}

void expect_refused(const std::string& program, const std::string& words) {
#ifdef RUNNEL_TEST_EMULATOR
  GTEST_SKIP() << "the compiler is none for the emulated machine";
#endif
  const auto good = compile(program, false);
  if (good.code == 127) GTEST_SKIP() << "no compiler here";
  EXPECT_EXIT_CODE(good, 0);
  const auto bad = compile(program, true);
  EXPECT_TRUE(bad.code != 0 && !bad.timed_out) << "it compiled";
  EXPECT_ERR_HAS(bad, words);
}

TEST(MustNotCompile, AnElementWhoseMoveMayThrow) {
  expect_refused("throwing_move", "nothrow move");
}
TEST(MustNotCompile, ABatchOfEvents) { expect_refused("batch_of_events", "consists of values"); }
TEST(MustNotCompile, TwoOtherwise) { expect_refused("two_otherwise", "otherwise"); }
TEST(MustNotCompile, AHalfWhereAChannelIsWanted) { expect_refused("widened_channel", "recv_chan"); }

}  // namespace
