// runnel map, run as a child process: input, commands, how many at once, output.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <runnel/detail/config.hpp>

#include "../support/child.hpp"
#include "tool.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using runnel_test::child;
using runnel_test::child_result;
using runnel_test::contains;
using runnel_test::count;
using runnel_test::lines_of;
using runnel_test::read_file;
using runnel_test::run_shell;
using runnel_test::run_tool;
using runnel_test::scratch_directory;
using runnel_test::sorted_lines;
using runnel_test::unusual_sleep;

/// For a shell: a limit of memory in KB, but for sanitizers, which reserve terabytes.
std::string limited(const char* kind, int most) {
  if (RUNNEL_TSAN || RUNNEL_ASAN) return "";
  return std::string("ulimit -") + kind + " " + std::to_string(most) + "; ";
}

// Input.

TEST(MapInput, LinesOfStandardInputAreAppendedToTheCommand) {
  const child_result r = run_shell("printf 'a\\nb c\\n\\nd' | \"$1\" map -k printf '<%s>\\n'");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "<a>\n<b c>\n<>\n<d>\n");
  EXPECT_EQ(r.err, "");
}

TEST(MapInput, NulEndsItemsWithNull) {
  const child_result r = run_shell("printf 'a\\nb\\0c\\0' | \"$1\" map -0 -k printf '<%s>'");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "<a\nb><c>");
}

TEST(MapInput, ListsCombineAndLinkedListsGoInStep) {
  const child_result all =
      run_tool({"map", "-k", "echo", "{1}-{2}", ":::", "a", "b", ":::", "1", "2"});
  EXPECT_EXIT_CODE(all, 0);
  EXPECT_EQ(all.out, "a-1\na-2\nb-1\nb-2\n");
  const child_result linked =
      run_tool({"map", "-k", "echo", "{1}-{2}", ":::", "a", "b", ":::+", "1", "2"});
  EXPECT_EXIT_CODE(linked, 0);
  EXPECT_EQ(linked.out, "a-1\nb-2\n");
}

TEST(MapInput, AFileIsRead) {
  const scratch_directory d;
  d.write("items", "x\ny\n");
  const child_result r = run_tool({"map", "-k", "-a", d.path() + "/items", "echo"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "x\ny\n");
}

TEST(MapInput, AFileThatIsNotThereIsBadUsage) {
  const child_result r = run_tool({"map", "-a", "/nonexistent/items", "echo"});
  EXPECT_EXIT_CODE(r, 255);
  EXPECT_ERR_HAS(r, "'/nonexistent/items': No such file or directory");
}

TEST(MapInput, SeveralItemsPerCommand) {
  const child_result r = run_tool({"map", "-k", "-n", "2", "echo", ":::", "1", "2", "3", "4", "5"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "1 2\n3 4\n5\n");
}

TEST(MapInput, AsManyItemsAsFit) {
  const child_result r = run_shell("seq 100000 | \"$1\" map -X sh -c 'echo $#' sh");
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> counts = lines_of(r.out);
  std::size_t sum = 0;
  for (const std::string& n : counts) sum += std::stoul(n);
  EXPECT_EQ(sum, 100000U);
  EXPECT_LT(counts.size(), 200U);
}

TEST(MapInput, InputWithoutEndIsReadAsNeeded) {
  const child_result r =
      run_shell(limited("v", 4'000'000) + "yes | \"$1\" map --halt now,success=50 --quiet true");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_LT(r.elapsed, 30s);
}

TEST(MapInput, BlocksEndAtRecordEnds) {
  const child_result r = run_shell("seq 20000 | \"$1\" map -k --pipe --block 10k tail -n 1");
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> last = lines_of(r.out);
  EXPECT_GT(last.size(), 5U);
  EXPECT_EQ(last.back(), "20000");
  const child_result whole = run_shell("seq 20000 | \"$1\" map -k --pipe --block 10k cat | cksum");
  EXPECT_EQ(whole.out, run_shell("seq 20000 | cksum").out);
}

TEST(MapInput, AJobNeedNotReadItsBlock) {
  const child_result r = run_shell("seq 300000 | \"$1\" map --pipe --block 500k true");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.err, "");
}

// The command.

TEST(MapCommand, PlaceholdersStandForThePartsOfTheItem) {
  const child_result r = run_tool(
      {"map", "-j", "1", "echo", "{} {.} {/} {//} {/.} {#} {%}", ":::", "dir/file.tar.gz"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "dir/file.tar.gz dir/file.tar file.tar.gz dir file.tar 1 1\n");
}

TEST(MapCommand, NoItemCanInjectAnything) {
  const std::string nasty = "$(touch pwned); `touch pwned` ' \" \\ * ~ & | > pwned";
  const scratch_directory d;
  for (const char* script : {"echo {}", "echo '{}'", "echo \"{}\"", "printf '%s\\n'"}) {
    child c("/bin/sh", {"-c", "cd \"$1\" && shift && exec \"$@\"", "sh", d.path(), RUNNEL_TOOL,
                        "map", "-s", script, ":::", nasty});
    const child_result r = c.finish();
    EXPECT_EXIT_CODE(r, 0);
    EXPECT_FALSE(fs::exists(d.path() + "/pwned")) << script;
    // echo of dash takes backslashes as escapes: the item's "\ " stays as it is.
    EXPECT_EQ(r.out, nasty + "\n") << script;
  }
  const child_result r = run_tool({"map", "echo", ":::", nasty});
  EXPECT_EQ(r.out, nasty + "\n");
}

TEST(MapCommand, AShellIsThereWhenAskedFor) {
  const child_result r = run_tool({"map", "-k", "-s", "echo {} | tr a-z A-Z", ":::", "x y", "z"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "X Y\nZ\n");
}

TEST(MapCommand, ACommandThatDoesNotExistIsAFailedJobWithAMessage) {
  const child_result r = run_tool({"map", "no-such-command", ":::", "a", "b"});
  EXPECT_EXIT_CODE(r, 2);
  EXPECT_EQ(count(r.err, "no-such-command: No such file or directory"), 2U) << r.err;
  const child_result shell = run_tool({"map", "echo {} | wc", ":::", "a"});
  EXPECT_EXIT_CODE(shell, 1);
  EXPECT_ERR_HAS(shell, "--shell");
}

TEST(MapCommand, AnItemThatIsTooLongIsAFailedJob) {
  const child_result r =
      run_shell("(head -c 3000000 /dev/zero | tr '\\0' x; echo; echo short) | \"$1\" map -k echo");
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_EQ(r.out, "short\n");
  EXPECT_ERR_HAS(r, "Argument list too long");
}

TEST(MapCommand, ALineThatNoArgumentCanBeIsAFailedJobAndTakesNoMemory) {
  const child_result nul = run_shell("printf 'a\\nb\\0c\\nd\\n' | \"$1\" map -k --retries 3 echo");
  EXPECT_EXIT_CODE(nul, 1);
  EXPECT_EQ(nul.out, "a\nd\n");
  EXPECT_ERR_HAS(nul, "job 2 (b): standard input: line 2 holds a NUL byte");
  const child_result r =
      run_shell("(head -c 300000000 /dev/zero | tr '\\0' x; echo; echo short) | (" +
                limited("d", 600'000) + "\"$1\" map -k echo)");
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_EQ(r.out, "short\n");
  const child_result dry = run_shell("printf 'a\\n\\0\\nb\\n' | \"$1\" map --dry-run echo");
  EXPECT_EXIT_CODE(dry, 0);
  EXPECT_EQ(dry.out, "echo a\necho b\n");
  EXPECT_ERR_HAS(dry, "job 2: standard input: line 2 holds a NUL byte");
}

TEST(MapCommand, OptionsEndWhereTheCommandBegins) {
  const child_result r = run_tool({"map", "-k", "-j1", "echo", "-n", "--jobs", "--", ":::", "a"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "--jobs -- a");
  const child_result after = run_tool({"map", "--", "echo", ":::", "tour"});
  EXPECT_EXIT_CODE(after, 0);
  EXPECT_EQ(after.out, "tour\n");
}

TEST(MapCommand, TheLastOfAnOptionCounts) {
  EXPECT_EQ(run_tool({"map", "-k", "-X", "-n1", "echo", ":::", "a", "b"}).out, "a\nb\n");
  const child_result r = run_tool({"map", "-k", "-j4", "-n", "1", "-n2", "echo", ":::", "a", "b"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "a b\n");
}

TEST(MapCommand, JobsReadNothingFromTheInput) {
  const child_result r = run_shell("seq 3 | \"$1\" map -k -s 'cat; echo'");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "1\n2\n3\n");
}

TEST(MapCommand, DryRunPrintsTheCommandsAndRunsNone) {
  const scratch_directory d;
  const child_result r =
      run_tool({"map", "--dry-run", "touch", d.path() + "/{}", ":::", "a b", "c"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "touch '" + d.path() + "/a b'\ntouch " + d.path() + "/c\n");
  EXPECT_TRUE(fs::is_empty(d.path()));
}

// How many at once.

TEST(MapJobs, NeverMoreThanSaidAndAsManyAsSaid) {
  const scratch_directory d;
  // Each job counts who is there, and stays until three have been seen at once.
  const std::string script =
      "mkdir \"$0/$1\"; n=0; while [ $n -lt 2000 ]; do ls \"$0\" | wc -l >> \"$0.log\"; "
      "[ -e \"$0.three\" ] && break; [ $(ls \"$0\" | wc -l) -ge 3 ] && touch \"$0.three\"; "
      "sleep 0.005; n=$((n+1)); done; rmdir \"$0/$1\"";
  fs::create_directory(d.path() + "/in");
  child c(RUNNEL_TOOL, {"map", "-j", "3", "sh", "-c", script, d.path() + "/in", ":::", "1", "2",
                        "3", "4", "5", "6", "7", "8"});
  const child_result r = c.finish(60s);
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_TRUE(fs::exists(d.path() + "/in.three"));
  int most = 0;
  for (const std::string& n : lines_of(read_file(d.path() + "/in.log")))
    most = std::max(most, std::stoi(n));
  EXPECT_EQ(most, 3);
}

TEST(MapJobs, WorkerNumbersAreNotShared) {
  const child_result r = run_shell("seq 100 | \"$1\" map -j 4 echo {%}");
  EXPECT_EXIT_CODE(r, 0);
  for (const std::string& n : lines_of(r.out)) {
    EXPECT_GE(std::stoi(n), 1);
    EXPECT_LE(std::stoi(n), 4);
  }
}

TEST(MapJobs, AutoRunsEverything) {
  const child_result r = run_shell("seq 500 | \"$1\" map -j auto --max-jobs 8 -k echo | cksum");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, run_shell("seq 500 | cksum").out);
}

TEST(MapJobs, RateSpacesTheStarts) {
  const child_result r = run_shell("seq 6 | \"$1\" map -j 6 --rate 20/s true");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_GE(r.elapsed, 240ms);
}

// Output.

TEST(MapOutput, KeepOrderGivesTheOrderOfTheInput) {
  const child_result r = run_shell(
      "seq 200 | \"$1\" map -j 8 -k sh -c 'sleep 0.0$(($1 * 7919 % 5)); echo $1; echo e$1 >&2' sh");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, run_shell("seq 200").out);
  EXPECT_EQ(r.err, run_shell("seq -f e%.0f 200").out);
}

TEST(MapOutput, AJobsOutputStaysTogether) {
  const child_result r =
      run_tool({"map", "-j", "4", "sh", "-c", "for i in 1 2 3 4 5; do echo $0 $i; sleep 0.01; done",
                ":::", "a", "b", "c", "d"});
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 20U) << r.out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i][0], lines[i - i % 5][0]) << r.out;
    EXPECT_EQ(lines[i].substr(2), std::to_string(i % 5 + 1)) << r.out;
  }
}

TEST(MapOutput, MuchOutputGoesThroughWhole) {
  const child_result r =
      run_shell("\"$1\" map -j 2 -s 'seq 300000; : {}' ::: 1 2 3 2>&1 | sort -n | cksum");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, run_shell("(for i in 1 2 3; do seq 300000; done) | sort -n | cksum").out);
}

TEST(MapOutput, LinesComeAsTheyAreWrittenAndNeverMix) {
  const child_result r = run_tool({"map", "-j", "4", "--line-buffer", "--tag", "sh", "-c",
                                   "for i in 1 2 3 4 5; do printf part; sleep 0.002; echo $i; done",
                                   ":::", "a", "b", "c"});
  EXPECT_EXIT_CODE(r, 0);
  std::vector<std::string> expected;
  for (const char* item : {"a", "b", "c"}) {
    for (int i = 1; i <= 5; ++i)
      expected.push_back(item + std::string("\tpart") + std::to_string(i));
  }
  // The command has no placeholder: $0 is the item, and the lines say which job they come from.
  EXPECT_EQ(sorted_lines(r.out), expected);
}

TEST(MapOutput, ALineWithoutAnEndGetsOneWhereJobsShareLines) {
  const child_result tagged = run_tool({"map", "-k", "--tag", "printf", ":::", "a", "b"});
  EXPECT_EQ(tagged.out, "a\ta\nb\tb\n");
  const child_result lines = run_tool({"map", "-j1", "--line-buffer", "printf", ":::", "a", "b"});
  EXPECT_EQ(lines.out, "a\nb\n");
  const child_result whole = run_tool({"map", "-k", "printf", ":::", "a", "b"});
  EXPECT_EQ(whole.out, "ab");
}

TEST(MapOutput, ALineIsSeenBeforeItsJobEnds) {
  child c(RUNNEL_TOOL,
          {"map", "--line-buffer", "sh", "-c", "echo first; exec sleep 1000", ":::", "x"});
  EXPECT_TRUE(c.wait_for_output("first\n"));
  c.send_signal(SIGTERM);
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 128 + SIGTERM);
}

TEST(MapOutput, UngroupedJobsWriteByThemselves) {
  const child_result r = run_tool({"map", "--ungroup", "-j1", "echo", ":::", "a", "b"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "a\nb\n");
}

TEST(MapOutput, JsonIsOneObjectPerJob) {
  const child_result r = run_tool(
      {"map", "-k", "--json", "sh", "-c", "echo out; echo err >&2; exit $0", ":::", "0", "3"});
  EXPECT_EXIT_CODE(r, 1);
  const std::vector<std::string> lines = lines_of(r.out);
  ASSERT_EQ(lines.size(), 2U) << r.describe();
  for (const std::string& line : lines) {
    EXPECT_TRUE(contains(line, R"("stdout":"out\n")")) << line;
    EXPECT_TRUE(contains(line, R"("stderr":"err\n")")) << line;
  }
  EXPECT_TRUE(contains(lines[0], R"("outcome":"succeeded")")) << lines[0];
  EXPECT_TRUE(contains(lines[1], R"("outcome":"failed")")) << lines[1];
  EXPECT_TRUE(contains(lines[1], R"("exit_code":3)")) << lines[1];
}

TEST(MapOutput, AFullDiskStopsTheRunWithAMessage) {
  const child_result r = run_shell("yes | \"$1\" map echo > /dev/full");
  EXPECT_EXIT_CODE(r, 255);
  EXPECT_ERR_HAS(r, "standard output: No space left on device");
}

TEST(MapOutput, AClosedPipeStopsTheRunWithAMessage) {
  const child_result r = run_shell("(yes | \"$1\" map echo; echo status $? >&2) | head -n 1");
  EXPECT_EQ(r.out, "y\n");
  EXPECT_ERR_HAS(r, "standard output: Broken pipe");
  EXPECT_ERR_HAS(r, "status 255");
}

TEST(MapOutput, ResultsAreKeptInFiles) {
  const scratch_directory d;
  const child_result r = run_tool({"map", "--results", d.path() + "/r", "sh", "-c",
                                   "echo o$0; echo e$0 >&2; exit $0", ":::", "0", "7"});
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_EQ(read_file(d.path() + "/r/1/stdout"), "o0\n");
  EXPECT_EQ(read_file(d.path() + "/r/2/stdout"), "o7\n");
  EXPECT_EQ(read_file(d.path() + "/r/2/stderr"), "e7\n");
  EXPECT_TRUE(contains(read_file(d.path() + "/r/2/status"), "\"exit_code\":7"));
}

TEST(MapOutput, TheTimelineIsOnePage) {
  const scratch_directory d;
  const child_result r =
      run_tool({"map", "--timeline", d.path() + "/t.html", "true", ":::", "</script>", "b"});
  EXPECT_EXIT_CODE(r, 0);
  const std::string page = read_file(d.path() + "/t.html");
  EXPECT_TRUE(contains(page, "<html")) << page.substr(0, 200);
  EXPECT_EQ(count(page, "</script>"), count(page, "<script"));
}

TEST(MapOutput, AProcessThatAJobLeavesBehindDoesNotHoldItUp) {
  const child_result r =
      run_tool({"map", "-s", "sleep " + unusual_sleep() + " & echo done; : {}", ":::", "1"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "done\n");
  EXPECT_LT(r.elapsed, 20s);
}

}  // namespace
