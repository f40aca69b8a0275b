// mutex and timed_mutex.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
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
using runnel::mutex;
using runnel::timed_mutex;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<mutex> && !std::is_move_constructible_v<mutex>);
static_assert(std::is_default_constructible_v<mutex>);  // MU-07

MATRIX_TEST(Mutex, TryLockSaysWhetherItWasFree_MU01) {
  mutex m;
  EXPECT_TRUE(m.try_lock());
  EXPECT_FALSE(m.try_lock());
  m.unlock();
  m.lock();
  EXPECT_FALSE(m.try_lock());
  m.unlock();
}

template <class M>
void hammer(M& m) {
  long counter = 0;
  long expected = 0;
  std::atomic<long> tried{0};
  wait_group all;
  const int rounds = scaled(1000);
  for (int g = 0; g < 10; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        if (i % 3 == 0) {
          if (!m.try_lock()) continue;
          ++tried;
        } else {
          m.lock();
        }
        ++counter;
        m.unlock();
      }
    });
  all.wait();
  for (int i = 0; i < rounds; ++i) expected += i % 3 != 0 ? 10 : 0;
  EXPECT_EQ(counter, expected + tried);
}

MATRIX_TEST(Mutex, NoLockIsLost_MU02_MU10) {
  mutex m;
  hammer(m);
}

MATRIX_TEST(TimedMutex, NoLockIsLost_MU02) {
  timed_mutex m;
  hammer(m);
}

MATRIX_TEST(Mutex, IsHeldAcrossBlockingCalls_MU02) {
  mutex m;
  int inside = 0;
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([&] {
      for (int i = 0; i < 20; ++i) {
        const std::scoped_lock lock(m);
        EXPECT_EQ(++inside, 1);
        if (i % 4 == 0)
          runnel::sleep_for(100us);
        else
          runnel::yield();
        EXPECT_EQ(--inside, 0);
      }
    });
  all.wait();
}

// A hog that holds the lock nearly always cannot keep another out: a waiter starved for 1 ms is handed the mutex.
MATRIX_TEST(Mutex, AHogDoesNotStarveOthers_MU04_MU06) {
  mutex m;
  std::atomic<bool> stop{false};
  wait_group hog;
  hog.go([&] {
    while (!stop) {
      const std::scoped_lock lock(m);
      const stopwatch hold;
      while (hold.elapsed() < 100us) {
      }
    }
  });
  const stopwatch watch;
  for (int i = 0; i < 10; ++i) {
    runnel::sleep_for(100us);
    const std::scoped_lock lock(m);
  }
  EXPECT_LT(watch.elapsed(), 10s);
  stop = true;
  hog.wait();
}

MATRIX_TEST(Mutex, AHogThatSleepsWhileHoldingDoesNotStarveOthers_MU04) {
  mutex m;
  std::atomic<bool> stop{false};
  wait_group hog;
  hog.go([&] {
    while (!stop) {
      const std::scoped_lock lock(m);
      runnel::sleep_for(100us);
    }
  });
  const stopwatch watch;
  for (int i = 0; i < 10; ++i) {
    runnel::sleep_for(100us);
    const std::scoped_lock lock(m);
  }
  EXPECT_LT(watch.elapsed(), 10s);
  stop = true;
  hog.wait();
}

MATRIX_TEST(Mutex, AnotherGoroutineMayUnlock_MU05) {
  mutex m;
  m.lock();
  runnel::go([&] { m.unlock(); });
  m.lock();
  m.unlock();
}

MATRIX_TEST(Mutex, AThreadMayUnlockWhatAGoroutineLocked_MU05) {
  mutex m;
  m.lock();
  std::thread t([&] { m.unlock(); });
  m.lock();
  runnel::blocking([&] { t.join(); });
  m.unlock();
}

MATRIX_TEST(Mutex, StandardLocksWorkWithIt) {
  mutex a;
  timed_mutex b;
  {
    const std::scoped_lock both(a, b);
    EXPECT_FALSE(a.try_lock());
    EXPECT_FALSE(b.try_lock());
  }
  {
    const std::lock_guard lock(a);
    std::unique_lock second(b, std::defer_lock);
    EXPECT_TRUE(second.try_lock());
    second.unlock();
    EXPECT_TRUE(second.try_lock_for(1ms));
    std::unique_lock third(b, 1ms);
    EXPECT_FALSE(third.owns_lock());
  }
  EXPECT_TRUE(a.try_lock());
  a.unlock();
}

MATRIX_TEST(Mutex, AWaiterShowsInTheGoroutineList_MU08) {
  mutex m;
  m.lock();
  wait_group all;
  all.go([&] { const std::scoped_lock lock(m); });
  EXPECT_TRUE(until_blocked("sync.Mutex.Lock"));
  m.unlock();
  all.wait();
}

MATRIX_TEST_THREAD(Mutex, ExcludesThreadsAndGoroutines_MU02) {
  mutex m;
  long counter = 0;
  const int rounds = scaled(2000);
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock lock(m);
        ++counter;
      }
    });
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock lock(m);
        ++counter;
      }
    });
  for (auto& t : threads) t.join();
  all.wait();
  EXPECT_EQ(counter, 6L * rounds);
}

// The lifetime rule: whoever got the lock last may destroy the mutex while the former owner's unlock() returns.
MATRIX_TEST(Mutex, MayBeDestroyedByTheNextOwner) {
  for (int i = 0; i < scaled(5000); ++i) {
    auto m = std::make_unique<mutex>();
    m->lock();
    runnel::go([p = m.get()] { p->unlock(); });
    if (i % 2 == 0) runnel::yield();
    m->lock();
    m->unlock();
    m.reset();
  }
}

MATRIX_TEST(TimedMutex, TryLockForGivesUpInTime) {
  timed_mutex m;
  EXPECT_TRUE(m.try_lock_for(0s));
  EXPECT_FALSE(m.try_lock_for(0s));
  EXPECT_FALSE(m.try_lock_for(-1h));
  const stopwatch watch;
  EXPECT_FALSE(m.try_lock_for(15ms));
  EXPECT_GE(watch.elapsed(), 15ms);
  EXPECT_FALSE(m.try_lock_until(runnel::clock::now() + 5ms));
  EXPECT_FALSE(m.try_lock_until(std::chrono::steady_clock::now() + 5ms));
  EXPECT_GE(watch.elapsed(), 25ms);
  m.unlock();
  EXPECT_TRUE(m.try_lock_until(runnel::clock::now() - 1h));
  m.unlock();
}

MATRIX_TEST(TimedMutex, TryLockForTakesItWhenItBecomesFree) {
  timed_mutex m;
  m.lock();
  wait_group all;
  all.go([&] {
    EXPECT_TRUE(m.try_lock_for(1h));
    m.unlock();
  });
  EXPECT_TRUE(until_blocked("sync.Mutex.Lock"));
  m.unlock();
  all.wait();
}

MATRIX_TEST(TimedMutex, WaitersThatGaveUpLeaveNoTrace) {
  timed_mutex m;
  m.lock();
  wait_group all;
  for (int i = 0; i < 20; ++i) all.go([&] { EXPECT_FALSE(m.try_lock_for(2ms)); });
  all.wait();
  m.unlock();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

// Timeouts and hand-over meet at every moment; whoever is told true has the lock, alone.
MATRIX_TEST(TimedMutex, TimeoutsRacingUnlocksLoseNothing) {
  timed_mutex m;
  std::atomic<int> inside{0};
  wait_group all;
  for (int g = 0; g < 6; ++g)
    all.go([&, g] {
      for (int i = 0; i < scaled(300); ++i) {
        if (!m.try_lock_for(std::chrono::microseconds((i * 7 + g) % 60))) continue;
        EXPECT_EQ(++inside, 1);
        if (i % 5 == 0) runnel::sleep_for(30us);
        --inside;
        m.unlock();
      }
    });
  all.wait();
  EXPECT_TRUE(m.try_lock());
  m.unlock();
}

MATRIX_TEST_THREAD(TimedMutex, TimesOutOnAPlainThread) {
  timed_mutex m;
  m.lock();
  const stopwatch watch;
  EXPECT_FALSE(m.try_lock_for(15ms));
  EXPECT_GE(watch.elapsed(), 15ms);
  runnel::go([&] { m.unlock(); });
  EXPECT_TRUE(m.try_lock_for(10s));
  m.unlock();
}

}  // namespace
