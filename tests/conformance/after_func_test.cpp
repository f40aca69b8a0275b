// after_func: its function runs in a goroutine of its own.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::after_func;

MATRIX_TEST(AfterFunc, RunsInAGoroutineAfterTheDelay_TM04) {
  runnel::chan<bool> ran;
  const stopwatch watch;
  const auto t = after_func(20ms, [=] { ran.send(runnel::this_goroutine::is_goroutine()); });
  EXPECT_EQ(ran.recv(), true);
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_FALSE(t.chan());
}

MATRIX_TEST_THREAD(AfterFunc, CanBeStartedFromAThread_TM04) {
  runnel::chan<void> ran;
  after_func(1ms, [=] { ran.send(); });
  EXPECT_TRUE(ran.recv());
}

// Ten generations, each sleeping 300 ms after it has started the next: run one after another they would take 3 s.
MATRIX_TEST(AfterFunc, CallbacksMayBlockWithoutHoldingUpOthers_TM04) {
  runnel::wait_group all;
  all.add(10);
  const stopwatch watch;
  std::function<void(int)> generation = [&](int left) {
    if (left > 1) after_func(0s, [&generation, left] { generation(left - 1); });
    runnel::sleep_for(300ms);
    all.done();
  };
  after_func(0s, [&] { generation(10); });
  all.wait();
  EXPECT_LT(watch.elapsed(), 2s * patience);
}

MATRIX_TEST(AfterFunc, DroppingTheTimerDoesNotStopIt) {
  runnel::chan<void> ran;
  {
    auto t = after_func(5ms, [=] { ran.send(); });
  }
  EXPECT_TRUE(ran.recv_for(10s));
}

MATRIX_TEST(AfterFunc, StopKeepsItFromRunningExactlyWhenItSaysSo_TM07) {
  std::atomic<int> ran{0};
  int kept = 0;
  constexpr int n = 100;
  std::vector<runnel::timer> timers;
  for (int i = 0; i < n; ++i)
    timers.push_back(after_func(i % 2 == 0 ? 1ms : 400ms, [&] { ++ran; }));
  runnel::sleep_for(1ms);
  for (auto& t : timers) kept += t.stop() ? 1 : 0;
  EXPECT_TRUE(eventually([&] { return kept + ran == n; }));
  runnel::sleep_for(410ms);
  EXPECT_EQ(kept + ran, n);
  for (auto& t : timers) EXPECT_FALSE(t.stop());
}

MATRIX_TEST(AfterFunc, StopIsFalseOnceTheFunctionHasStarted) {
  runnel::chan<void> started;
  runnel::chan<void> finish;
  auto t = after_func(0s, [=] {
    started.send();
    finish.recv();
  });
  started.recv();
  EXPECT_FALSE(t.stop());
  finish.send();
}

MATRIX_TEST(AfterFunc, ResetRunsItAgain_TM20) {
  runnel::chan<void> ran;
  auto t = after_func(1ms, [=] { ran.send(); });
  EXPECT_TRUE(ran.recv());
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(t.reset(1ms));
    EXPECT_TRUE(ran.recv());
  }
  EXPECT_FALSE(t.reset(1h));
  EXPECT_TRUE(t.reset(1ms));
  EXPECT_TRUE(ran.recv());
  EXPECT_FALSE(t.stop());
}

MATRIX_TEST(AfterFunc, ManyWithoutDelayAllRun_TM14) {
  const int n = scaled(20'000);
  std::atomic<int> ran{0};
  for (int i = 0; i < n; ++i) after_func(0s, [&] { ++ran; });
  EXPECT_TRUE(eventually([&] { return ran == n; }));
}

// One processor always has something else to run; the callback runs nevertheless.
MATRIX_TEST(AfterFunc, IsNotStarvedByAPingPong_TM32) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> stop{false};
    runnel::chan<int> c(1);
    runnel::wait_group pair;
    pair.go([&] {
      while (!stop) c.send(1);
      c.close();
    });
    pair.go([&] {
      while (c.recv()) {
      }
    });
    after_func(1us, [&] { stop = true; });
    pair.wait();
  }
}

MATRIX_TEST(AfterFunc, TheFunctionIsDestroyedAfterStopAndAfterRunning) {
  auto held = std::make_shared<int>(1);
  {
    auto stopped = after_func(1h, [held] {});
    EXPECT_TRUE(stopped.stop());
  }
  EXPECT_TRUE(eventually([&] { return held.use_count() == 1; }));
  runnel::chan<void> ran;
  {
    auto t = after_func(0s, [held, ran] { ran.send(); });
    ran.recv();
  }
  EXPECT_TRUE(eventually([&] { return held.use_count() == 1; }));
}

MATRIX_TEST(AfterFunc, TakesAMoveOnlyFunction) {
  runnel::chan<int> ran;
  after_func(0s, [ran, p = std::make_unique<int>(7)] { ran.send(*p); });
  EXPECT_EQ(ran.recv(), 7);
}

struct throws_when_copied {
  throws_when_copied() = default;
  throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
  throws_when_copied(throws_when_copied&&) = default;
  void operator()() const { ADD_FAILURE() << "it was never made"; }
};

// What stops another timer while the exception is on its way finds no lock held.
MATRIX_TEST(AfterFunc, AFailedCallLeavesOtherTimersUsable) {
  struct stops {
    runnel::ticker ticks{1ms};
    ~stops() { ticks.stop(); }
  };
  const throws_when_copied f;
  for (int i = 0; i < 10; ++i) {
    try {
      const stops at_the_end;
      if (i % 2 == 0) {
        after_func(0s, f);
      } else {
        const runnel::ticker bad(0s);
      }
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::logic_error&) {
      EXPECT_EQ(i % 2, 1);
    } catch (const std::runtime_error&) {
      EXPECT_EQ(i % 2, 0);
    }
    EXPECT_TRUE(runnel::after(0s).recv());
  }
}

MATRIX_TEST(AfterFunc, CallbacksStartInOrderOfDueTimes_TM05) {
  bool in_order = false;
  for (auto delta = 20ms; delta <= 320ms && !in_order; delta *= 2) {
    const std::vector<int> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    runnel::chan<int> fired(slots.size());
    const auto start = runnel::clock::now();
    for (const int slot : slots)
      after_func(slot * delta, [=] {
        EXPECT_GE(runnel::clock::now(), start + slot * delta);
        fired.send(slot);
      });
    in_order = true;
    int last = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const int slot = *fired.recv();
      in_order = in_order && slot >= last;
      last = slot;
    }
  }
  EXPECT_TRUE(in_order);
}

}  // namespace
