// Timers in great numbers, shared between goroutines, and dropped.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::ticker;
using runnel::timer;
using time_point = runnel::clock::time_point;

MATRIX_TEST(TimerMany, DroppedOnesLeaveNothingBehind_TM26) {
  const auto make_some = [](int n) {
    for (int i = 0; i < n; ++i) {
      timer t(1h);
      ticker k(1h);
      const auto a = runnel::after(1h);
      const auto c = runnel::tick(1h);
      if (i % 2 == 0) t.stop();
      EXPECT_TRUE(runnel::select(runnel::on_recv(a), runnel::on_recv(t.chan()), runnel::on_recv(c),
                                 runnel::otherwise()) == 3);
      EXPECT_TRUE(k.chan().recv_for(0s).timed_out());
    }
  };
  make_some(100);
  [[maybe_unused]] const std::size_t before = ::mallinfo2().uordblks;
  make_some(scaled(100'000));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(::mallinfo2().uordblks, before + 1'000'000);
#endif
}

MATRIX_TEST(TimerMany, ManyGoroutinesResetAndStopOne_TM27) {
  timer t(1ms);
  runnel::wait_group all;
  for (int g = 0; g < 8; ++g) {
    all.go([&] {
      for (int i = 0; i < scaled(1000); ++i) t.reset(i % 2 == 0 ? 1ns : 1us);
    });
    all.go([&] {
      for (int i = 0; i < scaled(1000); ++i) t.stop();
    });
    all.go([&, c = t.chan()] {
      for (int i = 0; i < scaled(1000); ++i) (void)c.recv_for(1us);
    });
  }
  all.wait();
  t.stop();
  EXPECT_TRUE(t.chan().try_recv().empty());
  t.reset(1ms);
  EXPECT_TRUE(t.chan().recv_for(10s));
  EXPECT_TRUE(t.chan().try_recv().empty());
}

// Exactly one receive per pending period, whoever stops, resets or waits meanwhile.
MATRIX_TEST(TimerMany, EachPendingPeriodIsReceivedOrStoppedOnce_TM17) {
  timer t(1h);
  std::atomic<int> received{0};
  std::atomic<bool> finished{false};
  runnel::wait_group receivers;
  for (int g = 0; g < 3; ++g)
    receivers.go([&, c = t.chan()] {
      while (!finished)
        if (c.recv_for(500us)) ++received;
    });
  int kept = 1;  // the first period ends with the first reset
  const int rounds = scaled(2000);
  int stopped = t.stop() ? 1 : 0;
  for (int i = 0; i < rounds; ++i) {
    EXPECT_FALSE(t.reset(i % 3 == 0 ? 0us : 20us));
    ++kept;
    if (i % 2 == 0) runnel::yield();
    if (i % 5 == 0) runnel::sleep_for(30us);
    if (t.stop()) ++stopped;
  }
  finished = true;
  receivers.wait();
  EXPECT_EQ(received + stopped, kept);
}

MATRIX_TEST(TimerMany, DrivenRandomlyNoneIsLost_TM16) {
  std::minstd_rand random(static_cast<unsigned>(procs()));
  std::vector<timer> timers;
  std::vector<bool> pending(100, true);
  for (int i = 0; i < 100; ++i) timers.emplace_back(1h);
  for (int step = 0; step < scaled(4000); ++step) {
    const std::size_t i = random() % timers.size();
    timer& t = timers[i];
    switch (random() % 4) {
      case 0:
        EXPECT_EQ(t.reset(std::chrono::minutes(1 + random() % 3)), pending[i]);
        pending[i] = true;
        break;
      case 1:
        EXPECT_EQ(t.stop(), pending[i]);
        pending[i] = false;
        break;
      case 2:
        EXPECT_EQ(t.reset(0s), pending[i]);
        EXPECT_TRUE(t.chan().recv_for(10s));
        pending[i] = false;
        break;
      default:
        EXPECT_TRUE(t.chan().recv_for(1us).timed_out());
    }
  }
}

MATRIX_TEST(TimerMany, AFastTickerFeedsManyWithGuards_TM29) {
  ticker t(1us);
  runnel::wait_group all;
  for (int g = 0; g < procs(); ++g)
    all.go([&, c = t.chan()] {
      for (int i = 0; i < scaled(5000); ++i)
        runnel::select(runnel::on_recv(c), runnel::on_recv(runnel::after(1ms)));
    });
  all.wait();
  timer shared(1h);
  for (int g = 0; g < procs(); ++g)
    all.go([&] {
      for (int i = 0; i < scaled(5000); ++i) shared.reset(1ns);
    });
  all.wait();
  EXPECT_TRUE(shared.chan().recv_for(10s));
}

MATRIX_TEST(TimerMany, FarGuardsAroundEachReceiveStayCheap_TM33) {
  const int messages = scaled(1'000'000);
  runnel::wait_group sleepers;
  for (int i = 0; i < scaled(5000); ++i)
    sleepers.go([] {
      for (int k = 0; k < 10; ++k) runnel::sleep_for(1ms);
    });
  runnel::chan<int> queue(64);
  runnel::go([=] {
    for (int i = 0; i < messages; ++i) queue.send(i);
    queue.close();
  });
  const stopwatch watch;
  int got = 0;
  bool open = true;
  while (open)
    runnel::select(
        runnel::on_recv(queue, [&](std::optional<int> v) { v ? void(++got) : void(open = false); }),
        runnel::on_recv(runnel::after(5s), [&] { open = false; }));
  EXPECT_EQ(got, messages);
  EXPECT_LT(watch.elapsed(), 60s * patience);
  sleepers.wait();
}

MATRIX_TEST(TimerMany, AZeroResetReachesOneWhoKeepsReceiving_TM36) {
  timer t(1h);
  runnel::chan<void> got;
  runnel::go([=, c = t.chan()] {
    for (int i = 0; i < 100; ++i) {
      c.recv();
      got.send();
    }
  });
  for (int i = 0; i < 100; ++i) {
    t.reset(0s);
    ASSERT_TRUE(got.recv_for(10s));
  }
}

// Memory of timers is kept by the processor that they end on: no two may get the same, and none may be kept for ever.
MATRIX_TEST(TimerMany, OnesMadeHereEndThere) {
  constexpr int each = scaled(20'000);
  const runnel::chan<timer> from_goroutines(500);
  const runnel::chan<timer> from_threads(500);
  const auto make = [](const runnel::chan<timer>& to) {
    for (int i = 0; i < each; ++i) to.send(timer(i % 3 == 0 ? 0s : 1h));
  };
  const auto end = [](const runnel::chan<timer>& from) {
    for (int i = 0; i < each; ++i) {
      timer t = *from.recv();
      const auto c = t.chan();
      if (i % 3 == 0) {
        EXPECT_TRUE(c.recv_for(10s));  // its own value, once
      }
      EXPECT_FALSE(c.try_recv());
      EXPECT_EQ(t.stop(), i % 3 != 0);
    }
  };
  [[maybe_unused]] const std::size_t before = ::mallinfo2().uordblks;
  {
    std::vector<std::thread> threads;
    threads.emplace_back([&] { make(from_threads); });
    threads.emplace_back([&] { end(from_goroutines); });
    runnel::wait_group wg;
    wg.go([&] { make(from_goroutines); });
    wg.go([&] { end(from_threads); });
    wg.wait();
    for (std::thread& t : threads) runnel::blocking([&] { t.join(); });
  }
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(::mallinfo2().uordblks, before + 1'000'000);
#endif
}

MATRIX_TEST(TimerMany, OneThatWasMovedFromIsEmpty_TM12) {
  timer t(1h);
  timer other = std::move(t);
  EXPECT_FALSE(t.chan());
  EXPECT_FALSE(t.stop());
  EXPECT_THROW(t.reset(1s), std::logic_error);
  EXPECT_TRUE(other.stop());
  ticker k(1h);
  ticker another = std::move(k);
  EXPECT_FALSE(k.chan());
  k.stop();
  EXPECT_THROW(k.reset(1s), std::logic_error);
}

}  // namespace
