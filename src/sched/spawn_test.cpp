// When a goroutine gets its stack. Each test wants a process of its own: how guards are made is found out once.
#include <gtest/gtest.h>

#include <atomic>
#include <system_error>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/wait_group.hpp>

#include "../../tests/support/matrix.hpp"
#include "sched/sanitizer.hpp"
#include "sched/seed.hpp"
#include "stack/stack.hpp"

namespace {

using namespace runnel;

// How many goroutines have been started and not begun.
int without_stack() {
  int n = 0;
  detail::seeds.for_each([&n](const detail::seed& s) {
    if (s.alive && s.body == nullptr) ++n;
  });
  return n;
}

int without_stack_of(int started, const go_options& options) {
  return run({.max_procs = 1}, [&] {
    wait_group all;
    all.add(started);
    for (int i = 0; i < started; ++i) go(options, [&all] { all.done(); });
    const int n = without_stack();
    all.wait();
    return n;
  });
}

TEST(Spawn, AStackComesWhenAGoroutineBegins) {
  if (detail::guards() == detail::guard_kind::mprotect) GTEST_SKIP() << "guards take mappings here";
  EXPECT_GE(without_stack_of(1000, {}), 900);  // sysmon may have had one more processor begin some
}

TEST(Spawn, OneOfASpecialSizeIsTakenAtOnce) {
  EXPECT_EQ(without_stack_of(1000, {.stack_size = 1 << 16}), 0);
}

TEST(Spawn, WhereAGuardTakesMappingsTheStackIsTakenAtOnce) {
  detail::use_mprotect_guards();
  EXPECT_EQ(without_stack_of(1000, {}), 0);
}

int seeds_made() {
  int n = 0;
  detail::seeds.for_each([&n](const detail::seed&) { ++n; });
  return n;
}

// Goroutines of which none ends before all have been started.
void park(int n) {
  const chan<void> release;
  wait_group all;
  for (int i = 0; i < n; ++i) all.go([&] { release.recv(); });
  release.close();
  all.wait();
}

TEST(Spawn, SeedsThatNobodyNeedsAreGivenBack) {
  if (runnel_test::slowdown > 1) GTEST_SKIP() << "many processors, each keeping seeds of its own";
  static constexpr int many = 20'000;
  run({.max_procs = 1}, [] {
    park(many);
    EXPECT_GE(seeds_made(), many);
    // What processors keep holds some slabs.
    EXPECT_TRUE(runnel_test::eventually([] { return seeds_made() < many / 2; }));
    park(many);
    EXPECT_GE(seeds_made(), many);
  });
}

#if RUNNEL_ASAN
TEST(Spawn, AClosureCannotBeUsedOnceItsGoroutineHasEnded) {
  const void* closure = nullptr;
  run([&] {
    wait_group all;
    all.go([&closure, self = 1] { closure = &self; });
    all.wait();
    while (num_goroutines() > 1) yield();
    EXPECT_TRUE(__asan_address_is_poisoned(closure));
  });
}
#endif

// With mappings used up, go() throws, and all that were started before run.
TEST(Spawn, WhereMappingsRunOutNothingThatWasStartedIsLost) {
  if (RUNNEL_TSAN) GTEST_SKIP() << "ThreadSanitizer knows some 8,000 stacks at most";
  detail::use_mprotect_guards();
  run([] {
    const chan<void> release;
    wait_group all;
    int started = 0;
    std::atomic<int> ran{0};
    EXPECT_THROW(
        for (;;) {
          go([&] {
            release.recv();
            ++ran;
            all.done();
          });
          all.add(1);
          ++started;
        },
        std::system_error);
    EXPECT_GT(started, 1000);
    release.close();
    all.wait();
    EXPECT_EQ(ran, started);
  });
}

}  // namespace
