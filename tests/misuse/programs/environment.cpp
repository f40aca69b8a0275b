// What the environment sets.
#include <cstdio>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "../../support/scenario.hpp"

namespace {

[[gnu::noinline]] int deep(int n) {  // NOLINT
  char frame[1024];
  frame[0] = static_cast<char>(n);
  asm volatile("" : : "r"(frame) : "memory");  // all of it is on the stack
  return n == 0 ? frame[0] : deep(n - 1) + frame[0];
}

}  // namespace

SCENARIO(procs) {
  runnel::run([] { std::printf("%d\n", runnel::max_procs()); });
}
SCENARIO(procs_by_option) {
  runnel::run({.max_procs = 2}, [] { std::printf("%d\n", runnel::max_procs()); });
}
SCENARIO(deep_recursion) {
  runnel::run([] {
    runnel::wait_group wg;
    wg.go([] { deep(4000); });
    wg.wait();
    std::printf("done\n");
  });
}
SCENARIO(leaks_two) {
  runnel::run([] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    runnel::go({.name = "left too"}, [] { runnel::chan<int>(nullptr).recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_none) {
  runnel::run([] {
    runnel::wait_group wg;
    wg.go([] {});
    wg.wait();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_report_by_option) {
  runnel::run({.on_leak = runnel::leak_action::report}, [] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
SCENARIO(leaks_terminate_by_option) {
  runnel::run({.on_leak = runnel::leak_action::terminate}, [] {
    runnel::go({.name = "left behind"}, [] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  std::printf("after run\n");
}
// Goroutines of an earlier run, or started outside any, are not this run's leaks.
SCENARIO(leaks_of_others) {
  runnel::go([] { runnel::chan<int>().recv(); });
  runnel::run([] {
    runnel::go([] { runnel::chan<int>().recv(); });
    for (int i = 0; i < 10; ++i) runnel::yield();
  });
  runnel::run({.on_leak = runnel::leak_action::terminate}, [] {});
  std::printf("after run\n");
}

SCENARIO_MAIN()
