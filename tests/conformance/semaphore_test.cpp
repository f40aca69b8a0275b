// semaphore: weighted and first come, first served. The forms with a context are in the context tests.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::semaphore;
using runnel::wait_group;

static_assert(!std::is_copy_constructible_v<semaphore> && !std::is_move_constructible_v<semaphore>);

MATRIX_TEST(Semaphore, WeightsOfAllSizesNeverExceedTheWhole_SM01) {
  constexpr std::int64_t n = 8;
  semaphore s(n);
  std::atomic<std::int64_t> held{0};
  wait_group all;
  for (std::int64_t weight = 0; weight < n; ++weight)
    all.go([&, weight] {
      for (int i = 0; i < scaled(500); ++i) {
        s.acquire(weight);
        EXPECT_LE(held += weight, n);
        if (i % 8 == 0) runnel::yield();
        held -= weight;
        s.release(weight);
      }
    });
  all.wait();
  EXPECT_TRUE(s.try_acquire(n));
  s.release(n);
}

MATRIX_TEST(Semaphore, ReleasingTooMuchThrows_SM02) {
  semaphore s(1);
  EXPECT_THROW(s.release(1), std::logic_error);
  s.acquire();
  EXPECT_THROW(s.release(2), std::logic_error);
}

MATRIX_TEST(Semaphore, TryAcquire_SM03) {
  semaphore s(2);
  s.acquire();
  EXPECT_TRUE(s.try_acquire());
  EXPECT_FALSE(s.try_acquire());
  s.release(2);
  EXPECT_TRUE(s.try_acquire());
  s.acquire();
  EXPECT_FALSE(s.try_acquire());
  s.release(2);
  EXPECT_FALSE(s.try_acquire(3));
}

MATRIX_TEST(Semaphore, AskingForMoreThanTheWholeThrowsAndDisturbsNobody_SM05) {
  semaphore s(2);
  EXPECT_THROW(s.acquire(3), std::invalid_argument);
  s.acquire(2);
  EXPECT_THROW(s.acquire(3), std::invalid_argument);
  s.release(2);
  wait_group all;
  for (int i = 0; i < 6; ++i)
    all.go([&] {
      s.acquire(1);
      runnel::yield();
      s.release(1);
    });
  all.wait();
}

MATRIX_TEST(Semaphore, ALargeRequestIsNotOvertaken_SM06) {
  constexpr std::int64_t n = 4;
  semaphore s(n);
  std::atomic<bool> stop{false};
  wait_group holders;
  wait_group started;
  started.add(static_cast<int>(n));
  for (std::int64_t i = 0; i < n; ++i)
    holders.go([&] {
      s.acquire(1);
      started.done();
      while (!stop) {
        runnel::sleep_for(1ms);
        s.release(1);
        s.acquire(1);
      }
      s.release(1);
    });
  started.wait();
  const stopwatch watch;
  s.acquire(n);
  EXPECT_LT(watch.elapsed(), 10s);
  stop = true;
  s.release(n);
  holders.wait();
}

MATRIX_TEST(Semaphore, ServesInOrderOfArrival_SM06) {
  semaphore s(4);
  s.acquire(4);
  runnel::chan<int> order(3);
  wait_group all;
  const auto request = [&](int id, std::int64_t weight, std::size_t waiting) {
    all.go([&s, order, id, weight] {
      s.acquire(weight);
      order.send(id);
    });
    EXPECT_TRUE(until_blocked("semacquire", waiting));
  };
  request(1, 3, 1);
  request(2, 1, 2);
  request(3, 2, 3);
  s.release(1);  // not enough for the first; the second would fit but has to wait its turn
  EXPECT_TRUE(order.recv_for(10ms).timed_out());
  s.release(2);
  EXPECT_EQ(order.recv(), 1);
  EXPECT_TRUE(order.recv_for(10ms).timed_out());
  s.release(1);
  EXPECT_EQ(order.recv(), 2);
  s.release(2);
  EXPECT_EQ(order.recv(), 3);
  all.wait();
}

MATRIX_TEST(Semaphore, TryAcquireDoesNotBargeInFrontOfWaiters_SM10) {
  semaphore s(3);
  s.acquire(2);
  wait_group all;
  all.go([&] {
    s.acquire(3);
    s.release(3);
  });
  EXPECT_TRUE(until_blocked("semacquire"));
  EXPECT_FALSE(s.try_acquire(1));  // one unit is free, but somebody waits
  s.release(2);
  all.wait();
  EXPECT_TRUE(s.try_acquire(3));
}

MATRIX_TEST(Semaphore, OneReleaseServesSeveralWaiters) {
  semaphore s(3);
  s.acquire(3);
  wait_group all;
  for (int i = 0; i < 3; ++i) all.go([&] { s.acquire(1); });
  EXPECT_TRUE(until_blocked("semacquire", 3));
  s.release(3);
  all.wait();
  EXPECT_FALSE(s.try_acquire());
}

MATRIX_TEST_THREAD(Semaphore, WorksBetweenThreadsAndGoroutines_SM01) {
  semaphore s(1);
  long counter = 0;
  const int rounds = scaled(1000);
  wait_group all;
  for (int g = 0; g < 2; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        s.acquire();
        ++counter;
        s.release();
      }
    });
  for (int i = 0; i < rounds; ++i) {
    s.acquire();
    ++counter;
    s.release();
  }
  all.wait();
  EXPECT_EQ(counter, 3L * rounds);
}

MATRIX_TEST(Semaphore, MayBeDestroyedAsSoonAsAcquireReturns) {
  for (int i = 0; i < scaled(3000); ++i) {
    auto s = std::make_unique<semaphore>(1);
    s->acquire();
    runnel::go([p = s.get()] { p->release(); });
    if (i % 2 == 0) runnel::yield();
    s->acquire();
    s.reset();
  }
}

}  // namespace
