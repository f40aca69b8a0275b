// rate_limiter: waiting, reservations, bad parameters.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::context;
using runnel::context_errc;
using runnel::rate_limiter;
using runnel::with_cancel;
using runnel::with_timeout;

constexpr double hardly_any = 1.0 / 3600;

MATRIX_TEST(RateLimiterWait, SpacesCallersAtTheRate) {
  rate_limiter limit(1000, 1);
  const stopwatch watch;
  for (int i = 0; i < 21; ++i) EXPECT_FALSE(limit.wait(background()));
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_LT(watch.elapsed(), 5s * patience);
}

MATRIX_TEST(RateLimiterWait, ManyWaitersTogetherGetTheRateAndNoMore) {
  rate_limiter limit(2000, 5);
  const stopwatch watch;
  std::atomic<int> through{0};
  runnel::wait_group all;
  for (int g = 0; g < 9; ++g)
    all.go([&] {
      for (int i = 0; i < 5; ++i)
        if (!limit.wait(background())) ++through;
    });
  all.wait();
  EXPECT_EQ(through, 45);
  EXPECT_GE(watch.elapsed(), 20ms);  // 40 beyond the burst
}

MATRIX_TEST_THREAD(RateLimiterWait, WorksOnAPlainThread) {
  rate_limiter limit(100, 1);
  EXPECT_TRUE(limit.allow());
  const stopwatch watch;
  EXPECT_FALSE(limit.wait(background()));
  EXPECT_GE(watch.elapsed(), 8ms);
}

MATRIX_TEST(RateLimiterWait, AContextThatIsDoneWinsAndNothingIsTaken) {
  rate_limiter limit(hardly_any, 1);
  auto [ctx, cancel] = with_cancel(background());
  cancel();
  EXPECT_TRUE(limit.wait(ctx).is(context_errc::canceled));
  EXPECT_TRUE(limit.allow());
}

MATRIX_TEST(RateLimiterWait, ADeadlineThatIsTooEarlyFailsAtOnce) {
  rate_limiter limit(hardly_any, 1);
  EXPECT_TRUE(limit.allow());
  auto [ctx, cancel] = with_timeout(background(), 30min);
  const stopwatch watch;
  const runnel::error e = limit.wait(ctx);
  EXPECT_LT(watch.elapsed(), 5s * patience);
  EXPECT_TRUE(e.is(context_errc::deadline_exceeded)) << e.message();
  EXPECT_FALSE(ctx.err());
}

MATRIX_TEST(RateLimiterWait, MoreThanTheBurstFailsAtOnce) {
  rate_limiter limit(1000, 2);
  EXPECT_TRUE(limit.wait(background(), 3).is(std::errc::invalid_argument));
  EXPECT_FALSE(limit.wait(background(), 2));
}

MATRIX_TEST(RateLimiterWait, OneThatIsCancelledGivesItsTokensBack) {
  rate_limiter limit(hardly_any, 2);
  EXPECT_TRUE(limit.allow(1));
  auto [ctx, cancel] = with_cancel(background());
  runnel::wait_group waiting;
  waiting.go([&, c = context(ctx)] { EXPECT_TRUE(limit.wait(c, 2).is(context_errc::canceled)); });
  EXPECT_TRUE(until_blocked("select"));
  EXPECT_LT(limit.tokens(), 0);
  cancel();
  waiting.wait();
  EXPECT_TRUE(limit.allow(1));
  EXPECT_FALSE(limit.allow(1));
}

MATRIX_TEST(RateLimiterReserve, SaysHowLongToWait) {
  rate_limiter limit(10, 2);
  const auto first = limit.reserve(2);
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(first.delay(), 0ns);
  const auto second = limit.reserve();
  EXPECT_TRUE(second.ok());
  EXPECT_LE(second.delay(), 100ms);
  EXPECT_GT(second.time(), first.time());
  const auto third = limit.reserve(2);
  EXPECT_GE(third.time() - second.time(), 199ms);
  EXPECT_LE(third.time() - second.time(), 201ms);
}

MATRIX_TEST(RateLimiterReserve, MoreThanTheBurstIsNotOk) {
  rate_limiter limit(10, 2);
  auto r = limit.reserve(3);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.delay(), runnel::clock::duration::max());
  r.cancel();
  EXPECT_TRUE(limit.allow(2));
}

MATRIX_TEST(RateLimiterReserve, CancelGivesBackOnce) {
  rate_limiter limit(hardly_any, 3);
  EXPECT_TRUE(limit.allow(2));
  auto r = limit.reserve(3);
  auto moved = std::move(r);
  r.cancel();  // no longer its own
  EXPECT_FALSE(limit.allow());
  moved.cancel();
  moved.cancel();
  EXPECT_TRUE(limit.allow());
  EXPECT_FALSE(limit.allow());
}

MATRIX_TEST(RateLimiterReserve, CancelKeepsWhatLaterOnesAreBuiltOn) {
  rate_limiter limit(hardly_any, 2);
  EXPECT_TRUE(limit.allow(2));
  auto early = limit.reserve(1);
  const auto late = limit.reserve(2);
  EXPECT_TRUE(late.ok());
  early.cancel();
  EXPECT_NEAR(limit.tokens(), -3, 0.1);
}

MATRIX_TEST(RateLimiter, BadParametersThrow) {
  const auto make = [](double rate, int burst) { rate_limiter limit(rate, burst); };
  EXPECT_THROW(make(0, 1), std::invalid_argument);
  EXPECT_THROW(make(-1, 1), std::invalid_argument);
  EXPECT_THROW(make(std::numeric_limits<double>::quiet_NaN(), 1), std::invalid_argument);
  EXPECT_THROW(make(1, 0), std::invalid_argument);
  EXPECT_THROW(make(1, -1), std::invalid_argument);
  rate_limiter limit(5, 1);
  EXPECT_THROW(limit.set_rate(0), std::invalid_argument);
  EXPECT_THROW(limit.allow(-1), std::invalid_argument);
  EXPECT_THROW((void)limit.wait(background(), -1), std::invalid_argument);
  EXPECT_THROW((void)limit.reserve(-1), std::invalid_argument);
  EXPECT_EQ(limit.rate(), 5);
  EXPECT_TRUE(limit.allow());
}

MATRIX_TEST(RateLimiter, AnInfiniteRateLetsEverythingThrough) {
  rate_limiter limit(std::numeric_limits<double>::infinity(), 1);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(limit.allow(50));
  EXPECT_FALSE(limit.wait(background(), 50));
  EXPECT_EQ(limit.reserve(50).delay(), 0ns);
  limit.set_rate(hardly_any);
  EXPECT_TRUE(limit.allow());
  EXPECT_FALSE(limit.allow());
}

}  // namespace
