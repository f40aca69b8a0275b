// What is promised about size and about waiting: a million goroutines, many woken at once, an idle runtime, a processor
// that is taken away. RUNNEL_SCALE_GOROUTINES: how many (default 100,000; a million with ./dev test --full).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/proc_status.hpp"
#include "../support/stopwatch.hpp"
#include "crowd.hpp"

namespace {

using namespace runnel_test;
using namespace std::chrono_literals;
using runnel::chan;

long goroutines_wanted() {
  const char* wanted = std::getenv("RUNNEL_SCALE_GOROUTINES");
  return wanted != nullptr ? std::atol(wanted) : scaled(100'000);
}

// What the process holds, page tables included, in bytes.
long memory_held() {
  return (number_after("/proc/self/status", "VmRSS:") +
          number_after("/proc/self/status", "VmPTE:")) *
         1024;
}

// Many that are started before the first of them runs, and then end at once, need few stacks.
TEST(Scale, ManyStartedAtOnceTakeLittleMemory) {
  const long n = goroutines_wanted();
  runnel::run({.max_procs = 1}, [n] {
    const long before = memory_held();
    runnel::wait_group all;
    std::atomic<long> sum{0};
    for (long i = 0; i < n; ++i) all.go([&sum, i] { sum += i; });
    all.wait();
    const long taken = memory_held() - before;
    EXPECT_EQ(sum, n * (n - 1) / 2);
    if (slowdown == 1) {
      EXPECT_LT(taken, n * 512 + (4 << 20));
    }
  });
}

// Parks n goroutines on one channel, closes it, and waits for all to end; how much memory they took.
long park_and_wake(long n, std::chrono::nanoseconds& woken_within) {
  const long before = memory_held();
  crowd all(n, 120s);
  const long taken = memory_held() - before;
  const stopwatch closing;
  all.wake(60s);
  woken_within = closing.elapsed();
  EXPECT_TRUE(eventually([&] { return runnel::num_goroutines() <= 1; }, 60s));
  return taken;
}

TEST(Scale, ManyParkedGoroutinesTwiceWithoutGrowth) {
  const long n = goroutines_wanted();
  runnel::run([&] {
    std::chrono::nanoseconds woken_within{};
    const long first = park_and_wake(n, woken_within);
    const long second = park_and_wake(n, woken_within);
    if (slowdown > 1) return;  // sanitizers keep memory of their own for each goroutine
    EXPECT_LT(first, 5000 * n + (64 << 20)) << "bytes for " << n << " goroutines";
    EXPECT_LT(second, first / 4 + (64 << 20));
    RecordProperty("bytes_each", std::to_string(first / n));
  });
}

TEST(Scale, OneCloseWakesAHundredThousand) {
  runnel::run([&] {
    std::chrono::nanoseconds woken_within{};
    const long n = scaled(100'000);
    park_and_wake(n, woken_within);
    EXPECT_LT(woken_within, 2s * patience);
    RecordProperty("milliseconds", std::to_string(woken_within / 1ms));
  });
}

TEST(Scale, AnIdleRuntimeSleeps) {
  std::atomic<int> ran{0};
  runnel::run({.max_procs = 4}, [&] {
    runnel::wait_group all;
    for (int i = 0; i < 1000; ++i)
      all.go([&] {
        runnel::sleep_for(1ms);
        ++ran;
      });
    all.wait();
  });
  EXPECT_EQ(ran, 1000);
  const chan<void> never;
  runnel::go([never] { never.recv(); });
  std::this_thread::sleep_for(1500ms);  // stacks are given back meanwhile
  // The runtime's threads: ThreadSanitizer has one that wakes ten times a second.
  const long before = voluntary_switches("runnel-");
  constexpr int seconds = 4;
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  EXPECT_GT(before, 0);
  EXPECT_LE(voluntary_switches("runnel-") - before, 2 * seconds + 2);
  never.send();
}

struct delays {
  std::chrono::nanoseconds start{};            // until all others have run
  std::vector<std::chrono::nanoseconds> naps;  // of 5 ms
};

// One processor; one goroutine computes without end, fifty sit in read(2) on empty pipes, all started together.
delays beside_a_computation_and_blocked_readers() {
  delays seen;
  std::array<pipe_ends, 50> pipes;
  for (const pipe_ends& p : pipes) p.let_reads_block();
  std::atomic<bool> stop{false};
  runnel::run({.max_procs = 1}, [&] {
    runnel::wait_group all;
    const stopwatch start;
    all.go([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    for (const pipe_ends& p : pipes) all.go([&p] { EXPECT_EQ(p.take(), 'x'); });
    std::atomic<int> others{0};
    for (int i = 0; i < 100; ++i) all.go([&] { ++others; });
    EXPECT_TRUE(eventually([&] { return others == 100; }));
    seen.start = start.elapsed();
    for (int i = 0; i < 21; ++i) {
      const stopwatch nap;
      runnel::sleep_for(5ms);
      seen.naps.push_back(nap.elapsed());
    }
    stop = true;
    for (const pipe_ends& p : pipes) p.put('x');
    all.wait();
  });
  return seen;
}

// The least of three starts and the median of the naps: other programs on the machine delay single ones.
TEST(Scale, OneProcessorIsNotTakenAway) {
  auto least = std::chrono::nanoseconds::max();
  std::vector<std::chrono::nanoseconds> naps;
  for (int round = 0; round < 3; ++round) {
    const delays seen = beside_a_computation_and_blocked_readers();
    least = std::min(least, seen.start);
    naps.insert(naps.end(), seen.naps.begin(), seen.naps.end());
  }
  EXPECT_LT(least, 200ms * patience);
  const auto middle = naps.begin() + static_cast<std::ptrdiff_t>(naps.size() / 2);
  std::nth_element(naps.begin(), middle, naps.end());
  EXPECT_LT(*middle, 25ms * patience);
}

}  // namespace
