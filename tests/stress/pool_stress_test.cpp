// Worker pools under load: producers of every kind while others resize, read, cancel and close at
// random. Every task runs once or is known to have been refused or dropped, and the statistics add
// up at any instant.
//
// RUNNEL_POOL_STRESS_TASKS: tasks per test (default 200,000; fewer under sanitizers).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../support/matrix.hpp"
#include "../support/pool_support.hpp"
#include "checksum.hpp"

namespace {

using namespace runnel_test;
using runnel::error;
using runnel::overflow;
using runnel::pool_errc;
using runnel::pool_options;
using runnel::worker_pool;

constexpr int producers = 8;

int tasks_in_all() {
  const char* wanted = std::getenv("RUNNEL_POOL_STRESS_TASKS");
  return wanted != nullptr ? std::max(producers, std::atoi(wanted)) : scaled(200'000);
}

/// What became of one task. Destroyed without having run: dropped, or refused.
class job {
 public:
  struct tally {
    std::atomic<std::uint64_t> ran{0};
    std::atomic<std::uint64_t> ran_again{0};
    std::atomic<std::uint64_t> alive{0};
  };

  explicit job(tally& t) : tally_(&t) { ++tally_->alive; }
  job(job&& other) noexcept : tally_(std::exchange(other.tally_, nullptr)), ran_(other.ran_) {}
  job& operator=(job&&) = delete;
  ~job() {
    if (tally_ != nullptr) --tally_->alive;
  }

  void run() {
    ++(ran_ ? tally_->ran_again : tally_->ran);
    ran_ = true;
  }

 private:
  tally* tally_;
  bool ran_ = false;
};

struct counts {
  job::tally jobs;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> failing{0};  // ran and returned an error
};

/// Adds `n` tasks in whichever way comes up, until the pool is closed.
void produce(worker_pool& pool, counts& c, std::uint64_t seed, int n) {
  dice d(seed);
  for (int i = 0; i < n; ++i) {
    const int kind = d.roll(64);
    worker_pool::task task([&c, kind, j = job(c.jobs)]() mutable -> error {
      j.run();
      if (kind == 0) runnel::yield();
      if (kind == 1) runnel::sleep_for(std::chrono::microseconds(20));
      if (kind != 2) return nullptr;
      ++c.failing;
      return "failing";
    });
    error e;
    switch (d.roll(3)) {
      case 0:
        e = pool.add_task(std::move(task));
        break;
      case 1:
        e = pool.try_add_task(std::move(task));
        break;
      default: {
        auto [ctx, cancel] =
            runnel::with_timeout(runnel::background(), std::chrono::microseconds(d.roll(200)));
        e = pool.add_task(ctx, std::move(task));
      }
    }
    ++(e ? c.refused : c.taken);
    if (e == pool_errc::closed) return;
  }
}

constexpr int most_workers = 8;

/// Reads the statistics and changes the size until `stop`.
void meddle(worker_pool& pool, const std::atomic<bool>& stop, std::uint64_t seed, bool resizing) {
  dice d(seed);
  while (!stop) {
    const auto s = pool.stats();
    EXPECT_TRUE(adds_up(s)) << s.added << " added, " << s.done << " done, " << s.failed
                            << " failed, " << s.dropped << " dropped, " << s.queued << " queued, "
                            << s.running << " running";
    const int size = pool.size();
    EXPECT_TRUE(size >= 1 && size <= most_workers) << size;
    if (resizing && d.roll(4) == 0) pool.resize(1 + d.roll(most_workers));
    runnel::sleep_for(std::chrono::microseconds(d.roll(100)));
  }
}

void expect_consistent(const worker_pool& pool, const counts& c) {
  const auto s = pool.stats();
  EXPECT_EQ(s.added, c.taken);
  EXPECT_EQ(s.done + s.failed, c.jobs.ran);
  EXPECT_EQ(s.failed, c.failing);
  EXPECT_EQ(s.queued + s.running, 0u);
  EXPECT_TRUE(adds_up(s));
  EXPECT_EQ(c.jobs.ran_again, 0u);
  EXPECT_EQ(c.jobs.alive, 0u) << "tasks that were neither run nor destroyed";
}

/// Runs producers and meddlers on `pool`, calls `end` at some point, and checks what became of all
/// tasks.
template <class End>
void exercise(pool_options options, int tasks, bool resizing, End end) {
  counts c;
  worker_pool pool(options);
  pool.run();
  std::atomic<bool> stop{false};
  runnel::wait_group adding;
  runnel::wait_group meddling;
  std::atomic<std::uint64_t> received{0};
  meddling.go([&] {
    for (const error& e : pool.results()) received += e.is(pool_errc::dropped) ? 0 : 1;
  });
  for (std::uint64_t i = 0; i < 2; ++i)
    meddling.go([&, i] { meddle(pool, stop, 100 + i, resizing); });
  std::thread outside([&] { produce(pool, c, 50, tasks / producers); });
  for (std::uint64_t i = 1; i < producers; ++i)
    adding.go([&, i] { produce(pool, c, i, tasks / producers); });
  end(pool, c);
  adding.wait();
  runnel::blocking([&] { outside.join(); });
  pool.wait();
  stop = true;
  meddling.wait();
  expect_consistent(pool, c);
  EXPECT_LE(received, c.failing);
}

const auto nothing = [](worker_pool&, counts&) {};

/// Waits until a third of the tasks has run, so that the end comes in the middle.
void until_in_the_middle(const counts& c, int tasks) {
  const auto third = static_cast<std::uint64_t>(tasks) / 12;  // many are refused
  while (c.jobs.ran < third &&
         c.taken + c.refused < static_cast<std::uint64_t>(tasks) - producers) {
    runnel::sleep_for(std::chrono::microseconds(200));
  }
}

MATRIX_TEST(PoolStress, EveryTaskRunsOnceWhileTheSizeChanges) {
  exercise({.size = 4, .queue = 16}, tasks_in_all(), true, nothing);
}

MATRIX_TEST(PoolStress, EveryTaskRunsOnceWithoutAQueue) {
  exercise({.size = 2}, tasks_in_all() / 4, true, nothing);
}

MATRIX_TEST(PoolStress, ACancelInTheMiddleLosesNothingInSilence) {
  const int tasks = tasks_in_all() / 8;
  for (int round = 0; round < 20; ++round) {
    exercise({.size = 4, .queue = 64}, tasks, true, [tasks](worker_pool& pool, counts& c) {
      until_in_the_middle(c, tasks);
      pool.cancel("enough");
    });
  }
}

MATRIX_TEST(PoolStress, ACloseInTheMiddleLosesNothing) {
  const int tasks = tasks_in_all() / 8;
  for (int round = 0; round < 20; ++round) {
    exercise({.size = 3, .queue = 64}, tasks, true, [tasks](worker_pool& pool, counts& c) {
      until_in_the_middle(c, tasks);
      pool.close();
    });
  }
}

MATRIX_TEST(PoolStress, TheParentsEndInTheMiddleLosesNothingInSilence) {
  const int tasks = tasks_in_all() / 8;
  auto [parent, cancel] = runnel::with_cancel(runnel::background());
  exercise({.size = 4, .queue = 64, .parent = parent}, tasks, true,
           [tasks, c = &cancel](worker_pool&, counts& all) {
             until_in_the_middle(all, tasks);
             (*c)();
           });
}

MATRIX_TEST(PoolStress, AllOverflowPoliciesKeepCount) {
  const int tasks = tasks_in_all() / 4;
  for (const auto policy : {overflow::reject, overflow::drop_oldest, overflow::caller_runs}) {
    exercise({.size = 2, .queue = 8, .on_full = policy}, tasks, true, nothing);
  }
}

MATRIX_TEST(PoolStress, APoolThatSizesItselfKeepsCount) {
  for (const bool resizing : {false, true}) {
    exercise({.queue = 32,
              .min_size = 1,
              .max_size = most_workers,
              .idle_timeout = std::chrono::milliseconds(1)},
             tasks_in_all() / 4, resizing, nothing);
  }
}

MATRIX_TEST(PoolStress, ShortLivedPoolsLeaveNothing) {
  const int pools = std::max(20, tasks_in_all() / 200);
  dice d(7);
  for (int i = 0; i < pools; ++i) {
    worker_pool pool(pool_options{.size = 1 + d.roll(4), .queue = d.roll(4)});
    pool.run();
    std::atomic<int> ran{0};
    int taken = 0;
    for (int t = d.roll(6); t > 0; --t) taken += pool.try_add_task([&] { ++ran; }) ? 0 : 1;
    if (d.roll(2) == 0) continue;  // the destructor cancels
    EXPECT_FALSE(pool.wait());
    EXPECT_EQ(ran, taken);
  }
}

}  // namespace
