// Running out of stack, and faults that are something else (PA-11).
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using runnel_test::say;

#pragma GCC diagnostic ignored "-Winfinite-recursion"  // on purpose

namespace {

[[gnu::noinline]] int recurse(int n) {  // NOLINT
  volatile char frame[256];
  frame[n % 256] = static_cast<char>(n);
  return recurse(n + 1) + frame[(n + 1) % 256];
}

// Steps just under the 64 KiB a guard is wide at least.
[[gnu::noinline]] int recurse_in_large_steps(int n) {  // NOLINT
  volatile char frame[48 * 1024];
  frame[n % 1024] = static_cast<char>(n);
  return recurse_in_large_steps(n + 1) + frame[(n + 1) % 1024];
}

[[gnu::noinline]] void touch_null() {
  volatile int* volatile p = nullptr;
  *p = 1;
}

template <class F>
void in_goroutine(F f) {
  runnel::run([&] {
    runnel::go({.name = "deep"}, f);
    runnel::chan<int>().recv();
  });
}

}  // namespace

SCENARIO(recursion) {
  in_goroutine([] { std::exit(recurse(0)); });
}
SCENARIO(large_frames) {
  in_goroutine([] { std::exit(recurse_in_large_steps(0)); });
}
SCENARIO(small_stack) {
  runnel::run([] {
    runnel::go({.name = "deep", .stack_size = 64 * 1024}, [] { std::exit(recurse(0)); });
    runnel::chan<int>().recv();
  });
}
SCENARIO(main_goroutine) {
  runnel::run([] {
    runnel::this_goroutine::set_name("deep");
    std::exit(recurse(0));
  });
}
SCENARIO(after_moving_about) {
  in_goroutine([] {
    for (int i = 0; i < 100; ++i) runnel::yield();
    runnel::sleep_for(std::chrono::milliseconds(1));
    std::exit(recurse(0));
  });
}
SCENARIO(null_in_goroutine) {
  in_goroutine([] { touch_null(); });
}
SCENARIO(null_on_thread) {
  runnel::run([] {});
  std::thread([] { touch_null(); }).join();
}
SCENARIO(earlier_handler) {
  struct sigaction mine {};
  mine.sa_handler = [](int) { ::_exit(9); };
  ::sigaction(SIGSEGV, &mine, nullptr);
  in_goroutine([] { touch_null(); });
}

// Deep, but within a larger stack: nothing to report.
[[gnu::noinline]] static int deep(int n) {  // NOLINT
  volatile char frame[1024];
  frame[0] = static_cast<char>(n);
  return n == 0 ? frame[0] : deep(n - 1) + frame[0];
}
SCENARIO(large_enough) {
  runnel::run([] {
    runnel::wait_group wg;
    wg.add(1);
    runnel::go({.stack_size = 8 << 20}, [&] {
      deep(4000);
      wg.done();
    });
    wg.wait();
    say("done");
  });
}
SCENARIO(large_enough_by_default) {
  runnel::run({.stack_size = 8 << 20}, [] {
    runnel::wait_group wg;
    wg.go([] { deep(4000); });
    wg.wait();
    say("done");
  });
}

SCENARIO_MAIN()
