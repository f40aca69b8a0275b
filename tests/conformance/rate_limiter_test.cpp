// rate_limiter: a token bucket. Waiting under a context is in the context tests.
#include <gtest/gtest.h>

#include <atomic>

#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::rate_limiter;

// One token an hour: what a test takes is the burst and nothing else.
constexpr double hardly_any = 1.0 / 3600;

MATRIX_TEST(RateLimiter, ABurstIsAllowedAtOnceAndNoMore) {
  rate_limiter limit(hardly_any, 3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.allow());
  EXPECT_FALSE(limit.allow());
  EXPECT_FALSE(limit.allow());
}

MATRIX_TEST(RateLimiter, AllowTakesSeveralOrNone) {
  rate_limiter limit(hardly_any, 5);
  EXPECT_FALSE(limit.allow(6));
  EXPECT_TRUE(limit.allow(3));
  EXPECT_FALSE(limit.allow(3));
  EXPECT_TRUE(limit.allow(2));
  EXPECT_FALSE(limit.allow(1));
}

MATRIX_TEST(RateLimiter, RefillsAtItsRateAndNotFaster) {
  rate_limiter limit(1000, 1);
  const stopwatch watch;
  int granted = 0;
  while (granted < 50) {
    if (limit.allow())
      ++granted;
    else
      runnel::sleep_for(200us);
  }
  EXPECT_GE(watch.elapsed(), 48ms);
  EXPECT_LT(watch.elapsed(), 10s * patience);
}

MATRIX_TEST(RateLimiter, NeverHoldsMoreThanTheBurst) {
  rate_limiter limit(1000, 2);
  runnel::sleep_for(50ms);
  int granted = 0;
  const stopwatch watch;
  while (limit.allow()) ++granted;
  EXPECT_GE(granted, 2);
  EXPECT_LE(granted, 3 + watch.elapsed() / 1ms);
}

MATRIX_TEST(RateLimiter, SetRateAppliesFromThenOn) {
  rate_limiter limit(hardly_any, 1);
  EXPECT_TRUE(limit.allow());
  EXPECT_FALSE(limit.allow());
  limit.set_rate(1000);
  EXPECT_TRUE(eventually([&] { return limit.allow(); }));
  limit.set_rate(hardly_any);
  limit.allow();
  EXPECT_FALSE(limit.allow());
}

MATRIX_TEST(RateLimiter, WhatIsGivenBackIsNotMoreThanWasTaken) {
  rate_limiter limiter(hardly_any, 10);
  (void)limiter.reserve(10);
  auto second = limiter.reserve(10);
  EXPECT_TRUE(limiter.allow(0));
  second.cancel();
  EXPECT_LT(limiter.tokens(), 1);
  EXPECT_FALSE(limiter.allow(2));
}

MATRIX_TEST(RateLimiter, ManyTakersNeverGetMoreThanThereIs) {
  rate_limiter limit(hardly_any, 100);
  std::atomic<int> granted{0};
  runnel::wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([&] {
      for (int i = 0; i < 50; ++i) {
        if (limit.allow()) ++granted;
        if (i % 10 == 0) runnel::yield();
      }
    });
  all.wait();
  EXPECT_EQ(granted, 100);
}

}  // namespace
