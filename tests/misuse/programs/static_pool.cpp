// Worker pools that are alive when the process ends, and one that cannot go on.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>

#include "../../support/scenario.hpp"

using runnel::context;
using runnel::pool_options;
using runnel::worker_pool;
using runnel_test::say;

namespace {

// Made before the runtime starts, and destroyed when it has come to rest.
worker_pool early(pool_options{.size = 1, .queue = 10, .name = "early"});
std::unique_ptr<worker_pool> on_the_heap;

// One task that never ends, whatever it is told, and three behind it. Returns once the first has
// begun.
void occupy(worker_pool& pool) {
  runnel::chan<void> begun(1);
  pool.run();
  pool.add_task([begun] {
    begun.send();
    runnel::chan<void>().recv();
  });
  begun.recv();
  for (int i = 0; i < 3; ++i) pool.add_task([] { say("ran"); });
}

// The same with a task that ends when it is told to.
void occupy_politely(worker_pool& pool) {
  runnel::chan<void> begun(1);
  pool.run();
  pool.add_task([begun](const context& ctx) {
    begun.send();
    ctx.done().recv();
    say("told");
  });
  begun.recv();
  for (int i = 0; i < 3; ++i) pool.add_task([] { say("ran"); });
}

worker_pool& local_static() {
  static worker_pool pool(pool_options{.size = 1, .queue = 10});
  return pool;
}

}  // namespace

SCENARIO(made_before_the_runtime) {
  runnel::run([] { occupy(early); });
}

SCENARIO(used_without_run) { occupy(early); }

SCENARIO(made_in_run) {
  runnel::run([] { occupy(local_static()); });
}

SCENARIO(on_the_heap) {
  runnel::run([] {
    on_the_heap =
        std::make_unique<worker_pool>(pool_options{.size = 1, .queue = 10, .name = "heap"});
    occupy(*on_the_heap);
  });
}

SCENARIO(told_to_end) {
  runnel::run([] { occupy_politely(local_static()); });
}

SCENARIO(drained) {
  runnel::run([] {
    local_static().run();
    for (int i = 0; i < 3; ++i) local_static().add_task([] { say("ran"); });
    local_static().wait();
    early.run();
  });
}

SCENARIO(exit_in_a_task) {
  runnel::run([] {
    local_static().run();
    local_static().add_task([] { std::exit(3); });
    local_static().add_task([] { say("ran"); });
    runnel::chan<void>().recv();
  });
}

// Each of the two workers adds a task while the queue is full, and so waits for the other.
SCENARIO(stuck_on_its_own_queue) {
  runnel::run([] {
    worker_pool pool(pool_options{.size = 2, .queue = 1});
    pool.run();
    runnel::chan<void> both(2);
    runnel::chan<void> full;
    for (int i = 0; i < 2; ++i) {
      pool.add_task([&] {
        both.send();
        full.recv();
        pool.add_task([] { say("ran"); });
      });
    }
    both.recv();
    both.recv();
    pool.add_task([] { say("ran"); });
    full.close();
    both.recv();  // not pool.wait(): that closes the pool, and refuses the two tasks
  });
}

namespace {

constexpr runnel::runtime_options throwing{.on_deadlock = runnel::deadlock_action::throw_error};

runnel::chan<void> begun(1);
runnel::chan<void> stuck_until;
runnel::chan<void> woken;

void stuck() {
  begun.send();
  stuck_until.recv();
  woken.send();
}

/// `body` makes a pool of which one task is stuck, and does not get out of its scope by itself. The
/// task is woken once the pool is gone.
template <class F>
void expect_unwound(F body) {
  try {
    runnel::run(throwing, body);
  } catch (const runnel::deadlock_error&) {
    say("unwound");
  }
  runnel::run([] {
    stuck_until.send();
    woken.recv();
    say("woken");
  });
}

}  // namespace

SCENARIO(stuck_in_wait) {
  for (const pool_options& options :
       {pool_options{.size = 2},
        pool_options{.min_size = 1, .max_size = 3, .idle_timeout = std::chrono::milliseconds(1)}}) {
    expect_unwound([options] {
      worker_pool pool(options);
      pool.run();
      pool.add_task(stuck);
      begun.recv();
      pool.wait();
    });
  }
}

// The worker ends with the pool, and leaves it to the goroutine that runs a task itself.
SCENARIO(stuck_in_its_adder) {
  expect_unwound([] {
    worker_pool pool(pool_options{.size = 1, .on_full = runnel::overflow::caller_runs});
    pool.run();
    pool.add_task([](const context& ctx) { ctx.done().recv(); });
    runnel::go([&] { pool.add_task(stuck); });
    begun.recv();
    pool.wait();
  });
}

SCENARIO(stuck_in_the_destructor) {
  expect_unwound([] {
    {
      worker_pool pool(1);
      pool.run();
      pool.add_task(stuck);
      begun.recv();
    }
    say("left");
  });
}

SCENARIO(waited_for_by_its_task) {
  try {
    runnel::run(throwing, [] {
      worker_pool pool(2);
      pool.run();
      pool.add_task([&] { pool.wait(); });
      pool.wait();
    });
  } catch (const runnel::deadlock_error&) {
    say("unwound");
  }
}

SCENARIO_MAIN()
