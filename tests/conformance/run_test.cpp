// run: results, nesting, one after another and overlapping; the runtime without any run.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "../support/message.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::run;
using runnel::wait_group;

static_assert(std::is_same_v<decltype(run([] { return 1; })), int>);
static_assert(std::is_void_v<decltype(run([] {}))>);
static_assert(std::is_same_v<decltype(run(std::declval<int& (*)()>())), int&>);
static_assert(std::is_same_v<decltype(run(std::declval<const int& (*)()>())), const int&>);

TEST(Run, ReturnsWhatMainReturns) {
  EXPECT_EQ(run([] { return 42; }), 42);
  EXPECT_EQ(run([] { return std::string("text"); }), "text");
  EXPECT_EQ(*run([] { return std::make_unique<int>(7); }), 7);
  int x = 0;
  int& r = run([&]() -> int& { return x; });
  EXPECT_EQ(&r, &x);
  EXPECT_EQ(run({.max_procs = 2}, [] { return runnel::max_procs(); }), 2);
  run([] {});
}

struct no_default {
  explicit no_default(int v) : value(v) {}
  int value;
};

TEST(Run, TheResultNeedsNoDefaultConstructor) {
  EXPECT_EQ(run([] { return no_default(3); }).value, 3);
}

TEST(Run, MainMayBeMoveOnlyAndIsNotCopied) {
  auto main = [p = std::make_unique<int>(5)] { return *p; };
  EXPECT_EQ(run(main), 5);
  EXPECT_EQ(run(std::move(main)), 5);
}

TEST(Run, ThrowsWhatMainThrows) {
  EXPECT_EQ(
      message_of<std::runtime_error>([] { run([] { throw std::runtime_error("from main"); }); }),
      "from main");
  EXPECT_EQ(message_of<std::runtime_error>([] {
              run([]() -> int {
                runnel::yield();
                throw std::runtime_error("from main");
              });
            }),
            "from main");
  EXPECT_EQ(run([] { return 1; }), 1);  // and can run again
}

TEST(Run, CalledFromAGoroutineThrows) {
  run([] {
    EXPECT_THROW(run([] {}), std::logic_error);
    EXPECT_THROW((void)run({.max_procs = 1}, [] { return 1; }), std::logic_error);
    const chan<bool> threw(1);
    runnel::go([threw] {
      try {
        run([] {});
        threw.send(false);
      } catch (const std::logic_error&) {
        threw.send(true);
      }
    });
    EXPECT_EQ(threw.recv(), true);
  });
}

TEST(Run, APlainThreadInsideARunMayRunToo) {
  run([] {
    int got = 0;
    std::thread t([&] { got = run([] { return 3; }); });
    runnel::blocking([&] { t.join(); });
    EXPECT_EQ(got, 3);
  });
}

int calls_of_a_function = 0;
void a_function() { ++calls_of_a_function; }

TEST(Run, TakesAFunctionByItsName) {
  run(a_function);
  run({.max_procs = 1}, a_function);
  EXPECT_EQ(calls_of_a_function, 2);
}

TEST(Run, WhatRunsAskForDoesNotOutliveThem) {
  const int by_default = run([] { return runnel::max_procs(); });
  EXPECT_EQ(run({.max_procs = by_default + 3}, [] { return runnel::max_procs(); }), by_default + 3);
  EXPECT_EQ(run([] { return runnel::max_procs(); }), by_default);
  // ... but for one that begins meanwhile, and for what was set otherwise.
  run({.max_procs = by_default + 3}, [&] {
    std::thread t([&] { EXPECT_EQ(run([] { return runnel::max_procs(); }), by_default + 3); });
    runnel::blocking([&] { t.join(); });
  });
  runnel::set_max_procs(by_default + 2);
  EXPECT_EQ(run([] { return runnel::max_procs(); }), by_default + 2);
  run({.max_procs = by_default}, [] {});
}

TEST(Run, DoesNotWaitForOtherGoroutines) {
  const chan<void> gate;
  const chan<int> out(1);
  run([&] {
    runnel::go([=] {
      gate.recv();
      out.send(9);
    });
  });
  EXPECT_TRUE(out.try_recv().empty());
  gate.send();  // they go on while the process lives
  EXPECT_EQ(out.recv(), 9);
}

TEST(Run, RunsFollowOneAnother) {
  for (int i = 1; i <= 50; ++i) {
    const int procs = 1 + i % 4;
    EXPECT_EQ(run({.max_procs = procs},
                  [&] {
                    const chan<int> ch;
                    runnel::go([ch, i] { ch.send(i); });
                    EXPECT_EQ(runnel::max_procs(), procs);
                    return ch.recv().value();
                  }),
              i);
  }
}

TEST(Run, ALaterRunWithoutOptionsKeepsTheProcessorCount) {
  run({.max_procs = 3}, [] {});
  EXPECT_EQ(runnel::max_procs(), 3);
}

TEST(Run, RunsOverlap) {
  std::vector<std::thread> threads;
  const chan<int> meet;
  std::atomic<int> sum{0};
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < scaled(40); ++i)
        sum += run({.max_procs = 1 + t % 3}, [&] {
          wait_group inner;
          std::atomic<int> here{0};
          for (int k = 0; k < 4; ++k) inner.go([&] { ++here; });
          inner.wait();
          if (t % 2 == 0)
            meet.send(1);  // to a main of another run
          else
            here += meet.recv().value() - 1;
          return here.load();
        });
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(sum, 6 * 4 * scaled(40));
}

TEST(Run, GoroutinesNeedNoRun) {
  const chan<int> ch;
  runnel::go([ch] { ch.send(5); });
  EXPECT_EQ(ch.recv(), 5);
  wait_group all;
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) all.go([&] { ++ran; });
  all.wait();
  EXPECT_EQ(ran, 100);
  EXPECT_TRUE(eventually([] { return runnel::num_goroutines() == 0; }));
}

TEST(Run, ANegativeProcessorCountIsNotSilentlyTaken) {
  const int before = runnel::max_procs();
  try {
    run({.max_procs = -2}, [] {});
  } catch (const std::exception&) {
  }
  EXPECT_EQ(runnel::max_procs(), before);
}

TEST(Run, TheStackSizeOfARunApplies) {
  run({.stack_size = std::size_t{2} << 20}, [] {
    const chan<int> out(1);
    runnel::go([out] {
      auto* block = static_cast<volatile char*>(__builtin_alloca(std::size_t{1} << 20));
      for (std::size_t i = 0; i < (std::size_t{1} << 20); i += 4096) block[i] = 1;
      out.send(1);
    });
    EXPECT_EQ(out.recv(), 1);
  });
  run({.stack_size = 256 << 10}, [] {});
}

}  // namespace
