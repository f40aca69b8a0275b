// Goroutines by the thousand: trees, bursts, from plain threads, while processors come and go.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "checksum.hpp"
#include "crowd.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;

void leaf_sum(const chan<long>& out, long first, long n) {
  if (n == 1) {
    out.send(first);
    return;
  }
  const chan<long> parts;
  for (long i = 0; i < 10; ++i) runnel::go([=] { leaf_sum(parts, first + i * (n / 10), n / 10); });
  long sum = 0;
  for (int i = 0; i < 10; ++i) sum += parts.recv().value();
  out.send(sum);
}

MATRIX_TEST(SpawnStress, ATreeOfChannels) {
  const long n = slowdown == 1 ? 100'000 : 1000;
  const chan<long> out;
  runnel::go([=] { leaf_sum(out, 0, n); });
  EXPECT_EQ(out.recv(), n * (n - 1) / 2);
}

MATRIX_TEST(SpawnStress, BurstsFromManySides) {
  checksum started;
  checksum ran;
  std::vector<std::thread> threads;
  wait_group all;
  const auto burst = [&](std::uint64_t id) {
    dice d(id + 1);
    for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(scaled(2000)); ++i) {
      const std::uint64_t v = id << 32 | i;
      started.add(v);
      const int what = d.roll(4);
      all.go([&, v, what] {
        if (what == 0) runnel::yield();
        if (what == 1) runnel::sleep_for(std::chrono::microseconds(v % 100));
        if (what == 2) all.go([] { runnel::yield(); });
        ran.add(v);
      });
    }
  };
  for (std::uint64_t t = 0; t < 3; ++t) threads.emplace_back([&, t] { burst(t); });
  for (std::uint64_t g = 3; g < 6; ++g) all.go([&, g] { burst(g); });
  for (int i = 0; i < scaled(100); ++i) {
    runnel::set_max_procs(1 + i % 6);
    runnel::yield();
  }
  runnel::blocking([&] {
    for (auto& t : threads) t.join();
  });
  all.wait();
  EXPECT_EQ(started, ran);
  runnel::set_max_procs(procs());
}

MATRIX_TEST(SpawnStress, ManyParkedAtOnce) {
  const int n = scaled(30'000);
  crowd all(n, 10s);
  EXPECT_GE(runnel::num_goroutines(), static_cast<std::size_t>(n));
  all.wake(10s);
}

// Threads that end right after waking a goroutine, and goroutines that end right after waking a thread.
MATRIX_TEST(SpawnStress, ThreadsThatLeaveAtOnce) {
  for (int i = 0; i < scaled(300); ++i) {
    const chan<int> to_goroutine;
    const chan<int> to_thread;
    runnel::go([=] {
      const auto v = to_goroutine.recv();
      to_thread.send(*v + 1);
    });
    int got = 0;
    std::thread t([&] {
      to_goroutine.send(i);
      got = to_thread.recv().value();
    });
    runnel::blocking([&] { t.join(); });
    ASSERT_EQ(got, i + 1);
  }
}

MATRIX_TEST(SpawnStress, ThreadsThatWakeAndEnd) {
  for (int i = 0; i < scaled(300); ++i) {
    const chan<int> ch(i % 2);
    std::thread([ch, i] { ch.send(i); }).detach();
    ASSERT_EQ(ch.recv(), i);
  }
}

TEST(SpawnStress, RunsComeAndGo) {
  std::vector<std::thread> threads;
  std::atomic<long> sum{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < scaled(300); ++i)
        sum += runnel::run({.max_procs = 1 + (t + i) % 4}, [&] {
          const chan<long> ch(1);
          runnel::go([ch, i] { ch.send(i); });
          return ch.recv().value();
        });
    });
  for (auto& t : threads) t.join();
  const long n = scaled(300);
  EXPECT_EQ(sum, 4 * n * (n - 1) / 2);
}

// A tree of goroutines grows in depth, with few that have been started and not ended, also while processors come and go. In
// breadth it would need a stack for each leaf.
struct tree {
  std::size_t stack_size;
  std::atomic<int> alive{0};
  std::atomic<int> most{0};

  void start(const chan<int>& up, int size) {
    const int now = ++alive;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    runnel::go({.stack_size = stack_size}, [this, &up, size] { grow(up, size); });
  }
  void grow(const chan<int>& up, int size) {
    int sum = 1;
    if (size > 1) {
      const chan<int> down;
      for (int i = 0; i < 10; ++i) start(down, size / 10);
      sum = 0;
      for (int i = 0; i < 10; ++i) sum += *down.recv();
    }
    --alive;
    up.send(sum);
  }
};

// Each size of stack is new to the process: it is while stacks are touched for the first time that processors come and go.
// A wide one now and then is no fault.
MATRIX_TEST(SpawnStress, TreesStayNarrow) {
  const int leaves = slowdown == 1 ? 100'000 : 1000;
  int trees = 0;
  int wide = 0;
  for (std::size_t stack = std::size_t{32} << 10; stack <= std::size_t{64} << 20; stack *= 2) {
    tree t{stack};
    const chan<int> sum;
    t.start(sum, leaves);
    EXPECT_EQ(sum.recv(), leaves);
    ++trees;
    if (t.most > 5'000) ++wide;
  }
  EXPECT_LE(wide, 1) << "of " << trees;
}

}  // namespace
