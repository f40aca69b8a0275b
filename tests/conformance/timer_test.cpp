// timer, after and after_func: firing, stopping, and what may be received afterwards.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::timer;
using time_point = runnel::clock::time_point;

static_assert(std::is_move_constructible_v<timer> && std::is_move_assignable_v<timer>);
static_assert(!std::is_copy_constructible_v<timer>);
static_assert(
    std::is_same_v<decltype(std::declval<timer&>().chan()), runnel::recv_chan<time_point>>);

/// Polls until `t` has a value waiting by waiting past its due time on the same clock.
void wait_past(time_point due) { runnel::sleep_until(due + 2ms); }

MATRIX_TEST(Timer, AfterIsNeverEarly_TM02) {
  const auto start = runnel::clock::now();
  const std::optional<time_point> due = runnel::after(30ms).recv();
  const auto end = runnel::clock::now();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, start + 30ms);
  EXPECT_GE(end, *due);
}

MATRIX_TEST_THREAD(Timer, AfterOnAPlainThread_TM02) {
  const auto start = runnel::clock::now();
  const auto due = runnel::after(30ms).recv();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, start + 30ms);
  EXPECT_GE(runnel::clock::now(), start + 30ms);
}

MATRIX_TEST(Timer, TenInARowAddUp_TM03) {
  const stopwatch watch;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(runnel::after(10ms).recv());
  EXPECT_GE(watch.elapsed(), 100ms);
  EXPECT_LT(watch.elapsed(), 3s * patience);
}

MATRIX_TEST(Timer, FiresInOrderOfDueTimes_TM05) {
  // Order between goroutines woken close together is the scheduler's business, so the distances grow until they
  // are larger than the disturbance.
  bool in_order = false;
  for (auto delta = 20ms; delta <= 320ms && !in_order; delta *= 2) {
    const std::vector<int> slots{5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    runnel::chan<int> fired(slots.size());
    const auto start = runnel::clock::now();
    for (const int slot : slots)
      runnel::go([=] {
        const auto due = runnel::after(slot * delta).recv();
        EXPECT_GE(*due, start + slot * delta);
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

MATRIX_TEST(Timer, StopKeepsItFromFiring_TM06) {
  timer a(20ms);
  timer b(40ms);
  timer c(60ms);
  timer d(80ms);
  EXPECT_TRUE(a.stop());
  EXPECT_TRUE(c.stop());
  EXPECT_TRUE(b.chan().recv());
  EXPECT_TRUE(d.chan().recv());
  EXPECT_TRUE(a.chan().try_recv().empty());
  EXPECT_TRUE(c.chan().try_recv().empty());
  EXPECT_FALSE(a.stop());
  EXPECT_FALSE(b.stop());
  EXPECT_FALSE(c.stop());
}

MATRIX_TEST(Timer, StopAfterReceiptIsFalse_TM20) {
  timer t(1ms);
  EXPECT_TRUE(t.chan().recv());
  EXPECT_FALSE(t.stop());
}

MATRIX_TEST(Timer, ExpiredButNotReceivedStopIsTrueAndTheValueIsGone_TM18) {
  timer t(1ms);
  wait_past(runnel::clock::now() + 1ms);
  EXPECT_TRUE(t.stop());
  EXPECT_TRUE(t.chan().try_recv().empty());
  EXPECT_TRUE(t.chan().recv_for(10ms).timed_out());
  EXPECT_FALSE(t.stop());
}

MATRIX_TEST(Timer, ResetOfAnExpiredOneLeavesNoStaleValue_TM19) {
  timer t(1ms);
  wait_past(runnel::clock::now() + 1ms);
  const auto again = runnel::clock::now();
  EXPECT_TRUE(t.reset(30ms));
  EXPECT_TRUE(t.chan().try_recv().empty());
  const auto due = t.chan().recv();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, again + 30ms);
  EXPECT_TRUE(t.chan().try_recv().empty());
}

MATRIX_TEST(Timer, ResetMovesItAndSaysWhetherItWasPending_TM11) {
  timer t(60ms);
  runnel::sleep_for(10ms);
  const auto moved = runnel::clock::now();
  EXPECT_TRUE(t.reset(50ms));
  const auto due = t.chan().recv();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, moved + 50ms);
  EXPECT_GE(runnel::clock::now(), moved + 50ms);
  EXPECT_FALSE(t.reset(5ms));
  EXPECT_TRUE(t.chan().recv());
}

MATRIX_TEST(Timer, ResetRevivesAStoppedOne_TM11) {
  timer t(1h);
  EXPECT_TRUE(t.stop());
  EXPECT_FALSE(t.reset(5ms));
  EXPECT_TRUE(t.chan().recv());
}

MATRIX_TEST(Timer, MovedEarlierManyTimesItStillFires_TM15) {
  for (int i = 0; i < scaled(500); ++i) {
    timer t(1h);
    for (int k = 0; k < 10; ++k) {
      EXPECT_TRUE(t.stop());
      t.reset(k % 2 == 0 ? std::chrono::nanoseconds(30min) : std::chrono::nanoseconds(-1h));
    }
    ASSERT_TRUE(t.chan().recv_for(8s)) << i;
  }
}

MATRIX_TEST(Timer, ZeroOrLessFiresAtOnce_TM10_TM35) {
  EXPECT_TRUE(timer(0s).chan().try_recv());
  EXPECT_TRUE(timer(-1h).chan().try_recv());
  EXPECT_TRUE(runnel::after(std::chrono::nanoseconds::min()).try_recv());
  const stopwatch watch;
  EXPECT_TRUE(runnel::after(0s).recv());
  EXPECT_TRUE(runnel::after(std::chrono::hours::min()).recv());
  EXPECT_LT(watch.elapsed(), 1s * patience);
}

MATRIX_TEST(Timer, TheLargestDurationNeverFires_TM09) {
  timer a(std::chrono::nanoseconds::max());
  timer b(std::chrono::hours::max());
  const auto c = runnel::after(std::chrono::years::max());
  int early = 0;
  const std::size_t which = runnel::select(
      runnel::on_recv(a.chan(), [&] { ++early; }), runnel::on_recv(b.chan(), [&] { ++early; }),
      runnel::on_recv(c, [&] { ++early; }), runnel::on_recv(runnel::after(25ms)));
  EXPECT_EQ(which, 3U);
  EXPECT_EQ(early, 0);
  EXPECT_TRUE(a.stop());
  EXPECT_FALSE(a.reset(1ms));
  EXPECT_TRUE(a.chan().recv());
}

MATRIX_TEST(Timer, ManyZeroDelayOnesAreAllDelivered_TM14) {
  for (int i = 0; i < scaled(20'000); ++i) ASSERT_TRUE(runnel::after(0s).recv_for(2s)) << i;
  timer t(0s);
  for (int i = 0; i < scaled(20'000); ++i) {
    ASSERT_TRUE(t.chan().recv_for(2s)) << i;
    ASSERT_FALSE(t.reset(0s));
  }
}

MATRIX_TEST(Timer, TheChannelHasNoLengthAndNoCapacity_TM21) {
  timer t(1ms);
  EXPECT_EQ(t.chan().cap(), 0U);
  wait_past(runnel::clock::now() + 1ms);
  EXPECT_EQ(t.chan().len(), 0U);
  EXPECT_EQ(t.chan().cap(), 0U);
  EXPECT_TRUE(t.chan().try_recv());
}

MATRIX_TEST(Timer, ResetReachesAParkedReceiver_TM22) {
  timer t(1h);
  runnel::chan<void> received;
  const auto c = t.chan();
  runnel::go([=] {
    c.recv();
    received.send();
  });
  EXPECT_TRUE(t.reset(2h));
  EXPECT_TRUE(received.recv_for(20ms).timed_out());
  EXPECT_TRUE(t.reset(1ns));
  EXPECT_TRUE(received.recv_for(10s));
}

MATRIX_TEST(Timer, OneFiringGoesToOneOfTwoReceivers_TM23) {
  timer t(1h);
  runnel::chan<void> stop;
  runnel::chan<int> results(2);
  for (int i = 0; i < 2; ++i)
    runnel::go([=, c = t.chan()] {
      runnel::select(runnel::on_recv(c, [&] { results.send(1); }),
                     runnel::on_recv(stop, [&] { results.send(0); }));
    });
  t.reset(1ms);
  EXPECT_EQ(results.recv(), 1);
  EXPECT_TRUE(results.try_recv().empty());
  stop.close();
  EXPECT_EQ(results.recv(), 0);
}

MATRIX_TEST(Timer, AStoppedOneWakesNobody_TM24) {
  timer t(1h);
  EXPECT_TRUE(t.stop());
  runnel::chan<void> stop;
  runnel::chan<int> results(2);
  for (int i = 0; i < 2; ++i)
    runnel::go([=, c = t.chan()] {
      runnel::select(runnel::on_recv(c, [&] { results.send(1); }),
                     runnel::on_recv(stop, [&] { results.send(0); }));
    });
  EXPECT_TRUE(results.recv_for(5ms).timed_out());
  stop.close();
  EXPECT_EQ(results.recv(), 0);
  EXPECT_EQ(results.recv(), 0);
}

MATRIX_TEST(Timer, TheValueIsTheDueTimeNotTheTimeOfReceipt_TM25) {
  const auto start = runnel::clock::now();
  timer t(10ms);
  const auto made = runnel::clock::now();
  runnel::sleep_for(150ms);
  const auto due = t.chan().recv();
  ASSERT_TRUE(due);
  EXPECT_GE(*due, start + 10ms);
  EXPECT_LE(*due, made + 10ms);
}

MATRIX_TEST(Timer, StopAndTheChannelAlwaysAgree_TM17) {
  runnel::wait_group all;
  for (int g = 0; g < scaled(200); ++g)
    all.go([] {
      for (int i = 0; i < 20; ++i) {
        timer a(1ms);
        timer b(1ms);
        const bool first =
            runnel::select(runnel::on_recv(a.chan()), runnel::on_recv(b.chan())) == 0;
        timer& loser = first ? b : a;
        const bool kept = i % 2 == 0 ? loser.stop() : loser.reset(1h);
        if (kept)
          EXPECT_TRUE(loser.chan().try_recv().empty());
        else
          FAIL() << "nobody received it, so it was pending";
      }
    });
  all.wait();
}

MATRIX_TEST(Timer, DestroyingAChannelTimerStopsIt) {
  runnel::recv_chan<time_point> c;
  {
    timer t(5ms);
    c = t.chan();
  }
  EXPECT_TRUE(c.recv_for(30ms).timed_out());
}

MATRIX_TEST(Timer, MovingKeepsItGoing) {
  timer a(10ms);
  const auto c = a.chan();
  timer b = std::move(a);
  EXPECT_TRUE(b.chan() == c);
  EXPECT_TRUE(c.recv());
  timer other(1h);
  const auto abandoned = other.chan();
  other = std::move(b);
  EXPECT_TRUE(other.chan() == c);
  EXPECT_FALSE(other.reset(1ms));
  EXPECT_TRUE(c.recv());
  EXPECT_TRUE(abandoned.try_recv().empty());
}

MATRIX_TEST(Timer, AfterLivesAsLongAsItsChannel) {
  auto c = runnel::after(20ms);
  const auto copy = c;
  c = nullptr;
  EXPECT_TRUE(copy.recv());
}

MATRIX_TEST(Timer, InASelectTheTrafficDoesNotStarveIt_TM30) {
  runnel::chan<int> flood;
  runnel::chan<void> stop;
  runnel::wait_group senders;
  for (int i = 0; i < 2; ++i)
    senders.go([=] {
      bool going = true;
      while (going)
        runnel::select(runnel::on_send(flood, 1), runnel::on_recv(stop, [&] { going = false; }));
    });
  const auto limit = runnel::after(20ms);
  const stopwatch watch;
  bool timed = false;
  while (!timed && watch.elapsed() < 10s)
    runnel::select(runnel::on_recv(flood), runnel::on_recv(limit, [&] { timed = true; }));
  EXPECT_TRUE(timed);
  stop.close();
  senders.wait();
}

MATRIX_TEST(Timer, BusySelectorsSeeTheirTimeouts_TM31) {
  runnel::chan<int> c(1);
  runnel::wait_group both;
  for (int i = 0; i < 2; ++i)
    both.go([=] {
      const auto limit = runnel::after(20ms);
      bool timed = false;
      const stopwatch watch;
      while (!timed && watch.elapsed() < 10s)
        runnel::select(runnel::on_send(c, 1), runnel::on_recv(c),
                       runnel::on_recv(limit, [&] { timed = true; }));
      EXPECT_TRUE(timed);
    });
  both.wait();
}

}  // namespace
