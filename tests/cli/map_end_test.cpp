// runnel map, run as a child process: failures, the job log, signals, bad usage.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "../support/child.hpp"
#include "tool.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using runnel_test::child;
using runnel_test::child_result;
using runnel_test::contains;
using runnel_test::eventually;
using runnel_test::lines_of;
using runnel_test::read_file;
using runnel_test::run_shell;
using runnel_test::run_tool;
using runnel_test::runs;
using runnel_test::scratch_directory;
using runnel_test::unusual_sleep;

// Failures.

TEST(MapFailures, TheStatusCountsFailedJobs) {
  EXPECT_EXIT_CODE(run_tool({"map", "true", ":::", "1", "2"}), 0);
  EXPECT_EXIT_CODE(run_tool({"map", "sh", "-c", "exit $0", ":::", "0", "1", "9"}), 2);
  EXPECT_EXIT_CODE(run_shell("seq 100 | \"$1\" map false"), 100);
  EXPECT_EXIT_CODE(run_shell("seq 150 | \"$1\" map false"), 101);
  EXPECT_EXIT_CODE(run_tool({"map", "sh", "-c", "kill -9 $$", ":::", "0"}), 1);
}

TEST(MapFailures, NoItemsIsNoError) {
  const child_result r = run_shell("\"$1\" map false < /dev/null");
  EXPECT_EXIT_CODE(r, 0);
}

TEST(MapFailures, RetriesRunAFailedJobAgain) {
  const scratch_directory d;
  const std::string script = "echo x >> \"$0\"; [ $(wc -l < \"$0\") -ge 3 ] && echo done";
  const child_result r = run_tool({"map", "--retries", "5", "--backoff", "1ms", "sh", "-c", script,
                                   ":::", d.path() + "/a", d.path() + "/b"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "done\ndone\n");
  EXPECT_EQ(read_file(d.path() + "/a"), "x\nx\nx\n");
  const child_result never = run_tool(
      {"map", "--retries", "2", "--backoff", "1ms", "sh", "-c", "echo try; exit 1", ":::", "1"});
  EXPECT_EXIT_CODE(never, 1);
  EXPECT_EQ(never.out, "try\n");  // of the last attempt
}

TEST(MapFailures, ATimeoutEndsTheWholeProcessGroup) {
  const std::string time = unusual_sleep();
  const child_result r = run_tool({"map", "--timeout", "100ms", "--grace", "5s", "sh", "-c",
                                   "sleep " + time + " & sleep " + time, ":::", "1"});
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_ERR_HAS(r, "job 1 (1): ended after 100ms");
  EXPECT_LT(r.elapsed, 4s);
  EXPECT_FALSE(runs(time));
}

TEST(MapFailures, WhatIgnoresSigtermIsKilledAfterTheGrace) {
  const std::string time = unusual_sleep();
  const child_result r = run_tool({"map", "--timeout", "100ms", "--grace", "100ms", "sh", "-c",
                                   "trap '' TERM; sleep " + time, ":::", "1"});
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_LT(r.elapsed, 20s);
  EXPECT_FALSE(runs(time));
}

TEST(MapFailures, HaltSoonLetsRunningJobsEnd) {
  const child_result r = run_tool({"map", "-j", "2", "-k", "--halt", "soon,fail=1", "sh", "-c",
                                   "[ $0 = 1 ] && exit 1; sleep 0.2; echo $0", ":::", "1", "2", "3",
                                   "4", "5", "6", "7", "8", "9"});
  EXPECT_EXIT_CODE(r, 1);
  EXPECT_TRUE(contains(r.out, "2\n")) << r.describe();
  EXPECT_FALSE(contains(r.out, "9\n")) << r.describe();
  EXPECT_ERR_HAS(r, "--halt soon,fail=1");
}

// Whatever the collector is busy with.
TEST(MapFailures, NothingStartsAfterTheJobThatHalts) {
  for (const char* when : {"soon,fail=1", "now,fail=1"}) {
    for (int i = 0; i < 20; ++i) {
      const child_result r = run_tool(
          {"map", "-j1", "--halt", when, "-s", "echo {}; exit {}", ":::", "0", "1", "2", "3"});
      EXPECT_EXIT_CODE(r, 1);
      EXPECT_EQ(r.out, "0\n1\n") << when;
    }
  }
  const scratch_directory d;
  const child_result slow = run_shell(
      "seq 50 | \"$1\" map -j1 --halt now,fail=1 -s \"touch '$2/'{}; "
      "[ {} = 1 ] && head -c 200000 /dev/zero; [ {} != 2 ]\" | (sleep 1; wc -c)",
      d.path());
  EXPECT_EQ(slow.out, "200000\n");
  EXPECT_TRUE(fs::exists(d.path() + "/2"));
  EXPECT_FALSE(fs::exists(d.path() + "/3"));
}

TEST(MapFailures, HaltNowEndsRunningJobs) {
  const std::string time = unusual_sleep();
  const child_result r =
      run_tool({"map", "-j", "2", "--halt", "now,fail=1", "sh", "-c",
                "[ $0 = 2 ] && exit 1; exec sleep " + time, ":::", "1", "2", "3"});
  EXPECT_GE(r.code, 1) << r.describe();
  EXPECT_LT(r.elapsed, 20s);
  EXPECT_FALSE(runs(time));
}

TEST(MapFailures, HaltOnSuccessIsSuccess) {
  const child_result r = run_tool(
      {"map", "-j", "1", "--halt", "now,success=1", "sh", "-c", "exit $0", ":::", "1", "0", "1"});
  EXPECT_EXIT_CODE(r, 0);
}

// The job log.

TEST(MapLog, HasALinePerJobAndResumes) {
  const scratch_directory d;
  const std::string log = d.path() + "/log";
  const child_result first =
      run_tool({"map", "--joblog", log, "sh", "-c", "exit $0", ":::", "0", "1", "0"});
  EXPECT_EXIT_CODE(first, 1);
  const std::vector<std::string> lines = lines_of(read_file(log));
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand");

  const child_result rest =
      run_tool({"map", "-k", "--joblog", log, "--resume", "echo", ":::", "0", "1", "0", "new"});
  EXPECT_EXIT_CODE(rest, 0);
  EXPECT_EQ(rest.out, "new\n");
}

TEST(MapLog, ResumeFailedRunsWhatFailedAgain) {
  const scratch_directory d;
  const std::string log = d.path() + "/log";
  run_tool({"map", "--joblog", log, "sh", "-c", "exit $0", ":::", "0", "1", "0"});
  const child_result again =
      run_tool({"map", "--joblog", log, "--resume-failed", "echo", ":::", "0", "1", "0"});
  EXPECT_EXIT_CODE(again, 0);
  EXPECT_EQ(again.out, "1\n");
  const child_result nothing =
      run_tool({"map", "--joblog", log, "--resume-failed", "echo", ":::", "0", "1", "0"});
  EXPECT_EQ(nothing.out, "");
}

TEST(MapLog, ARunThatWasKilledContinuesWhereItStopped) {
  const scratch_directory d;
  const std::string log = d.path() + "/log";
  d.write("items", run_shell("seq 1000").out);
  child c(RUNNEL_TOOL,
          {"map", "-j", "2", "-a", d.path() + "/items", "--joblog", log, "-s", "sleep 0.01; : {}"});
  ASSERT_TRUE(eventually([&] { return lines_of(read_file(log)).size() > 20; }));
  c.send_signal(SIGKILL);
  c.finish(60s);
  ASSERT_TRUE(eventually([&] { return !runs(log); }));
  const std::size_t logged = lines_of(read_file(log)).size() - 1;
  ASSERT_LT(logged, 1000U);

  const child_result r = run_tool({"map", "-j", "2", "-a", d.path() + "/items", "--joblog", log,
                                   "--resume", "sh", "-c", "echo $0 >> \"" + d.path() + "/ran\""});
  EXPECT_EXIT_CODE(r, 0);
  const std::vector<std::string> ran = lines_of(read_file(d.path() + "/ran"));
  EXPECT_EQ(ran.size(), 1000 - logged);
}

// The end of the tool is the end of its jobs.

class MapEnd : public testing::Test {
 protected:
  // A tool with a job, with a child of it in the background, and one that left its session.
  child start() {
    return child(
        RUNNEL_TOOL,
        {"map", "-s", "--line-buffer",
         "sleep " + time + " & setsid sleep " + time + " & echo ready {}; exec sleep " + time,
         ":::", "1", "2"},
        {"RUNNEL_MAXPROCS=2"});
  }
  std::string time = unusual_sleep();
};

TEST_F(MapEnd, SigtermEndsAllJobs) {
  child c = start();
  ASSERT_TRUE(c.wait_for_output("ready 2"));
  c.send_signal(SIGTERM);
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 128 + SIGTERM);
  EXPECT_FALSE(runs(time));
}

TEST_F(MapEnd, SigintIsStatus130) {
  child c = start();
  ASSERT_TRUE(c.wait_for_output("ready 2"));
  c.send_signal(SIGINT);
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 130);
  EXPECT_FALSE(runs(time));
}

TEST_F(MapEnd, SigkillLeavesNothingBehind) {
  child c = start();
  ASSERT_TRUE(c.wait_for_output("ready 2"));
  ASSERT_TRUE(runs(time));
  c.send_signal(SIGKILL);
  const child_result r = c.finish();
  EXPECT_DIED_BY(r, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !runs(time); }));
}

TEST_F(MapEnd, ANormalEndTakesWhatJobsLeftBehindAlong) {
  const child_result r = run_tool({"map", "-s", "setsid sleep " + time + " & echo {}", ":::", "1"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_FALSE(runs(time));
}

TEST(MapSignals, TheSecondSigintKills) {
  const std::string time = unusual_sleep();
  child c(RUNNEL_TOOL,
          {"map", "--line-buffer", "--grace", "1000s", "sh", "-c",
           "trap 'echo told' INT TERM; echo ready; while :; do sleep 0.05; done; : " + time,
           ":::", "1"});
  ASSERT_TRUE(c.wait_for_output("ready"));
  c.send_signal(SIGINT);
  ASSERT_TRUE(c.wait_for_output("told"));
  c.send_signal(SIGINT);
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 130);
  EXPECT_FALSE(runs(time));
}

TEST(MapSignals, NothingNewStartsAfterSigint) {
  const scratch_directory d;
  child c(
      "/bin/sh",
      {"-c", "exec \"$1\" map -j 1 sh -c 'echo $0; touch \"$0\"; sleep 1000' ::: \"$2/a\" \"$2/b\"",
       "sh", RUNNEL_TOOL, d.path()});
  ASSERT_TRUE(eventually([&] { return fs::exists(d.path() + "/a"); }));
  c.send_signal(SIGINT);
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 130);
  EXPECT_FALSE(fs::exists(d.path() + "/b"));
}

TEST(MapFailures, CancelledJobsAreNotCountedAsFailed) {
  const child_result r = run_tool({"map", "-j", "3", "--halt", "now,fail=1", "sh", "-c",
                                   "[ $0 = 1 ] && exit 1; exec sleep 1000", ":::", "2", "3", "1"});
  EXPECT_EXIT_CODE(r, 1);
}

TEST(MapFailures, FewDescriptorsMeanFewerJobsAtATime) {
  const child_result r = run_shell("ulimit -n 60; seq 60 | \"$1\" map -j 50 sleep 0.01{}");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_ERR_HAS(r, "allows 3 jobs at a time");
}

TEST(MapFailures, WhereNoMoreProcessesAreAllowedJobsWaitForOthersToEnd) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become a user who has no processes yet";
  const scratch_directory d;
  fs::copy_file(RUNNEL_TOOL, d.path() + "/tool");
  fs::permissions(d.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  if (run_shell("setpriv --reuid 54321 --clear-groups \"$2/tool\" --version", d.path()).code != 0)
    GTEST_SKIP() << "another user cannot run the tool here";
  const child_result r = run_shell(
      "seq 40 | prlimit --nproc=20 setpriv --reuid 54321 --clear-groups \"$2/tool\" "
      "map -j 30 sleep 0.0{}",
      d.path());
  EXPECT_EXIT_CODE(r, 0);  // threads count, too, and the runtime may say that it has too few
}

// What has ended and waits to be written has descriptors, too: those of temporary files.
TEST(MapFailures, DescriptorsLastWhereNobodyTakesTheOutput) {
  const child_result r = run_shell(
      "ulimit -n 128; seq 40 | \"$1\" map -j 12 -s 'head -c 300000 /dev/zero | tee /dev/stderr; : "
      "{}' 2>&1 | "
      "{ sleep 1; wc -c; }");
  EXPECT_EQ(r.out, "24000000\n");
}

// A limit of file sizes stands for a full disk.
TEST(MapFailures, AJobWhoseOutputIsLostIsEndedAndTheRunStopped) {
  for (const char* command : {"yes", "trap '' PIPE; head -c 2000000 /dev/zero; exec sleep 1000"}) {
    const scratch_directory d;
    const child_result r = run_shell(
        std::string("ulimit -f 1000; \"$1\" map -s \"") + command + "; : {}\" ::: 1", d.path());
    EXPECT_EXIT_CODE(r, 255);
    EXPECT_ERR_HAS(r, "File too large; the run is stopped");
  }
}

TEST(MapFailures, JobsHaveTheLimitOfDescriptorsThatTheToolWasStartedWith) {
  const child_result r =
      run_shell("ulimit -Sn 64; \"$1\" map -j 40 -s 'sleep 0.1; ulimit -Sn; : {}' ::: 1");
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "64\n");
}

TEST(MapFailures, ClosedStandardStreamsAreNoFilesOfTheTool) {
  EXPECT_EQ(run_shell("\"$1\" map -k echo ::: a b <&-").out, "a\nb\n");
  EXPECT_EQ(run_shell("\"$1\" map -k echo ::: a b 2>&-").out, "a\nb\n");
  const scratch_directory d;
  EXPECT_EXIT_CODE(run_shell("\"$1\" map touch ::: \"$2/a\" >&-", d.path()), 0);
  EXPECT_TRUE(fs::exists(d.path() + "/a"));
}

TEST(MapFailures, WhatAClosedStandardStreamTakesOrGivesIsAnError) {
  const child_result written = run_shell("\"$1\" map echo ::: a >&-");
  EXPECT_EXIT_CODE(written, 255);
  EXPECT_ERR_HAS(written, "standard output: Bad file descriptor");
  const child_result read = run_shell("\"$1\" map echo <&-");
  EXPECT_EXIT_CODE(read, 255);
  EXPECT_ERR_HAS(read, "standard input: Bad file descriptor");
}

TEST(MapFailures, JobsThatWriteByThemselvesStopWhenNobodyReads) {
  const child_result r =
      run_shell("(yes | \"$1\" map --ungroup echo; echo status $? >&2) | head -n 1");
  EXPECT_EQ(r.out, "y\n");
  EXPECT_ERR_HAS(r, "standard output: Broken pipe");
  EXPECT_ERR_HAS(r, "status 255");
}

TEST(MapFailures, AScriptThatDoesNotSayWhatItIsForIsOneForTheShell) {
  const scratch_directory d;
  d.write("script", "echo \"$# $1\"\n");
  fs::permissions(d.path() + "/script", fs::perms::owner_all);
  const child_result r = run_tool({"map", d.path() + "/script", ":::", "a b"});
  EXPECT_EXIT_CODE(r, 0);
  EXPECT_EQ(r.out, "1 a b\n");
}

TEST(MapFailures, DryRunIntoAFullDiskIsAnError) {
  const child_result r = run_shell("seq 30000 | \"$1\" map --dry-run echo > /dev/full");
  EXPECT_EXIT_CODE(r, 255);
  EXPECT_ERR_HAS(r, "No space left on device");
}

TEST(MapFailures, QuietDoesNotHideWhyTheRunFailed) {
  const child_result r = run_shell("\"$1\" map --quiet echo < /");
  EXPECT_EXIT_CODE(r, 255);
  EXPECT_ERR_HAS(r, "runnel map: ");
}

TEST(MapLog, WhatIsDoneBeforeDoesNotCountAmongAllJobs) {
  const scratch_directory d;
  const std::string log = d.path() + "/log";
  run_tool({"map", "--joblog", log, "true", ":::", "1", "2"});
  const std::vector<std::string> all = {"true", ":::", "1", "2", "3", "4", "5", "6", "7"};
  std::vector<std::string> halted = {"map",      "-j1",    "--joblog",     log,
                                     "--resume", "--halt", "soon,done=40%"};
  halted.insert(halted.end(), all.begin(), all.end());
  EXPECT_ERR_HAS(run_tool(halted), "2 of 5 jobs ended (--halt soon,done=40%)");

  run_tool({"map", "--joblog", log, "true", ":::", "1", "2"});
  std::vector<std::string> shown = {"map", "--joblog", log, "--resume", "--progress"};
  shown.insert(shown.end(), all.begin(), all.end());
  EXPECT_ERR_HAS(run_tool(shown), "100%  5/5");
}

TEST(MapLog, AJobWhoseOutputWasLostIsNotInTheLog) {
  const scratch_directory d;
  const child_result full =
      run_shell("\"$1\" map -j1 --joblog \"$2/log\" echo ::: 1 2 3 > /dev/full", d.path());
  EXPECT_EXIT_CODE(full, 255);
  const child_result rest = run_tool(
      {"map", "-k", "--joblog", d.path() + "/log", "--resume", "echo", ":::", "1", "2", "3"});
  EXPECT_EXIT_CODE(rest, 0);
  EXPECT_EQ(rest.out, "1\n2\n3\n");
}

TEST(MapSignals, TheSecondSigintEndsARunWhoseOutputNobodyTakes) {
  const scratch_directory d;
  child c(RUNNEL_TOOL,
          {"map", "-j2", "-s", "seq 300000; touch " + d.path() + "/{}", ":::", "a", "b", "c"});
  ASSERT_TRUE(eventually([&] { return fs::exists(d.path() + "/a"); }));
  // Nothing of its output has been read so far. Two that are sent at once may count as one.
  EXPECT_TRUE(eventually([&] {
    c.send_signal(SIGINT);
    return !runs(d.path());
  }));
  const child_result r = c.finish();
  EXPECT_EXIT_CODE(r, 130);
}

// Usage.

TEST(MapUsage, BadUsageSaysWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } cases[] = {
      {{"map"}, "no command"},
      {{"map", "--job", "2", "true"}, "did you mean '--jobs'"},
      {{"map", "-j", "0", "true"}, "--jobs"},
      {{"map", "-j", "many", "true"}, "many"},
      {{"map", "--timeout", "soon", "true"}, "--timeout"},
      {{"map", "--halt", "later", "true"}, "later"},
      {{"map", "--resume", "true"}, "--joblog"},
      {{"map", "--ungroup", "-k", "true"}, "--keep-order"},
      {{"map", "--block", "1k", "true"}, "--pipe"},
      {{"map", "--jobs"}, "--jobs"},
      {{"map", "--min-jobs", "2", "true"}, "--jobs auto"},
      {{"map", "echo", ":::+", "a"}, ":::+"},
      {{"map", "--joblog", "", "true"}, "the value is empty"},
      {{"map", "--timeline", "/nonexistent/t.html", "true"}, "/nonexistent/t.html"},
      {{"map", "--timeline", "/tmp", "true"}, "Is a directory"},
      {{"map", "--timeline", "t/", "true"}, "Is a directory"},
  };
  for (const auto& c : cases) {
    const child_result r = run_tool(c.arguments);
    EXPECT_EXIT_CODE(r, 255);
    EXPECT_ERR_HAS(r, c.message);
    EXPECT_ERR_HAS(r, "Try 'runnel map --help'");
  }
}

TEST(MapUsage, HelpNamesTheOptions) {
  const child_result r = run_tool({"map", "--help"});
  EXPECT_EXIT_CODE(r, 0);
  for (const char* option : {"--jobs", "--keep-order", "--timeout", "--retries", "--rate", "--halt",
                             "--joblog", "--resume-failed", "--json", "--timeline", "--pipe"})
    EXPECT_TRUE(contains(r.out, option)) << option << " in\n" << r.out;
}

}  // namespace
