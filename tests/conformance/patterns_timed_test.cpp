// The patterns that look at the clock, and those with several outputs.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/patterns.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/number_chan.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::recv_chan;

MATRIX_TEST(Batch, GroupsValuesInOrderAndSendsTheRestAtTheEnd) {
  const auto out = runnel::batch(numbers(10), 4, 1h);
  EXPECT_EQ(out.recv(), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(out.recv(), (std::vector<int>{4, 5, 6, 7}));
  EXPECT_EQ(out.recv(), (std::vector<int>{8, 9}));
  EXPECT_EQ(out.recv(), std::nullopt);
}

MATRIX_TEST(Batch, OfNothingIsClosedWithoutAnEmptyGroup) {
  EXPECT_EQ(runnel::batch(numbers(0), 4, 1ms).recv(), std::nullopt);
}

MATRIX_TEST(Batch, LeavesAfterItsTimeThoughItIsNotFull) {
  const chan<int> in;
  const auto out = runnel::batch(in, 100, 20ms);
  const stopwatch watch;
  in.send(1);
  in.send(2);
  EXPECT_EQ(out.recv(), (std::vector<int>{1, 2}));
  EXPECT_GE(watch.elapsed(), 20ms);
  in.send(3);
  EXPECT_EQ(out.recv(), (std::vector<int>{3}));
}

MATRIX_TEST(Batch, WithoutWaitingTakesWhatIsThere) {
  const chan<int> in(8);
  for (int i = 0; i < 5; ++i) in.send(i);
  const auto out = runnel::batch(in, 100, 0ms);
  EXPECT_EQ(out.recv(), (std::vector<int>{0, 1, 2, 3, 4}));
}

MATRIX_TEST(Batch, ForEverWaitsUntilItIsFull) {
  const chan<int> in;
  const auto out = runnel::batch(in, 2, std::chrono::hours::max());
  in.send(1);
  EXPECT_TRUE(until_blocked("select"));
  EXPECT_FALSE(out.try_recv());
  in.send(2);
  EXPECT_EQ(out.recv(), (std::vector<int>{1, 2}));
}

MATRIX_TEST(Batch, EndsWhenTheOutputIsDroppedInTheMiddleOfAGroup) {
  const chan<int> in;
  auto out = runnel::batch(in, 100, 1h);
  in.send(1);
  out = nullptr;  // the fixture sees whether it ends
}

MATRIX_TEST(Batch, OfNoValuesIsRefused) {
  EXPECT_THROW(runnel::batch(numbers(1), 0, 1ms), std::invalid_argument);
}

MATRIX_TEST(Debounce, GivesTheLastOfABurst) {
  const chan<int> in;
  const auto out = runnel::debounce(in, 30ms);
  for (int i = 0; i < 10; ++i) in.send(i);
  EXPECT_EQ(out.recv(), 9);
  in.send(10);
  EXPECT_EQ(out.recv(), 10);
}

MATRIX_TEST(Debounce, WaitsUntilItIsQuiet) {
  const chan<int> in;
  const auto out = runnel::debounce(in, 50ms);
  const stopwatch watch;
  in.send(1);
  EXPECT_EQ(out.recv(), 1);
  EXPECT_GE(watch.elapsed(), 50ms);
}

MATRIX_TEST(Debounce, GivesThePendingValueWhenTheInputCloses) {
  const stopwatch watch;
  const auto out = runnel::debounce(numbers(5), 1h);
  EXPECT_EQ(out.recv(), 4);
  EXPECT_EQ(out.recv(), std::nullopt);
  EXPECT_LT(watch.elapsed(), 30s);
}

MATRIX_TEST(Debounce, EndsWhenTheOutputIsDroppedWhileAValueIsPending) {
  const chan<int> in;
  auto out = runnel::debounce(in, 1h);
  in.send(1);
  out = nullptr;
}

MATRIX_TEST(Throttle, LetsValuesPassAtTheRateOfItsLimiter) {
  const stopwatch watch;
  const auto out = runnel::throttle(numbers(11), std::make_shared<runnel::rate_limiter>(200.0, 1));
  int expected = 0;
  for (int v : out) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 11);
  EXPECT_GE(watch.elapsed(), 49ms);
}

MATRIX_TEST(Throttle, EndsWhenTheOutputIsDroppedWhileAValueWaits) {
  auto limit = std::make_shared<runnel::rate_limiter>(1.0 / 3600, 1);
  auto out = runnel::throttle(numbers(3), limit);
  EXPECT_EQ(out.recv(), 0);
  EXPECT_TRUE(until_blocked("select"));
  out = nullptr;
  EXPECT_TRUE(
      eventually([&] { return limit->tokens() > -0.5; }));  // the reservation was given back
}

MATRIX_TEST(Throttle, WithoutALimiterIsRefused) {
  EXPECT_THROW(runnel::throttle(numbers(1), nullptr), std::invalid_argument);
}

MATRIX_TEST(FanOut, GivesEachValueToOneConsumer) {
  const auto outs = runnel::fan_out(numbers(300), 4);
  ASSERT_EQ(outs.size(), 4U);
  const chan<int> seen(300);
  runnel::wait_group consumers;
  for (const auto& out : outs) {
    consumers.go([&, out] {
      for (int v : out) seen.send(v);
    });
  }
  consumers.wait();
  seen.close();
  std::multiset<int> all;
  for (int v : seen) all.insert(v);
  EXPECT_EQ(all.size(), 300U);
  EXPECT_EQ(std::set<int>(all.begin(), all.end()).size(), 300U);
}

MATRIX_TEST(FanOut, LosesNothingWhenAConsumerStops) {
  auto outs = runnel::fan_out(numbers(10), 2);
  EXPECT_EQ(outs[0].recv(), 0);
  outs.erase(outs.begin());
  int expected = 1;
  for (int v : outs[0]) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 10);
}

MATRIX_TEST(FanOut, IntoNoneIsEmpty) { EXPECT_TRUE(runnel::fan_out(numbers(3), 0).empty()); }

MATRIX_TEST(FanOut, EndsItsSourceWhenAllAreDropped) {
  auto outs = runnel::fan_out(endless(), 3);
  EXPECT_TRUE(outs[1].recv());
  outs.clear();  // the fixture sees whether the source ends
}

MATRIX_TEST(Tee, GivesEveryValueToAllInOrder) {
  const auto outs = runnel::tee(numbers(50), 3);
  ASSERT_EQ(outs.size(), 3U);
  std::atomic<int> right{0};
  runnel::wait_group consumers;
  for (const auto& out : outs) {
    consumers.go([&, out] {
      int expected = 0;
      for (int v : out) right += v == expected++ ? 1 : 0;
    });
  }
  consumers.wait();
  EXPECT_EQ(right, 150);
}

MATRIX_TEST(Tee, DoesNotCareInWhichOrderItsOutputsAreRead) {
  const auto outs = runnel::tee(numbers(4), 2);
  for (int i = 0; i < 4; ++i) {
    const std::size_t first = i % 2 == 0 ? 1 : 0;
    EXPECT_EQ(outs[first].recv(), i);
    EXPECT_EQ(outs[1 - first].recv(), i);
  }
  EXPECT_EQ(outs[0].recv(), std::nullopt);
  EXPECT_EQ(outs[1].recv(), std::nullopt);
}

MATRIX_TEST(Tee, GoesOnWithoutAnOutputThatWasDropped) {
  auto outs = runnel::tee(numbers(20), 3);
  EXPECT_EQ(outs[0].recv(), 0);
  outs.erase(outs.begin() + 1);
  EXPECT_EQ(outs[1].recv(), 0);
  outs.erase(outs.begin());
  for (int i = 1; i < 20; ++i) EXPECT_EQ(outs[0].recv(), i);
  EXPECT_EQ(outs[0].recv(), std::nullopt);
}

MATRIX_TEST(Tee, EndsWhenAllOutputsAreDropped) {
  const chan<int> silent;
  auto idle = runnel::tee(silent, 3);
  auto busy = runnel::tee(endless(), 3);
  EXPECT_EQ(busy[2].recv(), 0);
  idle.clear();
  busy.clear();  // the fixture sees whether they end
}

MATRIX_TEST(Tee, IntoNoneIsEmptyAndLetsGoOfItsInput) {
  EXPECT_TRUE(runnel::tee(endless(), 0).empty());
}

MATRIX_TEST(Tee, CarriesEvents) {
  const chan<void> events(1);
  events.send();
  events.close();
  const auto outs = runnel::tee(events, 2);
  EXPECT_TRUE(outs[1].recv());
  EXPECT_TRUE(outs[0].recv());
  EXPECT_FALSE(outs[1].recv());
  EXPECT_FALSE(outs[0].recv());
}

MATRIX_TEST_THREAD(PatternsTimed, MayBeUsedFromPlainThreads) {
  EXPECT_EQ(runnel::batch(numbers(3), 10, 1h).recv(), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(runnel::debounce(numbers(3), 1h).recv(), 2);
  const auto outs = runnel::tee(numbers(1), 2);
  EXPECT_EQ(outs[1].recv(), 0);
  EXPECT_EQ(outs[0].recv(), 0);
}

}  // namespace
