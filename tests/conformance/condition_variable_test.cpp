// condition_variable: the standard's _any interface, without spurious wakeups and first come, first served.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::condition_variable;
using runnel::mutex;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<condition_variable>);  // CO-07
static_assert(!std::is_move_constructible_v<condition_variable>);

constexpr const char* waiting = "sync.Cond.Wait";

MATRIX_TEST(ConditionVariable, NotifyOneWakesExactlyOne_CO01) {
  mutex m;
  condition_variable cv;
  std::atomic<int> awake{0};
  wait_group all;
  for (int i = 0; i < 2; ++i)
    all.go([&] {
      std::unique_lock lock(m);
      cv.wait(lock);
      EXPECT_TRUE(lock.owns_lock());
      ++awake;
    });
  EXPECT_TRUE(until_blocked(waiting, 2));
  {
    const std::scoped_lock lock(m);
    cv.notify_one();
  }
  EXPECT_TRUE(eventually([&] { return awake == 1; }));
  runnel::sleep_for(5ms);  // room for a spurious wakeup: time itself is under test here
  EXPECT_EQ(awake, 1);
  EXPECT_EQ(count_in_state(waiting), 1U);
  cv.notify_one();
  all.wait();
  EXPECT_EQ(awake, 2);
}

MATRIX_TEST(ConditionVariable, NotificationsAreNotRemembered_CO02) {
  mutex m;
  condition_variable cv;
  cv.notify_one();
  cv.notify_all();
  std::unique_lock lock(m);
  EXPECT_EQ(cv.wait_for(lock, 5ms), std::cv_status::timeout);
}

MATRIX_TEST(ConditionVariable, TheLongestWaitingIsWokenFirst_CO03) {
  mutex m;
  condition_variable cv;
  constexpr int n = 50;
  runnel::chan<int> awake(n);
  runnel::chan<void> about_to_wait;
  wait_group all;
  const auto add_waiter = [&](int i) {
    all.go([&, i] {
      std::unique_lock lock(m);
      about_to_wait.send();  // the lock is held until wait() has queued this goroutine
      cv.wait(lock);
      awake.send(i);
    });
    about_to_wait.recv();
    const std::scoped_lock queued(m);
  };
  add_waiter(0);
  for (int i = 1; i < n; ++i) {
    add_waiter(i);
    cv.notify_one();
    EXPECT_EQ(awake.recv(), i - 1);
  }
  cv.notify_one();
  EXPECT_EQ(awake.recv(), n - 1);
  all.wait();  // the last one still has the lock to give back
}

MATRIX_TEST(ConditionVariable, NotifyAllWakesEachExactlyOncePerRound_CO04) {
  mutex m;
  condition_variable cv;
  constexpr int n = 100;
  const int rounds = scaled(100);
  int waiters = 0;
  std::vector<int> woken(n, 0);
  bool stop = false;
  wait_group all;
  for (int i = 0; i < n; ++i)
    all.go([&, i] {
      std::unique_lock lock(m);
      while (!stop) {
        ++waiters;
        cv.wait(lock);
        ++woken[static_cast<std::size_t>(i)];
      }
    });
  const auto everybody_waits = [&] {
    const std::scoped_lock lock(m);
    return waiters == n;
  };
  for (int round = 0; round < rounds; ++round) {
    ASSERT_TRUE(eventually(everybody_waits));
    const std::scoped_lock lock(m);
    for (const int w : woken) ASSERT_EQ(w, round);
    waiters = 0;
    if (round == rounds - 1) stop = true;
    cv.notify_all();
  }
  all.wait();
  for (const int w : woken) EXPECT_EQ(w, rounds);
}

MATRIX_TEST(ConditionVariable, PassingAValueOn_CO05) {
  mutex m;
  condition_variable cv;
  int x = 0;
  wait_group all;
  for (int step = 0; step < 3; ++step)
    all.go([&, step] {
      std::unique_lock lock(m);
      cv.wait(lock, [&] { return x == step; });
      x = step + 1;
      cv.notify_all();
    });
  all.wait();
  EXPECT_EQ(x, 3);
}

MATRIX_TEST(ConditionVariable, ALaterWaiterCannotStealANotification_CO06_CO08) {
  for (int i = 0; i < scaled(500); ++i) {
    mutex m;
    condition_variable cv;
    runnel::chan<void> about_to_wait;
    runnel::chan<void> released;
    runnel::go([&] {
      std::unique_lock lock(m);
      about_to_wait.send();
      cv.wait(lock);
      lock.unlock();
      released.send();
    });
    about_to_wait.recv();
    m.lock();  // the waiter is inside wait() now
    m.unlock();
    bool done = false;
    wait_group late;
    late.go([&] { cv.notify_all(); });
    late.go([&] {
      std::unique_lock lock(m);
      while (!done) cv.wait(lock);
    });
    ASSERT_TRUE(released.recv_for(10s)) << i;
    {
      const std::scoped_lock lock(m);
      done = true;
    }
    // The late one may wait before or after `done` is seen, but never after this.
    cv.notify_all();
    late.wait();
  }
}

MATRIX_TEST(ConditionVariable, ThePredicateFormWaitsUntilItHolds) {
  mutex m;
  condition_variable cv;
  int value = 0;
  wait_group all;
  all.go([&] {
    std::unique_lock lock(m);
    cv.wait(lock, [&] { return value == 3; });
    EXPECT_EQ(value, 3);
  });
  for (int i = 1; i <= 3; ++i) {
    const std::scoped_lock lock(m);
    value = i;
    cv.notify_all();
  }
  all.wait();
}

MATRIX_TEST(ConditionVariable, TimedWaitsTimeOutAndHoldTheLockAgain) {
  mutex m;
  condition_variable cv;
  std::unique_lock lock(m);
  const stopwatch watch;
  EXPECT_EQ(cv.wait_for(lock, 10ms), std::cv_status::timeout);
  EXPECT_GE(watch.elapsed(), 10ms);
  EXPECT_TRUE(lock.owns_lock());
  EXPECT_FALSE(m.try_lock());
  EXPECT_EQ(cv.wait_until(lock, runnel::clock::now() + 10ms), std::cv_status::timeout);
  EXPECT_EQ(cv.wait_until(lock, std::chrono::steady_clock::now() - 1s), std::cv_status::timeout);
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_FALSE(cv.wait_for(lock, 5ms, [] { return false; }));
  EXPECT_TRUE(cv.wait_for(lock, 1h, [] { return true; }));
  EXPECT_FALSE(cv.wait_until(lock, runnel::clock::now() + 5ms, [] { return false; }));
}

MATRIX_TEST(ConditionVariable, TimedWaitsAreNotified) {
  mutex m;
  condition_variable cv;
  wait_group all;
  all.go([&] {
    std::unique_lock lock(m);
    EXPECT_EQ(cv.wait_for(lock, 1h), std::cv_status::no_timeout);
  });
  EXPECT_TRUE(until_blocked(waiting));
  cv.notify_one();
  all.wait();
}

// A waiter that timed out takes no notification with it.
MATRIX_TEST(ConditionVariable, TimeoutsLoseNoNotification_CO06) {
  mutex m;
  condition_variable cv;
  int tokens = 0;
  int taken = 0;
  const int n = scaled(400);
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&, g] {
      std::unique_lock lock(m);
      int i = g;
      while (taken < n) {
        if (tokens == 0) {
          cv.wait_for(lock, std::chrono::microseconds(10 + (++i * 13) % 90));
          continue;
        }
        --tokens;
        ++taken;
      }
    });
  for (int i = 0; i < n; ++i) {
    {
      const std::scoped_lock lock(m);
      ++tokens;
    }
    cv.notify_one();
    if (i % 16 == 0) runnel::yield();
  }
  all.wait();
  EXPECT_EQ(taken, n);
}

MATRIX_TEST(ConditionVariable, AnyLockWillDo_CO10) {
  runnel::shared_mutex m;
  condition_variable cv;
  wait_group all;
  std::atomic<int> readers{0};
  for (int i = 0; i < 2; ++i)
    all.go([&] {
      std::shared_lock lock(m);
      ++readers;
      cv.wait(lock);
      EXPECT_FALSE(m.try_lock());
    });
  EXPECT_TRUE(until_blocked(waiting, 2));
  EXPECT_TRUE(m.try_lock());  // both let go of their shared locks
  m.unlock();
  cv.notify_all();
  all.wait();
}

MATRIX_TEST(ConditionVariable, AnotherGoroutineMayWaitOnALockItDidNotTake_CO09) {
  mutex m;
  condition_variable cv;
  m.lock();
  wait_group all;
  all.go([&] {
    cv.wait(m);
    m.unlock();
  });
  EXPECT_TRUE(until_blocked(waiting));
  {
    const std::scoped_lock lock(m);
    cv.notify_one();
  }
  all.wait();
}

MATRIX_TEST(ConditionVariable, AStopTokenEndsTheWait) {
  mutex m;
  condition_variable cv;
  std::stop_source stop;
  wait_group all;
  all.go([&] {
    std::unique_lock lock(m);
    EXPECT_FALSE(cv.wait(lock, stop.get_token(), [] { return false; }));
    EXPECT_TRUE(lock.owns_lock());
  });
  EXPECT_TRUE(until_blocked(waiting));
  stop.request_stop();
  all.wait();
  std::unique_lock lock(m);
  EXPECT_FALSE(cv.wait(lock, stop.get_token(), [] { return false; }));
  EXPECT_TRUE(cv.wait(lock, stop.get_token(), [] { return true; }));
  EXPECT_FALSE(cv.wait_for(lock, std::stop_token(), 5ms, [] { return false; }));
}

MATRIX_TEST_THREAD(ConditionVariable, WorksBetweenThreadsAndGoroutines) {
  mutex m;
  condition_variable cv;
  int turn = 0;
  const int rounds = scaled(500);
  wait_group all;
  all.go([&] {
    for (int i = 0; i < rounds; ++i) {
      std::unique_lock lock(m);
      cv.wait(lock, [&] { return turn == 1; });
      turn = 0;
      cv.notify_one();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    std::unique_lock lock(m);
    turn = 1;
    cv.notify_one();
    cv.wait(lock, [&] { return turn == 0; });
  }
  all.wait();
}

MATRIX_TEST(ConditionVariable, MayBeDestroyedOnceAllAreNotified) {
  for (int i = 0; i < scaled(1000); ++i) {
    mutex m;
    auto cv = std::make_unique<condition_variable>();
    bool ready = false;
    runnel::go([&] {
      const std::scoped_lock lock(m);
      ready = true;
      cv->notify_one();
    });
    std::unique_lock lock(m);
    cv->wait(lock, [&] { return ready; });
    cv.reset();
  }
}

// Who waited for a limited time, or with a token, may be on its way from that when it is notified.
MATRIX_TEST(ConditionVariable, MayBeDestroyedOnceAllAreNotifiedWhosoeverWaited) {
  for (int i = 0; i < scaled(1000); ++i) {
    mutex m;
    auto cv = std::make_unique<condition_variable>();
    const auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 20us);
    int begun = 0;
    wait_group all;
    for (int k = 0; k < 3; ++k)
      all.go([&, k, &ctx = ctx] {
        std::unique_lock lock(m);
        ++begun;
        if (k == 0) (void)cv->wait_for(lock, std::chrono::microseconds(i % 40));
        if (k == 1) (void)cv->wait_for(lock, 0s);
        if (k == 2) (void)cv->wait(lock, ctx);
      });
    while (cv != nullptr) {
      runnel::yield();
      const std::scoped_lock lock(m);
      if (begun < 3) continue;
      cv->notify_all();
      cv.reset();
    }
    all.wait();
  }
}

}  // namespace
