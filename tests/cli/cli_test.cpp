// The command-line tool, run as a child process.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <runnel/detail/config.hpp>

#include "../support/child.hpp"
#include "tool.hpp"

namespace {

namespace fs = std::filesystem;
using runnel_test::child;
using runnel_test::child_result;
using runnel_test::lines_of;
using runnel_test::read_file;
using runnel_test::run_shell;
using runnel_test::run_tool;
using runnel_test::scratch_directory;

// What is printed before the summary.
std::string digests(const std::string& out) {
  const std::size_t last = out.empty() ? 0 : out.rfind('\n', out.size() - 2);
  return last == std::string::npos ? "" : out.substr(0, last + 1);
}

// An empty file, sizes around the block size, names that sort and print in unusual ways.
void fill(const scratch_directory& d) {
  d.write("empty", "");
  d.write("a/z", "z");
  d.write("a-b", "sorts before a/z");
  d.write("a.b/c", "c");
  d.write("with space", "s");
  d.write("line\nbreak", "n");
  d.write("back\\slash", "b");
  d.write("carriage\rreturn", "r");
  for (const std::size_t size : {131071, 131072, 131073, 400000}) {
    d.write("sizes/" + std::to_string(size), std::string(size, 'x'));
  }
  for (int i = 0; i < 300; ++i) d.write("many/" + std::to_string(i), std::to_string(i));
}

constexpr const char* expected_digests =
    "cd \"$2\" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";

TEST(Hash, PrintsWhatSha256sumDoesInPathOrder) {
  const scratch_directory d;
  fill(d);
  const child_result expected = run_shell(expected_digests, d.path());
  EXPECT_EXIT_CODE(expected, 0);
  for (const char* jobs : {"1", "3", "64"}) {
    for (const char* procs : {"1", "4"}) {
      child c(
          "/bin/sh",
          {"-c", "cd \"$2\" && exec \"$1\" hash --jobs \"$3\"", "sh", RUNNEL_TOOL, d.path(), jobs},
          {"RUNNEL_MAXPROCS=" + std::string(procs)});
      const child_result r = c.finish(std::chrono::minutes(1));
      EXPECT_EXIT_CODE(r, 0);
      EXPECT_EQ(digests(r.out), expected.out) << jobs << " jobs, " << procs << " processors";
      EXPECT_EQ(r.err, "");
    }
  }
}

TEST(Hash, EndsWithASummary) {
  const scratch_directory d;
  d.write("one", "12345");
  d.write("two", "1234567");
  const child_result r = run_tool({"hash", "-j", "3", d.path()}, {"RUNNEL_MAXPROCS=2"});
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 3U) << r.describe();
  const std::regex summary(
      R"(2 files, 12 bytes, [0-9]+\.[0-9]{3} seconds, 3 goroutines, 2 processors)");
  EXPECT_TRUE(std::regex_match(lines.back(), summary)) << lines.back();
}

TEST(Hash, TakesSeveralTreesAndFilesInTheOrderGiven) {
  const scratch_directory d;
  d.write("b/file", "1");
  d.write("a/file", "2");
  d.write("c", "3");
  const child_result r = run_tool({"hash", d.path() + "/c", d.path() + "/b/", d.path() + "/a"});
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 4U) << r.describe();
  EXPECT_EQ(lines[0].substr(64), "  " + d.path() + "/c");
  EXPECT_EQ(lines[1].substr(64), "  " + d.path() + "/b/file");
  EXPECT_EQ(lines[2].substr(64), "  " + d.path() + "/a/file");
}

TEST(Hash, PassesOverGitAndBuildDirectoriesUnlessAllIsGiven) {
  const scratch_directory d;
  d.write(".git/config", "g");
  d.write("build/output", "o");
  d.write("src/build/output", "o");
  d.write("src/builder", "b");
  d.write(".hidden", "h");
  const child_result some = run_tool({"hash", d.path()});
  EXPECT_EXIT_CODE(some, 0);
  EXPECT_EQ(lines_of(some.out).size(), 3U) << some.out;
  const child_result all = run_tool({"hash", "--all", d.path()});
  EXPECT_EXIT_CODE(all, 0);
  EXPECT_EQ(lines_of(all.out).size(), 6U) << all.out;
}

TEST(Hash, DoesNotFollowLinksAndPassesOverWhatIsNoFile) {
  const scratch_directory d;
  d.write("file", "f");
  fs::create_symlink("file", fs::path(d.path()) / "link");
  fs::create_directory_symlink("..", fs::path(d.path()) / "loop");
  ASSERT_EQ(::mkfifo((d.path() + "/fifo").c_str(), 0600), 0);
  const child_result r = run_tool({"hash", d.path()});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(lines_of(r.out).size(), 2U) << r.out;
}

TEST(Hash, AnEmptyTreeIsNoError) {
  const scratch_directory d;
  const child_result r = run_tool({"hash", d.path()});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_TRUE(runnel_test::starts_with(r.out, "0 files, 0 bytes, ")) << r.out;
}

TEST(Hash, WhatCannotBeReadIsReportedAndTheRestIsHashed) {
  const scratch_directory d;
  d.write("file", "f");
  // The kernel lets a process open its own memory, and fails the read at address 0.
  const child_result r =
      run_tool({"hash", d.path() + "/missing", "/proc/self/mem", "/dev/null", d.path()});
  EXPECT_EXIT_CODE(r, 1);
  const std::vector<std::string> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 2U) << r.describe();
  EXPECT_TRUE(runnel_test::starts_with(lines[1], "1 files, 1 bytes")) << lines[1];
  EXPECT_EQ(r.err, "runnel hash: " + d.path() + "/missing: No such file or directory\n" +
                       "runnel hash: /proc/self/mem: Input/output error\n" +
                       "runnel hash: /dev/null: not a regular file or directory\n");
}

TEST(Hash, AFullDiskStopsTheRunWithAMessage) {
  const scratch_directory d;
  fill(d);
  const child_result r = run_shell("exec \"$1\" hash \"$2\" > /dev/full", d.path());
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_EQ(r.err, "runnel hash: write error: No space left on device\n");
}

TEST(Usage, AnAnswerThatCannotBeWrittenIsAnError) {
  const scratch_directory d;
  for (const char* option : {"--version", "--help"}) {
    const child_result r =
        run_shell(std::string("exec \"$1\" ") + option + " > /dev/full", d.path());
    EXPECT_EXIT_CODE(r, 1);
    EXPECT_EQ(r.err, "runnel: write error: No space left on device\n");
  }
}

TEST(Usage, SaysWhatIsWrongAndWhatWasMeant) {
  struct mistake {
    std::vector<std::string> arguments;
    std::string message;
  };
  const std::vector<mistake> mistakes{
      {{}, "runnel: no command given\n"},
      {{"hsah"}, "runnel: no command 'hsah'; did you mean 'hash'?\n"},
      {{"frobnicate"}, "runnel: no command 'frobnicate'\n"},
      {{"--verison"}, "runnel: unknown option '--verison'; did you mean '--version'?\n"},
      {{"hash", "--jbos", "3"}, "runnel hash: unknown option '--jbos'; did you mean '--jobs'?\n"},
      {{"hash", "--job=3"}, "runnel hash: unknown option '--job'; did you mean '--jobs'?\n"},
      {{"hash", "--zzz"}, "runnel hash: unknown option '--zzz'\n"},
      {{"hash", "--jobs", "0"}, "runnel hash: --jobs: '0' is not a whole number from 1 to 10000\n"},
      {{"hash", "--jobs", "-1"},
       "runnel hash: --jobs: '-1' is not a whole number from 1 to 10000\n"},
      {{"hash", "--jobs", "many"},
       "runnel hash: --jobs: 'many' is not a whole number from 1 to 10000\n"},
      {{"hash", "--jobs", "99999999999999999999"},
       "runnel hash: --jobs: '99999999999999999999' is not a whole number from 1 to 10000\n"},
      {{"tour", "worker-pol"},
       "runnel tour: no chapter 'worker-pol'; did you mean 'worker-pool'?\n"},
      {{"tour", "select", "extra"}, "runnel tour: unexpected argument 'extra'\n"},
      {{"tour", "--source"}, "runnel tour: --source needs a chapter\n"},
  };
  for (const mistake& m : mistakes) {
    const child_result r = run_tool(m.arguments);
    EXPECT_EXIT_CODE(r, 255);
    EXPECT_ERR_STARTS(r, m.message);
    EXPECT_EQ(r.out, "");
  }
}

TEST(Usage, AnOptionWithoutItsValueIsNamed) {
  const child_result r = run_tool({"hash", "--jobs"});
  EXPECT_EXIT_CODE(r, 255);
  EXPECT_ERR_HAS(r, "--jobs");
}

TEST(Usage, HelpAndVersion) {
  const child_result version = run_tool({"--version"});
  EXPECT_EXIT_CODE(version, 0);
  EXPECT_TRUE(std::regex_match(version.out, std::regex(R"(runnel [0-9]+\.[0-9]+\.[0-9]+\n)")))
      << version.out;
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"hash", "--help"}, {"tour", "-h"}}) {
    const child_result help = run_tool(arguments);
    EXPECT_EXIT_CODE(help, 0);
    EXPECT_TRUE(runnel_test::contains(help.out, "Usage: ")) << help.describe();
    EXPECT_EQ(help.err, "");
  }
}

// The files of examples/tour, without .cpp.
std::vector<std::string> chapters() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(RUNNEL_SOURCE_DIR "/examples/tour")) {
    if (entry.path().extension() == ".cpp") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Tour, ListsEveryChapter) {
  const child_result r = run_tool({"tour"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_GE(chapters().size(), 10U);
  for (const std::string& chapter : chapters()) {
    EXPECT_TRUE(runnel_test::contains(r.out, "  " + chapter + " ")) << chapter;
  }
}

TEST(Tour, PrintsTheSourceOfEachChapter) {
  for (const std::string& chapter : chapters()) {
    const child_result r = run_tool({"tour", chapter, "--source"});
    EXPECT_EXIT_CODE(r, 0);
    EXPECT_EQ(r.out, read_file(RUNNEL_SOURCE_DIR "/examples/tour/" + chapter + ".cpp"));
  }
}

class TourChapter : public ::testing::TestWithParam<std::string> {};

TEST_P(TourChapter, SaysTheSameOnAnyNumberOfProcessors) {
#if RUNNEL_TSAN
  if (GetParam() == "goroutines") GTEST_SKIP() << "ThreadSanitizer has room for 8128 goroutines";
#endif
  const child_result first = run_tool({"tour", GetParam()}, {"RUNNEL_MAXPROCS=1"});
  EXPECT_EXIT_CODE(first, 0);
  EXPECT_EQ(first.err, "");
  EXPECT_TRUE(runnel_test::contains(first.out, "\n# ")) << "nothing is explained\n" << first.out;
  for (const char* procs : {"RUNNEL_MAXPROCS=2", "RUNNEL_MAXPROCS=8"}) {
    const child_result again = run_tool({"tour", GetParam()}, {procs});
    EXPECT_EXIT_CODE(again, 0);
    EXPECT_EQ(again.out, first.out) << procs;
  }
}

INSTANTIATE_TEST_SUITE_P(all, TourChapter, ::testing::ValuesIn(chapters()),
                         [](const ::testing::TestParamInfo<std::string>& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
