// Ending the process while goroutines run, wait and compute.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

namespace {

// Made before the first goroutine: destroyed after the runtime has come to rest.
std::vector<std::string> used_by_goroutines(64, std::string(100, 'a'));
std::unique_ptr<runnel::chan<int>> static_channel;
std::unique_ptr<runnel::mutex> static_mutex;

void start_busy_ones() {
  for (int i = 0; i < 8; ++i)
    runnel::go([] {
      for (std::size_t k = 0;; ++k) {
        std::string copy = used_by_goroutines[k % used_by_goroutines.size()];
        if (copy != std::string(100, 'a')) {
          std::fputs("used after destruction\n", stderr);
          std::_Exit(1);
        }
        runnel::yield();
      }
    });
}

void start_waiting_ones() {
  static_channel = std::make_unique<runnel::chan<int>>();
  static_mutex = std::make_unique<runnel::mutex>();
  for (int i = 0; i < 8; ++i) runnel::go([c = *static_channel] { c.recv(); });
  runnel::go([] { runnel::sleep_for(1h); });
  runnel::go([] {
    for (;;) runnel::sleep_for(1ms);
  });
}

}  // namespace

SCENARIO(main_returns) {
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    start_waiting_ones();
    runnel::sleep_for(5ms);
  });
}

SCENARIO(exit_on_the_main_thread) {
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    start_waiting_ones();
    runnel::sleep_for(5ms);
  });
  std::exit(3);
}

SCENARIO(exit_in_main_goroutine) {
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    start_waiting_ones();
    runnel::sleep_for(5ms);
    std::exit(3);
  });
}

SCENARIO(exit_in_a_goroutine) {
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    start_waiting_ones();
    runnel::go([] {
      runnel::sleep_for(5ms);
      std::exit(3);
    });
    chan<int>().recv();
  });
}

SCENARIO(exit_on_a_foreign_thread) {
  std::thread([] {
    ::usleep(20'000);
    std::exit(3);
  }).detach();
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    start_waiting_ones();
    chan<int>().recv();
  });
}

// One that never comes back to the runtime is waited for only for a bounded time.
SCENARIO(while_one_computes) {
  runnel::run({.max_procs = 2}, [] {
    static std::atomic<bool> computing{false};
    runnel::go([] {
      computing = true;
      for (;;) asm volatile("");  // a loop without an effect may be optimised away
    });
    while (!computing) runnel::yield();
  });
  std::exit(3);
}

SCENARIO(while_one_is_in_the_kernel) {
  runnel::run({.max_procs = 1}, [] {
    static std::atomic<bool> there{false};
    runnel::go([] {
      there = true;
      ::pause();
    });
    while (!there) runnel::yield();
  });
  std::exit(3);
}

SCENARIO(while_holding_a_mutex) {
  static runnel::mutex m;
  runnel::run([] {
    runnel::go([] {
      m.lock();
      runnel::sleep_for(1h);
    });
    while (m.try_lock()) {
      m.unlock();
      runnel::yield();
    }
  });
  std::exit(3);
}

SCENARIO(quick_exit) {
  runnel::run({.max_procs = 4}, [] {
    start_busy_ones();
    std::quick_exit(3);
  });
}

SCENARIO(exit_handlers_run) {
  std::atexit([] { say("handler"); });
  runnel::run([] { start_busy_ones(); });
}

// Exit handlers registered before and after the runtime started may still talk to it without hanging.
SCENARIO(handler_uses_channels) {
  runnel::run([] { start_waiting_ones(); });
  std::atexit([] {
    chan<int> c(1);
    c.send(1);
    if (c.recv() == 1 && c.try_recv().empty()) say("handler");
  });
}

// Registered before the runtime starts: they run after it has come to rest.
SCENARIO(handler_waits_for_a_goroutine) {
  std::atexit([] { runnel::async([] { return 5; }).get(); });
  runnel::run([] {});
}

// Timers of goroutines, which nobody would see, are no reason to wait.
SCENARIO(handler_waits_beside_a_sleeper) {
  std::atexit([] { runnel::async([] { return 5; }).get(); });
  runnel::run([] { start_waiting_ones(); });
}

SCENARIO(handler_waits_for_a_timer) {
  std::atexit([] {
    runnel::after(5ms).recv();
    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 5ms);
    ctx.done().recv();
    say("handler");
  });
  runnel::run([] { start_waiting_ones(); });
}

SCENARIO(handler_waits_for_a_descriptor) {
  static int ends[2];
  std::atexit([] {
    if (::fork() == 0) {
      ::usleep(50'000);
      (void)!::write(ends[1], "x", 1);
      ::_exit(0);
    }
    if (!runnel::wait_readable(ends[0])) say("handler");
  });
  if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) std::exit(1);
  runnel::run([] { start_waiting_ones(); });
}

SCENARIO_MAIN()
