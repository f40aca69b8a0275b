// wait_group.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<wait_group>);  // WG-14
static_assert(!std::is_copy_assignable_v<wait_group>);
static_assert(!std::is_move_constructible_v<wait_group>);
static_assert(!std::is_move_assignable_v<wait_group>);

MATRIX_TEST(WaitGroup, TwoPhaseBarrierIsReusable_WG01) {
  wait_group first;
  wait_group second;
  constexpr int n = 16;
  for (int round = 0; round < 8; ++round) {
    first.add(n);
    second.add(n);
    runnel::chan<bool> exited(n);
    for (int i = 0; i < n; ++i)
      runnel::go([&, exited] {
        first.done();
        second.wait();
        exited.send(true);
      });
    first.wait();
    for (int i = 0; i < n; ++i) {
      EXPECT_TRUE(exited.try_recv().empty()) << "somebody passed the barrier early";
      second.done();
    }
    for (int i = 0; i < n; ++i) EXPECT_TRUE(exited.recv());
  }
}

MATRIX_TEST(WaitGroup, BelowZeroThrows_WG02) {
  wait_group wg;
  wg.add(1);
  wg.done();
  try {
    wg.done();
    FAIL() << "done() below zero went through";
  } catch (const std::logic_error& e) {
    EXPECT_STREQ(e.what(), "negative wait_group counter");
  }
  wait_group other;
  EXPECT_THROW(other.add(-1), std::logic_error);
}

MATRIX_TEST(WaitGroup, WaitNeverReturnsEarly_WG03) {
  for (int i = 0; i < scaled(2000); ++i) {
    wait_group wg;
    std::atomic<int> n{0};
    wg.add(2);
    for (int k = 0; k < 2; ++k)
      runnel::go([&] {
        ++n;
        wg.done();
      });
    wg.wait();
    ASSERT_EQ(n, 2);
  }
}

MATRIX_TEST(WaitGroup, WithNothingToWaitForItReturnsAtOnce_WG04) {
  wait_group wg;
  wg.wait();
  EXPECT_TRUE(wg.wait_for(0s));
  wait_group waiters;
  for (int i = 0; i < 3; ++i) waiters.go([&] { wg.wait(); });
  waiters.wait();
}

MATRIX_TEST(WaitGroup, EveryWaiterIsReleased_WG05) {
  for (int i = 0; i < scaled(200); ++i) {
    wait_group work;
    wait_group waiters;
    std::atomic<int> done{0};
    work.add(6);
    for (int w = 0; w < 3; ++w)
      runnel::go([&] {
        ++done;
        work.done();
      });
    for (int w = 0; w < 3; ++w)
      waiters.go([&] {
        ++done;
        work.done();
        work.wait();
        EXPECT_EQ(done, 6);
      });
    waiters.wait();
  }
}

MATRIX_TEST(WaitGroup, GoRunsTheFunctionBeforeWaitReturns_WG06) {
  wait_group wg;
  int effect = 0;
  wg.go([&] { effect = 1; });
  wg.wait();
  EXPECT_EQ(effect, 1);
}

MATRIX_TEST(WaitGroup, GoTakesAMoveOnlyFunction_WG06) {
  wait_group wg;
  std::atomic<int> got{0};
  wg.go([&got, p = std::make_unique<int>(5)] { got = *p; });
  wg.wait();
  EXPECT_EQ(got, 5);
}

MATRIX_TEST(WaitGroup, AHundredGoCallsInARow_WG09) {
  wait_group wg;
  std::atomic<int> n{0};
  for (int i = 0; i < 100; ++i) wg.go([&] { ++n; });
  wg.wait();
  EXPECT_EQ(n, 100);
}

MATRIX_TEST(WaitGroup, AddFromInsideATask_WG12) {
  wait_group wg;
  std::atomic<int> n{0};
  std::function<void(int)> tree = [&](int depth) {
    ++n;
    if (depth == 0) return;
    wg.go([&, depth] { tree(depth - 1); });
    wg.go([&, depth] { tree(depth - 1); });
  };
  wg.go([&] { tree(6); });
  wg.wait();
  EXPECT_EQ(n, 127);
}

MATRIX_TEST(WaitGroup, AddTakesAnyNumberAndNegativeOnes_WG12) {
  wait_group wg;
  wg.add(5);
  wg.add(0);
  wg.add(-3);
  EXPECT_FALSE(wg.wait_for(0s));
  wg.done();
  wg.add(-1);
  wg.wait();
}

MATRIX_TEST(WaitGroup, WaitForTimesOutAndCanBeTriedAgain) {
  wait_group wg;
  wg.add(1);
  EXPECT_FALSE(wg.wait_for(-1s));
  const stopwatch watch;
  EXPECT_FALSE(wg.wait_for(15ms));
  EXPECT_GE(watch.elapsed(), 15ms);
  runnel::go([&] { wg.done(); });
  EXPECT_TRUE(wg.wait_for(10s));
  EXPECT_TRUE(wg.wait_for(std::chrono::hours::max()));
}

MATRIX_TEST(WaitGroup, WaitForWakesLongBeforeItsTimeout) {
  wait_group wg;
  wg.add(1);
  const stopwatch watch;
  runnel::go([&] {
    EXPECT_TRUE(until_blocked("sync.WaitGroup.Wait"));
    wg.done();
  });
  EXPECT_TRUE(wg.wait_for(1h));
  EXPECT_LT(watch.elapsed(), 20s);
}

MATRIX_TEST(WaitGroup, TimedOutWaitersLeaveNoTrace) {
  wait_group wg;
  wg.add(1);
  wait_group impatient;
  for (int i = 0; i < 20; ++i) impatient.go([&] { EXPECT_FALSE(wg.wait_for(2ms)); });
  impatient.wait();
  wait_group patient;
  for (int i = 0; i < 3; ++i) patient.go([&] { wg.wait(); });
  EXPECT_TRUE(until_blocked("sync.WaitGroup.Wait", 3));
  wg.done();
  patient.wait();
}

// Somebody begins the next round while waiters of the last one have not yet run: they return all the same, also those
// with a limit, and the new round is waited for.
MATRIX_TEST(WaitGroup, ANewRoundMayBeginBeforeAllHaveReturnedFromTheLast) {
  wait_group wg;
  for (int i = 0; i < scaled(300); ++i) {
    wait_group waiters;
    wg.add(1);
    for (int w = 0; w < 4; ++w)
      waiters.go([&, w] {
        if (w % 2 == 0) {
          wg.wait();
        } else {
          EXPECT_TRUE(wg.wait_for(1h));
        }
      });
    if (i % 10 == 0) {
      ASSERT_TRUE(until_blocked("sync.WaitGroup.Wait", 4));
    } else {
      runnel::yield();
    }
    wg.done();
    wg.add(1);
    std::atomic<bool> ended{false};
    runnel::go([&] {
      ended = true;
      wg.done();
    });
    wg.wait();
    EXPECT_TRUE(ended);
    waiters.wait();
  }
}

// The lifetime rule: it may be destroyed as soon as wait() has returned, also through its fast path.
MATRIX_TEST(WaitGroup, MayBeDestroyedAsSoonAsWaitReturns) {
  for (int i = 0; i < scaled(5000); ++i) {
    auto wg = std::make_unique<wait_group>();
    wg->add(1);
    runnel::go([p = wg.get()] { p->done(); });
    if (i % 2 == 0) runnel::yield();
    wg->wait();
    wg.reset();
  }
}

MATRIX_TEST(WaitGroup, MayBeDestroyedAsSoonAsATimedWaitReturns) {
  for (int i = 0; i < scaled(2000); ++i) {
    auto wg = std::make_unique<wait_group>();
    wg->add(1);
    runnel::go([p = wg.get()] { p->done(); });
    while (!wg->wait_for(i % 3 == 0 ? 0us : 20us)) runnel::yield();
    wg.reset();
  }
}

MATRIX_TEST_THREAD(WaitGroup, WorksBetweenThreadsAndGoroutines) {
  for (int i = 0; i < scaled(500); ++i) {
    wait_group wg;
    std::atomic<int> n{0};
    for (int k = 0; k < 4; ++k) wg.go([&] { ++n; });
    wg.wait();
    ASSERT_EQ(n, 4);
  }
  wait_group wg;
  wg.add(1);
  EXPECT_FALSE(wg.wait_for(5ms));
  runnel::go([&] { wg.done(); });
  EXPECT_TRUE(wg.wait_for(10s));
}

// A thread that ends right after waking someone.
MATRIX_TEST(WaitGroup, DoneByAThreadThatEndsAtOnce) {
  for (int i = 0; i < scaled(200); ++i) {
    wait_group wg;
    wg.add(1);
    std::thread([&] { wg.done(); }).detach();
    wg.wait();
  }
}

MATRIX_TEST(WaitGroup, WaitingShowsInTheGoroutineList) {
  wait_group wg;
  wg.add(1);
  wait_group waiters;
  waiters.go([&] { wg.wait(); });
  EXPECT_TRUE(until_blocked("sync.WaitGroup.Wait"));
  wg.done();
  waiters.wait();
}

}  // namespace
