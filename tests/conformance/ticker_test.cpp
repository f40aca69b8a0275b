// ticker and tick.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::ticker;
using time_point = runnel::clock::time_point;

static_assert(std::is_move_constructible_v<ticker> && std::is_move_assignable_v<ticker>);
static_assert(!std::is_copy_constructible_v<ticker>);

template <class F>
std::string invalid_argument_text(F f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing thrown";
}

constexpr const char* non_positive = "non-positive interval for ticker";

MATRIX_TEST(Ticker, TicksAtItsPeriodAndAtTheNewOneAfterReset_TK01) {
  const stopwatch watch;
  ticker t(10ms);
  time_point last{};
  for (int i = 0; i < 5; ++i) {
    const auto due = t.chan().recv();
    ASSERT_TRUE(due);
    EXPECT_GT(*due, last);
    EXPECT_LE(*due, runnel::clock::now());
    last = *due;
  }
  EXPECT_GE(watch.elapsed(), 50ms);
  const stopwatch second;
  t.reset(20ms);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(t.chan().recv());
  EXPECT_GE(second.elapsed(), 100ms);
  EXPECT_LT(watch.elapsed(), 5s * patience);
  t.stop();
}

MATRIX_TEST(Ticker, DueTimesAreWholePeriodsApart_TK01) {
  ticker t(3ms);
  const auto first = *t.chan().recv();
  for (int i = 0; i < 10; ++i) {
    const auto due = *t.chan().recv();
    EXPECT_EQ((due - first) % 3ms, 0ns);
  }
}

MATRIX_TEST(Ticker, StoppedItTicksNoMore_TK02) {
  ticker t(5ms);
  EXPECT_TRUE(t.chan().recv());
  t.stop();
  EXPECT_TRUE(t.chan().recv_for(20ms).timed_out());
  t.stop();
}

MATRIX_TEST(Ticker, NonPositivePeriodsThrow_TK03_TK04) {
  EXPECT_EQ(invalid_argument_text([] { ticker t(0s); }), non_positive);
  EXPECT_EQ(invalid_argument_text([] { ticker t(-1s); }), non_positive);
  ticker t(1h);
  EXPECT_EQ(invalid_argument_text([&] { t.reset(0s); }), non_positive);
  EXPECT_EQ(invalid_argument_text([&] { t.reset(-1ns); }), non_positive);
  t.reset(1ms);  // no lock was left held by the failed ones
  EXPECT_TRUE(t.chan().recv());
}

MATRIX_TEST(Ticker, TickOfANonPositivePeriodIsTheNilChannel_TK05) {
  EXPECT_FALSE(runnel::tick(0s));
  EXPECT_FALSE(runnel::tick(-1s));
  const auto c = runnel::tick(2ms);
  EXPECT_TRUE(c);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(c.recv());
}

MATRIX_TEST(Ticker, TearsDownWithoutADeadlock_TK06) {
  for (int i = 0; i < 3; ++i) {
    ticker t(5ms);
    EXPECT_TRUE(t.chan().recv());
    t.stop();
  }
}

MATRIX_TEST(Ticker, ASlowReceiverGetsTheFirstTickAndLosesTheLater_TK07) {
  const auto start = runnel::clock::now();
  ticker t(10ms);
  const auto made = runnel::clock::now();
  runnel::sleep_for(150ms);
  const auto first = t.chan().try_recv();
  ASSERT_TRUE(first);
  EXPECT_GE(*first, start + 10ms);
  EXPECT_LE(*first, made + 10ms);
  const auto second = t.chan().recv();
  ASSERT_TRUE(second);
  EXPECT_GE(*second, start + 150ms);
  t.stop();
}

MATRIX_TEST(Ticker, ASlowReceiverGetsNoBurst_TK07) {
  ticker t(2ms);
  runnel::sleep_for(60ms);
  int burst = 0;
  const stopwatch watch;
  while (t.chan().try_recv()) ++burst;
  // The one kept, plus what fell due while this loop ran.
  EXPECT_LE(burst, 2 + watch.elapsed() / 2ms);
}

MATRIX_TEST(Ticker, TheShortestPeriodFeedsManyReceivers_TK08) {
  for (const int receivers : {1, 10}) {
    ticker t(1ns);
    runnel::wait_group all;
    for (int r = 0; r < receivers; ++r)
      all.go([&] {
        for (int i = 0; i < 100; ++i) EXPECT_TRUE(t.chan().recv());
      });
    all.wait();
  }
}

MATRIX_TEST(Ticker, NoOldTickSurvivesResetOrStop_TK09) {
  ticker t(1ms);
  runnel::sleep_for(10ms);
  t.reset(1h);
  EXPECT_TRUE(t.chan().try_recv().empty());
  t.reset(1ms);
  runnel::sleep_for(10ms);
  t.stop();
  EXPECT_TRUE(t.chan().try_recv().empty());
  EXPECT_TRUE(t.chan().recv_for(10ms).timed_out());
}

MATRIX_TEST(Ticker, ResetRevivesAStoppedOne_TK04) {
  ticker t(1h);
  t.stop();
  t.reset(2ms);
  EXPECT_TRUE(t.chan().recv());
  EXPECT_TRUE(t.chan().recv());
}

MATRIX_TEST(Ticker, ResetReachesAParkedReceiver) {
  ticker t(1h);
  runnel::chan<void> got;
  runnel::go([=, c = t.chan()] {
    c.recv();
    got.send();
  });
  EXPECT_TRUE(got.recv_for(5ms).timed_out());
  t.reset(1ms);
  EXPECT_TRUE(got.recv());
}

MATRIX_TEST(Ticker, DestroyingItStopsIt) {
  runnel::recv_chan<time_point> c;
  {
    ticker t(2ms);
    c = t.chan();
    EXPECT_TRUE(c.recv());
  }
  EXPECT_TRUE(c.recv_for(20ms).timed_out());
}

MATRIX_TEST(Ticker, MovingKeepsItGoing) {
  ticker a(2ms);
  const auto c = a.chan();
  ticker b = std::move(a);
  EXPECT_TRUE(c.recv());
  EXPECT_TRUE(b.chan() == c);
  ticker other(1h);
  other = std::move(b);
  EXPECT_TRUE(c.recv());
  other.stop();
  EXPECT_TRUE(c.recv_for(10ms).timed_out());
}

MATRIX_TEST(Ticker, TheLargestPeriodLeavesOthersAlone_TM28) {
  ticker huge(std::chrono::nanoseconds::max());
  ticker t(2ms);
  EXPECT_EQ(runnel::select(runnel::on_recv(huge.chan()), runnel::on_recv(t.chan())), 1U);
  EXPECT_EQ(runnel::select(runnel::on_recv(huge.chan()), runnel::on_recv(t.chan())), 1U);
  huge.reset(1ms);
  EXPECT_TRUE(huge.chan().recv());
  huge.reset(std::chrono::hours::max());
  EXPECT_TRUE(t.chan().recv());
}

MATRIX_TEST(Ticker, WorksInASelect) {
  ticker t(2ms);
  runnel::chan<void> stop;
  int ticks = 0;
  runnel::after_func(40ms, [=] { stop.close(); });
  bool going = true;
  while (going)
    runnel::select(runnel::on_recv(t.chan(),
                                   [&](std::optional<time_point> due) {
                                     EXPECT_TRUE(due);
                                     ++ticks;
                                   }),
                   runnel::on_recv(stop, [&] { going = false; }));
  EXPECT_GE(ticks, 1);
}

MATRIX_TEST_THREAD(Ticker, WorksOnAPlainThread) {
  const stopwatch watch;
  ticker t(5ms);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(t.chan().recv());
  EXPECT_GE(watch.elapsed(), 15ms);
}

}  // namespace
