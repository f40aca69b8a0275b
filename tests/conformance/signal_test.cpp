// Signals in channels: who gets them, what is dropped, and that all is as before once nobody wants them any more.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/process.hpp>
#include <runnel/select.hpp>
#include <runnel/signal.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/process.hpp"

namespace {

using namespace runnel_test;
using runnel::notify;
using runnel::on_recv;
using runnel::on_timeout;
using runnel::signal_subscription;
using runnel::wait_group;

// To any thread: a test that goes on to end its subscription waits until the signal has come, or raises it.
void send_to_process(int number) { ASSERT_EQ(::kill(::getpid(), number), 0); }

using handler = void (*)(int);

handler current_handler(int number) {
  struct sigaction now {};
  EXPECT_EQ(::sigaction(number, nullptr, &now), 0);
  return now.sa_handler;
}

std::atomic<int> handled{0};
void count_it(int) { handled.fetch_add(1); }

/// The disposition of a signal until the end of the object.
class disposition {
 public:
  disposition(int number, handler h) : number_(number), before_(std::signal(number, h)) {}
  disposition(const disposition&) = delete;
  disposition& operator=(const disposition&) = delete;
  ~disposition() { std::signal(number_, before_); }

 private:
  int number_;
  handler before_;
};

MATRIX_TEST(Signal, ComesOutOfTheChannel) {
  const signal_subscription s = notify({SIGUSR1, SIGHUP});
  for (const int number : {SIGUSR1, SIGHUP, SIGUSR1}) {
    send_to_process(number);
    EXPECT_EQ(s.chan().recv(), number);
  }
  EXPECT_TRUE(s.chan() == s.chan());
}

MATRIX_TEST(Signal, WakesAReceiver) {
  const signal_subscription s = notify({SIGUSR1});
  wait_group all;
  all.go([&] { EXPECT_EQ(s.chan().recv(), SIGUSR1); });
  EXPECT_TRUE(until_blocked("chan receive"));
  send_to_process(SIGUSR1);
  all.wait();
}

MATRIX_TEST(Signal, IsACaseOfASelect) {
  const signal_subscription s = notify({SIGTERM});
  std::optional<int> got;
  EXPECT_EQ(runnel::select(on_recv(s.chan(), got), on_timeout(1ms)), 1U);
  send_to_process(SIGTERM);
  EXPECT_EQ(runnel::select(on_recv(s.chan(), got), on_timeout(1h)), 0U);
  EXPECT_EQ(got, SIGTERM);
}

MATRIX_TEST(Signal, EverySubscriptionGetsIt) {
  const signal_subscription one = notify({SIGUSR1});
  const signal_subscription two = notify({SIGUSR1, SIGUSR2});
  send_to_process(SIGUSR1);
  EXPECT_EQ(one.chan().recv(), SIGUSR1);
  EXPECT_EQ(two.chan().recv(), SIGUSR1);
  send_to_process(SIGUSR2);
  EXPECT_EQ(two.chan().recv(), SIGUSR2);
  EXPECT_EQ(one.chan().len(), 0U) << "one has not asked for it";
}

MATRIX_TEST(Signal, FromAnyThread) {
  const signal_subscription s = notify({SIGUSR1});
  std::thread([] { ::raise(SIGUSR1); }).join();
  EXPECT_EQ(s.chan().recv(), SIGUSR1);
  std::atomic<bool> done{false};
  std::thread sleeper([&] {
    while (!done) runnel::yield();
  });
  ::pthread_kill(sleeper.native_handle(), SIGUSR1);
  EXPECT_EQ(s.chan().recv(), SIGUSR1);
  done = true;
  sleeper.join();
}

MATRIX_TEST_THREAD(Signal, ToAPlainThread) {
  const signal_subscription s = notify({SIGUSR1});
  send_to_process(SIGUSR1);
  EXPECT_EQ(s.chan().recv(), SIGUSR1);
}

MATRIX_TEST(Signal, ARealTimeSignal) {
  const signal_subscription s = notify({SIGRTMIN, SIGRTMIN + 1});
  send_to_process(SIGRTMIN + 1);
  EXPECT_EQ(s.chan().recv(), SIGRTMIN + 1);
  send_to_process(SIGRTMIN);
  EXPECT_EQ(s.chan().recv(), SIGRTMIN);
}

MATRIX_TEST(Signal, ErrnoIsLeftAlone) {
  const signal_subscription s = notify({SIGUSR1});
  for (int i = 0; i < 100; ++i) {
    errno = EXDEV;
    ::raise(SIGUSR1);
    ASSERT_EQ(errno, EXDEV);
  }
}

// The second subscription says when each has been delivered.
MATRIX_TEST(Signal, AFullChannelDropsWhatComes) {
  const signal_subscription full = notify({SIGUSR1});
  const signal_subscription other = notify({SIGUSR1});
  EXPECT_EQ(full.chan().cap(), 16U);
  for (int i = 0; i < 20; ++i) {
    send_to_process(SIGUSR1);
    EXPECT_EQ(other.chan().recv(), SIGUSR1);
  }
  EXPECT_EQ(full.chan().len(), 16U);
  EXPECT_EQ(full.chan().recv(), SIGUSR1);
  send_to_process(SIGUSR1);
  EXPECT_EQ(other.chan().recv(), SIGUSR1);
  EXPECT_EQ(full.chan().len(), 16U);
}

// -- masks -----------------------------------------------------------------------------------------------------------

bool is_blocked(int number) {
  sigset_t now;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
  return sigismember(&now, number) == 1;
}

// Is its own child, whose main thread has them blocked before the runtime begins.
MATRIX_TEST(Signal, WhatEveryThreadBlocksIsDelivered) {
#ifdef RUNNEL_TEST_EMULATOR
  GTEST_SKIP() << "the emulator keeps blocked signals for itself";
#endif
  if (!is_blocked(SIGUSR1)) {
    const auto& self = *::testing::UnitTest::GetInstance()->current_test_info();
    const std::string name = std::string(self.test_suite_name()) + "." + self.name();
    runnel::command c{
        .arguments = {"env", "-u", "GTEST_TOTAL_SHARDS", "-u", "GTEST_SHARD_INDEX",
                      "--block-signal=USR1", "--block-signal=USR2",
                      "/proc/" + std::to_string(::getpid()) + "/exe", "--gtest_filter=" + name},
        .output = runnel::redirect::pipe()};
    runnel::process p = runnel::spawn(c);
    const std::string said = p.output().read_all();
    EXPECT_FALSE(p.wait());
    EXPECT_TRUE(p.status().success() && said.find("PASSED  ] 1 test") != std::string::npos) << said;
    return;
  }
  for (int i = 0; i < 3; ++i) {
    send_to_process(SIGUSR1);  // waits for a subscription
    const signal_subscription s = notify({SIGUSR1, SIGUSR2});
    EXPECT_EQ(s.chan().recv(), SIGUSR1);
    for (const int number : {SIGUSR2, SIGUSR1}) {
      send_to_process(number);
      EXPECT_EQ(s.chan().recv(), number);
    }
  }
}

// -- dispositions ----------------------------------------------------------------------------------------------------

MATRIX_TEST(Signal, TheLastSubscriptionRestoresTheDisposition) {
  const disposition own(SIGUSR1, count_it);
  handled = 0;
  {
    std::optional<signal_subscription> first(notify({SIGUSR1}));
    const signal_subscription second = notify({SIGUSR1});
    EXPECT_NE(current_handler(SIGUSR1), count_it);
    first.reset();
    send_to_process(SIGUSR1);
    EXPECT_EQ(second.chan().recv(), SIGUSR1);
    EXPECT_EQ(handled, 0);
  }
  EXPECT_EQ(current_handler(SIGUSR1), count_it);
  ::raise(SIGUSR1);
  EXPECT_EQ(handled, 1);
}

MATRIX_TEST(Signal, TheDefaultDispositionComesBack) {
  EXPECT_EQ(current_handler(SIGUSR2), SIG_DFL);
  { const signal_subscription s = notify({SIGUSR2}); }
  EXPECT_EQ(current_handler(SIGUSR2), SIG_DFL);
}

MATRIX_TEST(Signal, AnIgnoredSignalIsDelivered) {
  const disposition ignored(SIGHUP, SIG_IGN);
  {
    const signal_subscription s = notify({SIGHUP});
    send_to_process(SIGHUP);
    EXPECT_EQ(s.chan().recv(), SIGHUP);
  }
  EXPECT_EQ(current_handler(SIGHUP), SIG_IGN);
  ::raise(SIGHUP);
}

MATRIX_TEST(Signal, WhatCannotBeSubscribedToIsRefused) {
  const handler before = current_handler(SIGUSR1);
  for (const int number :
       {0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, 32}) {
    try {
      (void)notify({SIGUSR1, number});
      ADD_FAILURE() << number << " was taken";
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::invalid_argument) << number;
    }
  }
  EXPECT_EQ(current_handler(SIGUSR1), before);
}

// -- the object ------------------------------------------------------------------------------------------------------

static_assert(!std::is_copy_constructible_v<signal_subscription>);
static_assert(std::is_nothrow_move_constructible_v<signal_subscription>);

MATRIX_TEST(Signal, WhatCameBeforeTheEndIsInTheChannel) {
  for (int i = 0; i < scaled(50); ++i) {
    runnel::recv_chan<int> kept(nullptr);
    {
      const auto s = notify({SIGUSR1});
      kept = s.chan();
      ::raise(SIGUSR1);
    }
    EXPECT_EQ(kept.recv(), SIGUSR1);
    EXPECT_EQ(kept.recv(), std::nullopt);
  }
}

MATRIX_TEST(Signal, TheEndClosesTheChannel) {
  std::optional<signal_subscription> s(notify({SIGUSR1}));
  const runnel::recv_chan<int> c = s->chan();
  ::raise(SIGUSR1);
  EXPECT_TRUE(eventually([&] { return c.len() == 1; }));
  wait_group all;
  int received = 0;
  all.go([&] {
    for (const int number : c) received += number == SIGUSR1;
  });
  EXPECT_TRUE(until_blocked("chan receive"));
  s.reset();
  all.wait();
  EXPECT_EQ(received, 1);
}

MATRIX_TEST(Signal, ASubscriptionMoves) {
  signal_subscription none;
  EXPECT_FALSE(none.chan());
  signal_subscription first = notify({SIGUSR1});
  const auto c = first.chan();
  signal_subscription second = std::move(first);
  EXPECT_FALSE(first.chan());  // NOLINT: what is left of it is part of the promise
  EXPECT_TRUE(second.chan() == c);
  send_to_process(SIGUSR1);
  EXPECT_EQ(c.recv(), SIGUSR1);
  second = notify({SIGUSR2});
  EXPECT_EQ(c.recv(), std::nullopt) << "what an assignment replaces ends";
  EXPECT_EQ(current_handler(SIGUSR1), SIG_DFL);
}

MATRIX_TEST(Signal, NothingComesForNoSignals) {
  const signal_subscription s = notify({});
  const signal_subscription twice = notify({SIGUSR1, SIGUSR1});
  send_to_process(SIGUSR1);
  EXPECT_EQ(twice.chan().recv(), SIGUSR1);
  EXPECT_EQ(s.chan().len(), 0U);
}

MATRIX_TEST(Signal, TheGoroutineBehindItEndsWithTheLast) {
  const std::size_t before = runnel::num_goroutines();
  {
    const signal_subscription one = notify({SIGUSR1});
    const signal_subscription two = notify({SIGUSR2});
    EXPECT_EQ(runnel::num_goroutines(), before + 1);
  }
  EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() == before; }));
}

// What came for those who have gone is not for those who come.
MATRIX_TEST(Signal, ANewSubscriptionGetsNothingOld) {
  for (int i = 0; i < 50; ++i) {
    std::optional<signal_subscription> s(notify({SIGUSR1}));
    ::raise(SIGUSR1);  // handled when it returns, unlike one that any thread may get
    if (i % 2 == 0) (void)s->chan().recv();
    s.reset();
  }
  const signal_subscription late = notify({SIGUSR1, SIGUSR2});
  send_to_process(SIGUSR2);
  EXPECT_EQ(late.chan().recv(), SIGUSR2);
}

MATRIX_TEST(Signal, SubscriptionsComeAndGoInARainOfSignals) {
  // Also between subscriptions.
  const disposition harmless(SIGUSR1, SIG_IGN);
  const disposition harmless_too(SIGUSR2, SIG_IGN);
  std::atomic<bool> stop{false};
  std::thread rain([&] {
    while (!stop) {
      ::raise(SIGUSR1);
      ::raise(SIGUSR2);
      ::usleep(50);
    }
  });
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([g] {
      for (int i = 0; i < scaled(100); ++i) {
        const int wanted = (g + i) % 2 == 0 ? SIGUSR1 : SIGUSR2;
        const signal_subscription s = notify({wanted});
        EXPECT_EQ(s.chan().recv(), wanted);
      }
    });
  all.wait();
  stop = true;
  runnel::blocking([&] { rain.join(); });
}

MATRIX_TEST(Signal, ChildrenAreWaitedForBesideTheirSignal) {
  const signal_subscription s = notify({SIGCHLD});
  runnel::process p = runnel::spawn(shell("exit 7"));
  EXPECT_EQ(s.chan().recv(), SIGCHLD);
  EXPECT_FALSE(p.wait());
  EXPECT_EQ(p.status().code, 7);
}

MATRIX_TEST(Signal, ABrokenPipeIsNoSignalForSubscribers) {
  const signal_subscription s = notify({SIGPIPE, SIGUSR1});
  runnel::command c{.arguments = {"true"}, .input = runnel::redirect::pipe()};
  runnel::process p = runnel::spawn(c);
  EXPECT_FALSE(p.wait());
  std::error_code failure;
  p.input().write_all("text", failure);
  EXPECT_EQ(failure, std::errc::broken_pipe);
  send_to_process(SIGUSR1);
  EXPECT_EQ(s.chan().recv(), SIGUSR1);
}

}  // namespace
