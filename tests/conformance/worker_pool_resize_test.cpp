// worker_pool: the number of workers, by hand and by load.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pool_support.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::overflow;
using runnel::pool_errc;
using runnel::pool_options;
using runnel::worker_pool;

bool reaches(const worker_pool& pool, int workers) {
  return eventually([&] { return pool.stats().workers == workers; });
}

MATRIX_TEST(WorkerPoolResize, MoreWorkersTakeWhatWaits) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 10});
  pool.run();
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 1; }));
  pool.resize(4);
  EXPECT_EQ(pool.size(), 4);
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 4; }));
  hold.open();
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolResize, LetsABlockedAdderIn) {
  gate hold;
  worker_pool pool(1);
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  runnel::wait_group all;
  for (int i = 0; i < 3; ++i) all.go([&] { EXPECT_FALSE(pool.add_task([&] { hold.pass(); })); });
  EXPECT_TRUE(until_blocked("chan send", 3));
  pool.resize(4);
  all.wait();
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 4; }));
  hold.open();
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolResize, SurplusWorkersEnd) {
  worker_pool pool(8);
  pool.resize(6);
  pool.run();
  EXPECT_TRUE(reaches(pool, 6));
  pool.resize(2);
  EXPECT_TRUE(reaches(pool, 2));
  EXPECT_EQ(pool.size(), 2);
  pool.resize(5);
  EXPECT_TRUE(reaches(pool, 5));
  EXPECT_FALSE(pool.wait());
  pool.resize(3);
  EXPECT_EQ(pool.stats().workers, 0) << "it has ended";
}

MATRIX_TEST(WorkerPoolResize, BusyWorkersEndAfterTheirTask) {
  gate hold;
  worker_pool pool(pool_options{.size = 4, .queue = 20});
  pool.run();
  counter_of_running running;
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 4; }));
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(pool.add_task([&] {
      const auto inside = running.enter();
      runnel::yield();
    }));
  }
  pool.resize(1);
  EXPECT_EQ(pool.stats().running, 4u);
  hold.open();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(running.most(), 1);
  EXPECT_EQ(pool.stats().done, 14u);
}

// Each size has a counter of its own, for the tasks that start once the workers are that few.
MATRIX_TEST(WorkerPoolResize, TheLimitHoldsWhileTheSizeChanges) {
  worker_pool pool(pool_options{.size = 4, .queue = 8});
  pool.run();
  const int rounds = scaled(100);
  const auto running = std::make_unique<counter_of_running[]>(static_cast<std::size_t>(rounds) + 1);
  std::atomic<std::size_t> at{0};
  std::atomic<bool> stop{false};
  runnel::wait_group producers;
  for (int g = 0; g < 3; ++g) {
    producers.go([&] {
      while (!stop) {
        EXPECT_FALSE(pool.add_task([&] {
          const auto inside = running[at].enter();
          runnel::yield();
        }));
      }
    });
  }
  for (int round = 0; round < rounds; ++round) {
    const int n = 1 + (round * 7) % 5;
    pool.resize(n);
    EXPECT_TRUE(eventually([&] { return pool.stats().workers <= n; }));
    const auto& current = running[++at];
    const auto done = pool.stats().done;
    EXPECT_TRUE(eventually([&] { return pool.stats().done >= done + 20; }));
    EXPECT_LE(current.most(), n);
  }
  stop = true;
  producers.wait();
  EXPECT_FALSE(pool.wait());
  EXPECT_TRUE(adds_up(pool.stats()));
}

MATRIX_TEST(WorkerPoolResize, WhileClosingIsFine) {
  gate hold;
  worker_pool pool(pool_options{.size = 2, .queue = 50});
  pool.run();
  std::atomic<int> ran{0};
  for (int i = 0; i < 40; ++i) {
    EXPECT_FALSE(pool.add_task([&] {
      hold.pass();
      ++ran;
    }));
  }
  pool.close();
  pool.resize(6);
  pool.resize(1);
  pool.resize(3);
  hold.open();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(ran, 40);
}

MATRIX_TEST(WorkerPoolDynamic, GrowsWhileTasksWaitAndShrinksWhenIdle) {
  gate hold;
  worker_pool pool(pool_options{.queue = 100, .min_size = 1, .max_size = 8, .idle_timeout = 10ms});
  pool.run();
  EXPECT_EQ(pool.stats().workers, 1);
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_TRUE(reaches(pool, 8));
  EXPECT_EQ(pool.size(), 8);
  hold.open();
  EXPECT_TRUE(reaches(pool, 1));
  EXPECT_EQ(pool.size(), 1);
  EXPECT_EQ(pool.stats().done, 50u);
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolDynamic, GrowsForBlockedAddersToo) {
  gate hold;
  worker_pool pool(pool_options{.min_size = 1, .max_size = 4, .idle_timeout = 1h});
  pool.run();
  runnel::wait_group all;
  for (int i = 0; i < 4; ++i) all.go([&] { EXPECT_FALSE(pool.add_task([&] { hold.pass(); })); });
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 4; }));
  all.wait();
  hold.open();
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolDynamic, GrowsWhileItDrains) {
  gate hold;
  worker_pool pool(pool_options{.queue = 100, .min_size = 1, .max_size = 4, .idle_timeout = 1h});
  pool.run();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  pool.close();
  EXPECT_TRUE(reaches(pool, 4));
  EXPECT_EQ(pool.size(), 4);
  hold.open();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(pool.stats().done, 20u);
}

MATRIX_TEST(WorkerPoolDynamic, DoesNotGrowOnceItIsCancelled) {
  gate hold;
  worker_pool pool(pool_options{.queue = 100, .min_size = 1, .max_size = 16, .idle_timeout = 1h});
  pool.run();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  pool.cancel();
  const int size = pool.size();
  runnel::sleep_for(5ms);
  EXPECT_EQ(pool.size(), size);
  hold.open();
  EXPECT_TRUE(pool.wait().is(pool_errc::dropped));
}

// Adds a task that passes `hold` unless it is run right here, in whichever way `pool` does not
// block.
void add_without_blocking(worker_pool& pool, overflow policy, const gate& hold) {
  const auto here = runnel::this_goroutine::id();
  worker_pool::task task([&hold, here] {
    if (runnel::this_goroutine::id() != here) hold.pass();
  });
  if (policy == overflow::block)
    pool.try_add_task(std::move(task));
  else
    pool.add_task(std::move(task));
}

MATRIX_TEST(WorkerPoolDynamic, GrowsForTasksThatAreTurnedAway) {
  for (const auto policy :
       {overflow::block, overflow::reject, overflow::drop_oldest, overflow::caller_runs}) {
    gate hold;
    worker_pool pool(
        pool_options{.min_size = 1, .max_size = 4, .idle_timeout = 1h, .on_full = policy});
    pool.run();
    EXPECT_TRUE(eventually([&] {
      add_without_blocking(pool, policy, hold);
      return pool.stats().running == 4;
    })) << static_cast<int>(policy);
    EXPECT_EQ(pool.size(), 4);
    hold.open();
    EXPECT_FALSE(pool.wait());
  }
}

MATRIX_TEST(WorkerPoolDynamic, NeverPassesItsBounds) {
  worker_pool pool(pool_options{.queue = 1000, .min_size = 2, .max_size = 5, .idle_timeout = 1ms});
  pool.run();
  counter_of_running running;
  for (int i = 0; i < scaled(2000); ++i) {
    EXPECT_FALSE(pool.add_task([&] {
      const auto inside = running.enter();
      runnel::sleep_for(10us);
    }));
    const auto s = pool.stats();
    EXPECT_GE(s.workers, 2);
    EXPECT_LE(s.workers, 5);
  }
  EXPECT_FALSE(pool.wait());
  EXPECT_LE(running.most(), 5);
}

MATRIX_TEST(WorkerPoolDynamic, ResizeStaysWithinItsBounds) {
  worker_pool pool(pool_options{.min_size = 2, .max_size = 6, .idle_timeout = 1h});
  pool.run();
  EXPECT_EQ(pool.size(), 2);
  pool.resize(100);
  EXPECT_EQ(pool.size(), 6);
  EXPECT_TRUE(reaches(pool, 6));
  pool.resize(1);
  EXPECT_EQ(pool.size(), 2);
  EXPECT_TRUE(reaches(pool, 2));
  EXPECT_THROW(pool.resize(0), std::system_error);
}

// Workers whose time is up when the pool is made smaller are surplus then, and have no place in its
// size to take with them.
MATRIX_TEST(WorkerPoolDynamic, ResizeWhileWorkersTimeOutStaysWithinItsBounds) {
  for (int round = 0; round < scaled(60); ++round) {
    worker_pool pool(pool_options{.size = 6, .min_size = 1, .max_size = 6, .idle_timeout = 1ms});
    pool.run();
    runnel::sleep_for(std::chrono::microseconds(900 + round * 7 % 300));
    pool.resize(1);
    ASSERT_TRUE(reaches(pool, 1)) << pool.stats().workers;
    ASSERT_EQ(pool.size(), 1);
    EXPECT_FALSE(pool.add_task([] {}));
    EXPECT_FALSE(pool.wait());
    EXPECT_EQ(pool.stats().done, 1u);
  }
}

// A load that two workers can carry: one task at a time is waited for, so the queue is empty again
// and again. Only a task that waits for the pool's millisecond, because the machine is busy with
// something else, may add a worker.
MATRIX_TEST(WorkerPoolDynamic, DoesNotGrowOnALoadItCanCarry) {
  worker_pool pool(pool_options{.queue = 100, .min_size = 2, .max_size = 16, .idle_timeout = 1h});
  pool.run();
  runnel::chan<void> ended(1);
  int long_waits = 0;
  for (int i = 0; i < scaled(300); ++i) {
    const stopwatch waited;
    EXPECT_FALSE(pool.add_task([&] {
      if (waited.elapsed() >= 1ms) ++long_waits;
      runnel::sleep_for(200us);
      ended.send();
    }));
    ended.recv();
  }
  EXPECT_GE(pool.size(), 2);
  EXPECT_LE(pool.size(), 2 + long_waits);
  EXPECT_FALSE(pool.wait());
}

// What a steady load needs, it keeps: four tasks at a time need four workers, none of which is idle
// for long. A pool that let workers go between two tasks, or added one for each task that waits,
// would change all the time. The same where tasks do not wait but are refused and tried again.
void expect_steady_size(const pool_options& options) {
  worker_pool pool(options);
  pool.run();
  std::atomic<bool> stop{false};
  runnel::wait_group load;
  for (int i = 0; i < 4; ++i) {
    load.go([&] {
      runnel::chan<void> ended(1);
      while (!stop) {
        const auto task = [&] {
          runnel::sleep_for(2ms);
          ended.send();
        };
        while (pool.add_task(task)) runnel::sleep_for(100us);
        ended.recv();
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return pool.size() >= 4; }));
  int changes = 0;
  int last = pool.size();
  const auto done = pool.stats().done;
  while (pool.stats().done < done + 300) {
    runnel::sleep_for(500us);
    const int now = pool.size();
    changes += now != last ? 1 : 0;
    last = now;
  }
  stop = true;
  load.wait();
  EXPECT_LE(changes, 15);
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolDynamic, KeepsItsSizeOnASteadyLoad) {
  expect_steady_size({.queue = 100, .min_size = 1, .max_size = 8, .idle_timeout = 20ms});
  expect_steady_size(
      {.min_size = 1, .max_size = 8, .idle_timeout = 20ms, .on_full = overflow::reject});
}

}  // namespace
