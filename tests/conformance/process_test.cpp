// Processes: how they end, who waits for them, signals to them. How they start is in process_start_test.cpp, their
// standard streams in process_streams_test.cpp.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/process.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/process.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::command;
using runnel::on_exit;
using runnel::on_recv;
using runnel::on_timeout;
using runnel::process;
using runnel::redirect;
using runnel::spawn;
using runnel::wait_group;

constexpr const char* for_ever = "exec sleep 1000";

/// Waits until it says "started".
void wait_for_start(process& p) {
  std::string said(8, ' ');
  EXPECT_EQ(p.output().read_some(said), said.size());
}

MATRIX_TEST(Process, ExitCodesAreReported) {
  for (const int code : {0, 1, 3, 127, 255}) {
    process p = spawn(shell("exit " + std::to_string(code)));
    EXPECT_GT(p.id(), 0);
    EXPECT_FALSE(p.wait());
    EXPECT_TRUE(p.ended());
    EXPECT_EQ(p.status().code, code);
    EXPECT_EQ(p.status().signal, 0);
    EXPECT_EQ(p.status().success(), code == 0);
    EXPECT_EQ(p.status().message(), "exit status " + std::to_string(code));
  }
}

MATRIX_TEST(Process, TheSignalThatEndedItIsReported) {
  const std::pair<int, const char*> ends[] = {{SIGKILL, "signal: killed"},
                                              {SIGTERM, "signal: terminated"},
                                              {SIGHUP, "signal: hangup"},
                                              {SIGUSR1, "signal: user defined signal 1"}};
  for (const auto& [number, message] : ends) {
    process p = spawn(shell("kill -" + std::to_string(number) + " $$; exit 1"));
    EXPECT_FALSE(p.wait());
    EXPECT_EQ(p.status().signal, number);
    EXPECT_EQ(p.status().code, 0);
    EXPECT_FALSE(p.status().success());
    EXPECT_EQ(p.status().message(), message);
  }
}

MATRIX_TEST(Process, ACoreDumpIsReported) {
  process p = spawn(shell("ulimit -c 0; kill -ABRT $$"));
  EXPECT_FALSE(p.wait());
  EXPECT_EQ(p.status().signal, SIGABRT);
  EXPECT_FALSE(p.status().core_dumped);
  EXPECT_EQ(p.status().message(), "signal: aborted");
  runnel::exit_status dumped = p.status();
  dumped.core_dumped = true;
  EXPECT_EQ(dumped.message(), "signal: aborted (core dumped)");
}

MATRIX_TEST(Process, ItsUseOfTimeAndMemoryIsReported) {
#ifdef RUNNEL_TEST_EMULATOR
  GTEST_SKIP() << "the emulator does not pass on what a process used";
#endif
  process p = spawn(shell("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"));
  EXPECT_FALSE(p.wait());
  EXPECT_GT(p.status().user_time + p.status().system_time, 1ms);
  EXPECT_LT(p.status().user_time + p.status().system_time, 100s);
  EXPECT_GT(p.status().max_rss_bytes, 100'000);
  // Not less than ours when it was started.
  rusage ours{};
  ::getrusage(RUSAGE_SELF, &ours);
  EXPECT_LT(p.status().max_rss_bytes, 1'000'000'000 + ours.ru_maxrss * 1024);
}

MATRIX_TEST(Process, OnceEndedItStaysSo) {
  process p = spawn(shell("exit 4"));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(p.wait());
  EXPECT_FALSE(p.wait(runnel::clock::now() - 1h));
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  cancel();
  EXPECT_FALSE(p.wait(ctx));
  EXPECT_EQ(runnel::select_ordered(on_exit(p), runnel::otherwise()), 0U);
  EXPECT_EQ(p.status().code, 4);
}

MATRIX_TEST(Process, NoProcess) {
  process none;
  EXPECT_EQ(none.id(), 0);
  EXPECT_FALSE(none.ended());
  EXPECT_TRUE(none.wait().is(std::errc::no_child_process));
  EXPECT_TRUE(none.wait(runnel::background()).is(std::errc::no_child_process));
  EXPECT_TRUE(none.wait(runnel::clock::now() + 1h).is(std::errc::no_child_process));
  EXPECT_TRUE(none.kill().is(std::errc::no_such_process));
  EXPECT_TRUE(none.kill_group().is(std::errc::no_such_process));
  EXPECT_FALSE(none.input().is_open() || none.output().is_open() || none.errors().is_open());
  EXPECT_EQ(runnel::select(on_exit(none), on_timeout(1ms)), 1U);
  none.detach();
}

// -- waiting ---------------------------------------------------------------------------------------------------------

MATRIX_TEST(Process, AWaitEndsWithItsContext) {
  process p = spawn(shell(for_ever));
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  wait_group all;
  all.go([&, &ctx = ctx] {
    const runnel::error e = p.wait(ctx);
    EXPECT_TRUE(e == ctx.err()) << e;
  });
  EXPECT_TRUE(until_blocked("select"));
  cancel();
  all.wait();
  EXPECT_FALSE(p.ended());
  EXPECT_TRUE(p.wait(ctx).is(runnel::context_errc::canceled)) << "done from the start";
  EXPECT_FALSE(p.kill(0)) << "it goes on";
}

MATRIX_TEST(Process, AWaitEndsAtItsDeadline) {
  process p = spawn(shell(for_ever));
  const stopwatch watch;
  EXPECT_TRUE(p.wait(runnel::clock::now() + 20ms).is(std::errc::timed_out));
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_TRUE(p.wait(std::chrono::steady_clock::now() - 1s).is(std::errc::timed_out));
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 5ms);
  EXPECT_TRUE(p.wait(ctx).is(runnel::context_errc::deadline_exceeded));
  EXPECT_FALSE(p.ended());
  EXPECT_FALSE(p.kill());
  EXPECT_FALSE(p.wait(runnel::clock::now() + 1h));
  EXPECT_EQ(p.status().signal, SIGKILL);
}

MATRIX_TEST(Process, AWaitBlocksTheGoroutineAlone) {
  command c = shell("read line; exit 5");
  c.input = redirect::pipe();
  process p = spawn(c);
  wait_group all;
  all.go([&] { EXPECT_FALSE(p.wait()); });
  EXPECT_TRUE(until_blocked("IO wait"));
  p.input().write_all("go on\n");
  all.wait();
  EXPECT_EQ(p.status().code, 5);
}

MATRIX_TEST(Process, AnExitIsACaseOfASelect) {
  command c = shell("read line; exit 6");
  c.input = redirect::pipe();
  process p = spawn(c);
  runnel::chan<int> values;
  int seen = -1;
  const auto next = [&](std::chrono::nanoseconds limit) {
    return runnel::select(on_exit(p, [&] { seen = p.status().code; }), on_recv(values),
                          on_timeout(limit));
  };
  EXPECT_EQ(next(1ms), 2U);
  wait_group all;
  all.go([&] { values.send(1); });
  EXPECT_EQ(next(1h), 1U);
  EXPECT_EQ(seen, -1);
  all.go([&] {
    EXPECT_TRUE(until_blocked("select"));
    p.input().write_all("\n");
  });
  EXPECT_EQ(next(1h), 0U);
  all.wait();
  EXPECT_EQ(seen, 6);
  EXPECT_TRUE(p.ended());
}

MATRIX_TEST(Process, ExitsOfSeveralInOneSelect) {
  std::vector<process> all;
  for (int i = 0; i < 8; ++i) all.push_back(spawn(shell(i == 5 ? "exit 9" : for_ever)));
  int first = -1;
  std::vector<runnel::select_case> cases;
  for (auto& p : all) cases.emplace_back(on_exit(p, [&] { first = p.status().code; }));
  EXPECT_EQ(runnel::select(cases), 5U);
  EXPECT_EQ(first, 9);
}

/// From now on epoll refuses what this thread wants to watch.
bool refuse_to_watch() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(steps), steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// On a thread that ends afterwards, for the refusal is for good.
MATRIX_TEST_THREAD(Process, AnExitThatCannotBeWatchedDoesNotBlock) {
  process p = spawn(shell(for_ever));
  std::thread([&] {
    if (!refuse_to_watch()) GTEST_SKIP() << "the system does not refuse on demand";
    bool handled = false;
    try {
      runnel::select(on_exit(p, [&] { handled = true; }), on_timeout(1h));
      ADD_FAILURE() << "nothing thrown";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::no_space_on_device);
    }
    EXPECT_FALSE(handled);
    EXPECT_FALSE(p.ended());
    EXPECT_TRUE(p.wait().is(std::errc::no_space_on_device));
    EXPECT_FALSE(p.ended());
    EXPECT_FALSE(p.kill());
  }).join();
  EXPECT_FALSE(p.kill());
  EXPECT_FALSE(p.wait());
  EXPECT_EQ(p.status().signal, SIGKILL);
}

MATRIX_TEST(Process, AStoppedProcessHasNotEnded) {
  process p = spawn(shell(for_ever));
  EXPECT_FALSE(p.kill(SIGSTOP));
  EXPECT_TRUE(p.wait(runnel::clock::now() + 20ms).is(std::errc::timed_out));
  EXPECT_FALSE(p.kill(SIGCONT));
  EXPECT_TRUE(p.wait(runnel::clock::now() + 5ms).is(std::errc::timed_out));
}

// -- signals ---------------------------------------------------------------------------------------------------------

MATRIX_TEST(Process, KillingEndsTheWaitOfAnother) {
  process p = spawn(shell(for_ever));
  wait_group all;
  all.go([&] { EXPECT_FALSE(p.wait()); });
  EXPECT_TRUE(until_blocked("IO wait"));
  EXPECT_FALSE(p.kill(SIGTERM));
  all.wait();
  EXPECT_EQ(p.status().signal, SIGTERM);
  EXPECT_TRUE(p.kill().is(std::errc::no_such_process)) << "it has ended";
  EXPECT_TRUE(p.kill(0).is(std::errc::no_such_process));
}

MATRIX_TEST(Process, WhatIsNoSignalIsRefused) {
  command c = piped_shell("echo started; exec sleep 1000");
  c.new_group = true;
  process p = spawn(c);
  wait_for_start(p);
  EXPECT_TRUE(p.kill(1000).is(std::errc::invalid_argument));
  EXPECT_TRUE(p.kill_group(-1).is(std::errc::invalid_argument));
  EXPECT_FALSE(p.kill(0));
}

MATRIX_TEST(Process, AGroupIsKilledWithItsChildren) {
  command c = piped_shell("sleep 1000 & sleep 1000 & echo started; wait");
  c.new_group = true;
  process p = spawn(c);
  wait_for_start(p);
  EXPECT_FALSE(p.kill_group(SIGTERM));
  EXPECT_EQ(p.output().read_all(), "") << "the end, when all who hold the pipe are gone";
  EXPECT_FALSE(p.wait());
  EXPECT_EQ(p.status().signal, SIGTERM);
}

MATRIX_TEST(Process, AGroupThatOutlivesItsLeaderIsKilled) {
  command c = piped_shell("sleep 1000 & exit 3");
  c.new_group = true;
  process p = spawn(c);
  EXPECT_FALSE(p.wait());
  EXPECT_EQ(p.status().code, 3);
  EXPECT_TRUE(p.kill().is(std::errc::no_such_process));
  EXPECT_FALSE(p.kill_group());
  EXPECT_EQ(p.output().read_all(), "");
  const int pid = p.id();
  p = process();
  EXPECT_TRUE(is_gone(pid)) << "nothing is left in the process table";
}

MATRIX_TEST(Process, WithoutAGroupThereIsNoneToKill) {
  process p = spawn(shell(for_ever));
  EXPECT_TRUE(p.kill_group().is(std::errc::invalid_argument));
}

// -- many ------------------------------------------------------------------------------------------------------------

MATRIX_TEST(Process, ManyAtOnceFromManyGoroutines) {
  constexpr int goroutines = 50;
  const int each = slowdown > 1 ? 1 : 4;
  std::atomic<int> right{0};
  wait_group all;
  for (int g = 0; g < goroutines; ++g)
    all.go([&, g] {
      std::vector<process> mine;
      for (int i = 0; i < each; ++i) mine.push_back(spawn(shell("exit " + std::to_string(g + i))));
      for (int i = 0; i < each; ++i) {
        process& p = mine[static_cast<std::size_t>(i)];
        if (!p.wait() && p.status().code == g + i) ++right;
      }
    });
  all.wait();
  EXPECT_EQ(right, goroutines * each);
}

MATRIX_TEST_THREAD(Process, PlainThreadsWaitToo) {
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      process p = spawn(shell("exit " + std::to_string(t)));
      if (!p.wait() && p.status().code == t) ++right;
      process other = spawn(shell(for_ever));
      if (other.wait(runnel::clock::now() + 1ms).is(std::errc::timed_out)) ++right;
      if (runnel::select(on_exit(other), on_timeout(1ms)) == 1) ++right;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(right, 24);
}

// -- the object ------------------------------------------------------------------------------------------------------

static_assert(!std::is_copy_constructible_v<process> && !std::is_copy_assignable_v<process>);
static_assert(std::is_nothrow_move_constructible_v<process> &&
              std::is_nothrow_move_assignable_v<process>);

MATRIX_TEST(Process, TheDestructorKillsAndReaps) {
  int pid = 0;
  {
    process p = spawn(shell(for_ever));
    pid = p.id();
    EXPECT_FALSE(is_gone(pid));
  }
  EXPECT_TRUE(is_gone(pid));
}

MATRIX_TEST(Process, TheDestructorKillsTheWholeGroup) {
  runnel::pipe_end output;
  {
    command c = piped_shell("sleep 1000 & echo started; wait");
    c.new_group = true;
    process p = spawn(c);
    wait_for_start(p);
    output = std::move(p.output());
  }
  EXPECT_EQ(output.read_all(), "");
}

MATRIX_TEST(Process, MovingTakesEverythingAlong) {
  command c = piped_shell("cat; exit 3");
  c.input = redirect::pipe();
  process first = spawn(c);
  const int pid = first.id();
  process second = std::move(first);
  EXPECT_EQ(first.id(), 0);  // NOLINT: what is left of it is part of the promise
  EXPECT_FALSE(first.input().is_open());
  EXPECT_EQ(second.id(), pid);
  second.input().write_all("text");
  second.input().close();
  EXPECT_EQ(second.output().read_all(), "text");
  EXPECT_FALSE(second.wait());
  process third;
  third = std::move(second);
  EXPECT_TRUE(third.ended());
  EXPECT_EQ(third.status().code, 3);
  third = spawn(shell(for_ever));
  const int replaced = third.id();
  third = spawn(shell("exit 1"));
  EXPECT_TRUE(is_gone(replaced)) << "what an assignment replaces ends as by the destructor";
}

MATRIX_TEST(Process, ADetachedProcessGoesOn) {
  pipe_ends to;
  const pipe_ends from;
  command c = shell("read line; echo $line");
  ::fcntl(to.read_end(), F_SETFL, 0);
  c.input = redirect::to(to.read_end());
  c.output = redirect::to(from.write_end());
  process p = spawn(c);
  const int pid = p.id();
  p.detach();
  EXPECT_EQ(p.id(), 0);
  to.put('x');
  to.close_write();
  EXPECT_FALSE(runnel::wait_readable(from.read_end()));
  EXPECT_EQ(from.take(), 'x');
  EXPECT_EQ(runnel::blocking([&] { return ::waitpid(pid, nullptr, 0); }), pid);
}

// The kernel keeps no status then: there is an answer, and nobody hangs.
MATRIX_TEST(Process, WhereSigchldIsIgnoredNoStatusIsKnown) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  process p = spawn(shell("exit 0"));
  EXPECT_TRUE(p.wait().is(std::errc::no_child_process));
  EXPECT_TRUE(p.ended());
  EXPECT_EQ(p.status().code, -1);
  EXPECT_FALSE(p.status().success());
  EXPECT_TRUE(p.kill().is(std::errc::no_such_process));
  command c = shell("exit 0");
  c.new_group = true;
  process q = spawn(c);
  EXPECT_EQ(runnel::select(on_exit(q), on_timeout(1h)), 0U);
  EXPECT_TRUE(q.ended());
  EXPECT_TRUE(q.kill_group().is(std::errc::no_such_process));
  { const process killed = spawn(shell(for_ever)); }
  std::signal(SIGCHLD, before);
}

// Some are gone before spawn() can get hold of them.
MATRIX_TEST(Process, ManyShortOnesWhereNoStatusIsKept) {
#ifdef RUNNEL_TEST_EMULATOR
  GTEST_SKIP() << "the emulator does not pass SA_NOCLDWAIT on";
#endif
  struct sigaction none_kept {};
  struct sigaction before {};
  none_kept.sa_handler = SIG_DFL;
  none_kept.sa_flags = SA_NOCLDWAIT;
  ASSERT_EQ(::sigaction(SIGCHLD, &none_kept, &before), 0);
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([] {
      for (int i = 0; i < scaled(20); ++i) {
        process p = spawn({.arguments = {"/bin/true"}});
        EXPECT_GT(p.id(), 0);
        EXPECT_TRUE(p.wait().is(std::errc::no_child_process));
        EXPECT_TRUE(p.kill().is(std::errc::no_such_process));
      }
    });
  all.wait();
  ::sigaction(SIGCHLD, &before, nullptr);
}

}  // namespace
