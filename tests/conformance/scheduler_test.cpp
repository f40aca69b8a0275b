// Progress, fairness, processors (behaviours SC).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;

void a_polling_goroutine_meets_a_send(bool locked) {
  const chan<int> ch;
  const chan<void> polling(1);
  wait_group poller;
  poller.go([&] {
    if (locked) runnel::lock_os_thread();
    polling.send();
    while (runnel::select(runnel::on_recv(ch), runnel::otherwise()) == 1) runnel::yield();
    if (locked) runnel::unlock_os_thread();
  });
  polling.recv();
  ch.send(1);
  poller.wait();
}
MATRIX_TEST(Scheduler, PollingWithYieldLetsASenderThrough_SC01) {
  a_polling_goroutine_meets_a_send(false);
}
MATRIX_TEST(Scheduler, PollingOnALockedThreadLetsASenderThrough_SC01) {
  a_polling_goroutine_meets_a_send(true);
}

/// `n` goroutines take turns by spinning on an atomic, without any call into the library.
void spin_in_lock_step(int n, const std::function<void(std::function<void()>)>& start) {
  std::atomic<int> turn{0};
  wait_group all;
  all.add(n);
  for (int i = 0; i < n; ++i)
    start([&, i] {
      for (int round = 0; round < 3; ++round) {
        while (turn.load() != round * n + i) {
        }
        turn.fetch_add(1);
      }
      all.done();
    });
  all.wait();
  EXPECT_EQ(turn, 3 * n);
}

TEST(Scheduler, AllProcessorsRunTruly_SC03) {
  runnel::run({.max_procs = 4}, [] {
    for (int attempt = 0; attempt < 10; ++attempt)
      spin_in_lock_step(4, [](std::function<void()> f) { runnel::go(f); });
  });
}

TEST(Scheduler, IdleWorkersAreWokenForEachRunnableGoroutine_SC04) {
  runnel::run({.max_procs = 4}, [] {
    for (int attempt = 0; attempt < 5; ++attempt) {
      wait_group burst;
      for (int i = 0; i < 100; ++i) burst.go([] { runnel::yield(); });
      burst.wait();
      spin_in_lock_step(4, [](std::function<void()> f) {
        runnel::go([f] { runnel::go([f] { runnel::go(f); }); });
      });
    }
  });
}

// Beyond Go's cooperative points: nobody holds up others, whatever it does.
MATRIX_TEST(Scheduler, SpinnersHandTheTurnToAndFro_SC06) {
  std::atomic<int> turn{0};
  wait_group both;
  for (int me = 0; me < 2; ++me)
    both.go([&, me] {
      for (int i = 0; i < 5; ++i) {
        while (turn.load() % 2 != me) {
        }
        ++turn;
      }
    });
  both.wait();
  EXPECT_EQ(turn, 10);
}

MATRIX_TEST(Scheduler, AnEndlessComputationHoldsUpNobody_SC07) {
  std::atomic<bool> stop{false};
  std::atomic<int> spinning{0};
  wait_group spinners;
  for (int i = 0; i < 3; ++i)
    spinners.go([&] {
      ++spinning;
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
  ASSERT_TRUE(eventually([&] { return spinning == 3; }));
  const chan<int> ch;
  for (int i = 0; i < 10; ++i) {
    runnel::go([ch, i] { ch.send(i); });
    EXPECT_EQ(ch.recv(), i);
  }
  stop = true;
  spinners.wait();
}

TEST(Scheduler, APairThatHandsOnOftenGetsItsShare_SC08) {
  runnel::run({.max_procs = 1}, [] {
    std::atomic<bool> stop{false};
    const auto pair = [&](long steps, std::atomic<long>& work, wait_group& all) {
      const std::array<chan<void>, 2> ball{chan<void>(1), chan<void>(1)};
      ball[0].send();
      for (std::size_t side = 0; side < 2; ++side)
        all.go([&stop, &work, steps, in = ball[side], out = ball[1 - side]] {
          while (!stop && in.recv()) {
            for (long i = 0; i < steps; ++i) asm volatile("");  // work that no compiler takes away
            work += steps;
            out.send();
          }
          out.close();
        });
    };
    std::atomic<long> heavy{0};
    std::atomic<long> light{0};
    double ratio = 0;
    for (int attempt = 0; attempt < 3 && (ratio < 1 / 20.0 || ratio > 20); ++attempt) {
      wait_group all;
      heavy = light = 0;
      stop = false;
      // Under a sanitizer handing on takes so long that a light side has to work longer to count.
      pair(slowdown == 1 ? 1'000'000 : 5'000'000, heavy, all);
      pair(slowdown == 1 ? 1'000 : 100'000, light, all);
      runnel::sleep_for(100ms);
      stop = true;
      all.wait();
      ratio = static_cast<double>(heavy.load()) / static_cast<double>(std::max(1L, light.load()));
    }
    EXPECT_GT(ratio, 1 / 20.0);
    EXPECT_LT(ratio, 20);
  });
}

MATRIX_TEST(Scheduler, SystemCallsInALoopDoNotStarveTimers_SC09) {
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(null, 0);
  std::atomic<bool> stop{false};
  wait_group writers;
  for (int i = 0; i < 2; ++i)
    writers.go([&] {
      while (!stop) ASSERT_EQ(::write(null, "x", 1), 1);
    });
  const stopwatch watch;
  runnel::sleep_for(10ms);
  EXPECT_LT(watch.elapsed(), 2s * patience);
  stop = true;
  writers.wait();
  ::close(null);
}

TEST(Scheduler, AllocatingLoopsAllMakeProgress_SC10) {
  runnel::run({.max_procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::array<std::atomic<int>, 3> progress{};
    wait_group all;
    for (auto& p : progress)
      all.go([&] {
        while (!stop) {
          std::vector<int> garbage(100);
          garbage[0] = ++p;
        }
      });
    EXPECT_TRUE(eventually([&] {
      return std::all_of(progress.begin(), progress.end(), [](auto& p) { return p > 0; });
    }));
    stop = true;
    all.wait();
  });
}

TEST(Scheduler, LoopsOverShortSystemCallsStartAndStop_SC11) {
  for (const int us : {10, 100, 1000})
    runnel::run({.max_procs = 2}, [us] {
      const stopwatch watch;
      std::atomic<bool> stop{false};
      std::atomic<int> started{0};
      wait_group all;
      for (int i = 0; i < 8; ++i)
        all.go([&, us] {
          ++started;
          while (!stop) ::usleep(static_cast<useconds_t>(us));
        });
      EXPECT_TRUE(eventually([&] { return started == 8; }));
      stop = true;
      all.wait();
      EXPECT_LT(watch.elapsed(), 5s * patience);
    });
}

MATRIX_TEST(Scheduler, AGoroutineBlockedInTheKernelHoldsUpNobody) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  std::atomic<int> reading{0};
  wait_group readers;
  for (int i = 0; i < 4; ++i)
    readers.go([&] {
      char c = 0;
      ++reading;
      ASSERT_EQ(::read(ends[0], &c, 1), 1);
    });
  ASSERT_TRUE(eventually([&] { return reading == 4; }));
  const chan<int> ch;
  runnel::go([ch] { ch.send(1); });
  EXPECT_EQ(ch.recv(), 1);
  ASSERT_EQ(::write(ends[1], "abcd", 4), 4);
  readers.wait();
  for (const int fd : ends) ::close(fd);
}

// Those that yield are stolen first, and whoever has them never runs out of work.
MATRIX_TEST(Scheduler, WhatWaitsForABlockedProcessorIsRunByBusyOnes) {
  std::atomic<bool> stop{false};
  std::atomic<int> ran{0};
  wait_group all;
  all.go([&] {
    for (int i = 0; i < 8; ++i)
      all.go([&] {
        while (!stop) runnel::yield();
      });
    for (int i = 0; i < 50; ++i) all.go([&] { ++ran; });
    runnel::blocking([&] { stop.wait(false); });
  });
  EXPECT_TRUE(eventually([&] { return ran == 50; }, 5s * patience)) << ran;
  stop = true;
  stop.notify_all();
  all.wait();
}

// -- processors ------------------------------------------------------------------------------------------------------

MATRIX_TEST(Scheduler, TheProcessorCountChangesUnderLoad_SC12) {
  const int before = runnel::max_procs();
  std::atomic<bool> stop{false};
  std::atomic<long> generations{0};
  wait_group alive;
  std::function<void()> respawn = [&] {
    ++generations;
    if (!stop) alive.go(respawn);
  };
  for (int i = 0; i < 4; ++i) alive.go(respawn);
  for (int i = 0; i < scaled(1000); ++i) {
    const int n = 1 + i % 5;
    runnel::set_max_procs(n);
    ASSERT_EQ(runnel::max_procs(), n);
    if (i % 10 == 0) runnel::yield();
  }
  EXPECT_TRUE(eventually([&] { return generations > 4; }));  // however busy the machine is
  stop = true;
  alive.wait();
  runnel::set_max_procs(before);
}

// Slices so long that between two looks at the global queue the oldest of those started here has always waited long.
MATRIX_TEST(Scheduler, ChainsOfComputingGoroutinesDoNotKeepOthersFromRunning) {
  std::atomic<bool> stop{false};
  wait_group alive;
  std::function<void()> respawn = [&] {
    const auto end = std::chrono::steady_clock::now() + 200us;
    while (std::chrono::steady_clock::now() < end) {
    }
    if (!stop) alive.go(respawn);
  };
  for (int i = 0; i < procs(); ++i) alive.go(respawn);
  const stopwatch watch;
  for (int i = 0; i < 10; ++i) runnel::yield();
  EXPECT_LT(watch.elapsed(), 2s * patience);
  stop = true;
  alive.wait();
}

MATRIX_TEST(Scheduler, SetMaxProcsReturnsTheFormerValue_SC13) {
  const int n = runnel::max_procs();
  EXPECT_EQ(n, procs());
  EXPECT_EQ(runnel::set_max_procs(n + 1), n);
  EXPECT_EQ(runnel::max_procs(), n + 1);
  EXPECT_EQ(runnel::set_max_procs(0), n + 1);
  EXPECT_EQ(runnel::set_max_procs(-3), n + 1);
  EXPECT_EQ(runnel::max_procs(), n + 1);
  EXPECT_EQ(runnel::set_max_procs(n), n + 1);
}

TEST(Scheduler, ManyProcessors_SC14) {
  const int n = runnel::run({.max_procs = 1024}, [] {
    wait_group all;
    std::atomic<int> ran{0};
    for (int i = 0; i < scaled(2000); ++i) all.go([&] { ++ran; });
    all.wait();
    EXPECT_EQ(ran, scaled(2000));
    return runnel::max_procs();
  });
  EXPECT_EQ(n, 1024);
}

// -- counts ----------------------------------------------------------------------------------------------------------

TEST(Scheduler, TheRuntimesOwnGoroutinesAreNotCounted_SC19) {
  runnel::run([] {
    EXPECT_TRUE(eventually([] { return runnel::num_goroutines() == 1; }));
    EXPECT_EQ(runnel::goroutines().size(), 1U);
  });
}

MATRIX_TEST(Scheduler, TheCountAgreesWithTheList_SC19) {
  const std::size_t before = runnel::num_goroutines();
  const chan<void> gate;
  for (int i = 0; i < 50; ++i) runnel::go([gate] { gate.recv(); });
  EXPECT_EQ(runnel::num_goroutines(), before + 50);
  EXPECT_TRUE(eventually([&] { return runnel::goroutines().size() == runnel::num_goroutines(); }));
  gate.close();
  EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() == before; }));  // SC-20
}

// -- many goroutines -------------------------------------------------------------------------------------------------

MATRIX_TEST(Scheduler, ManyGoroutinesAllRun_SC23) {
  for (const int producers : {1, 4}) {
    const int each = scaled(20'000) / producers;
    std::atomic<int> ran{0};
    wait_group all;
    wait_group starting;
    for (int p = 0; p < producers; ++p)
      starting.go([&] {
        for (int i = 0; i < each; ++i) all.go([&] { ++ran; });
      });
    starting.wait();
    all.wait();
    EXPECT_EQ(ran, each * producers);
  }
}

MATRIX_TEST(Scheduler, AllThatOneCloseWakesRun) {
  const int n = scaled(20'000);
  const chan<void> gate;
  std::atomic<int> woken{0};
  for (int i = 0; i < n; ++i)
    runnel::go([gate, &woken] {
      gate.recv();
      ++woken;
    });
  gate.close();
  EXPECT_TRUE(eventually([&] { return woken == n; }));
}

MATRIX_TEST(Scheduler, NobodyWaitsForEverBehindAPairThatWakesEachOther) {
  std::atomic<bool> stop{false};
  const chan<void> there;
  const chan<void> back;
  wait_group pair;
  pair.go([&] {
    while (!stop) {
      there.send();
      back.recv();
    }
    there.close();
  });
  pair.go([&] {
    while (there.recv()) back.send();
  });
  wait_group others;
  for (int i = 0; i < 10; ++i) others.go([] { runnel::yield(); });
  others.wait();
  stop = true;
  pair.wait();
}

MATRIX_TEST(Scheduler, GoroutinesStartedByPlainThreadsRun) {
  std::vector<std::thread> threads;
  std::atomic<int> ran{0};
  wait_group all;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < scaled(500); ++i) all.go([&] { ++ran; });
    });
  runnel::blocking([&] {
    for (auto& t : threads) t.join();
  });
  all.wait();
  EXPECT_EQ(ran, 4 * scaled(500));
}

}  // namespace
