// send_for, send_until, recv_for, recv_until: results, limits, and what a timeout leaves behind.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;
using std::chrono::steady_clock;

void timeouts_last_as_long_as_asked() {
  const chan<int> ch;
  for (const auto d : {1ms, 10ms}) {
    stopwatch watch;
    EXPECT_TRUE(ch.recv_for(d).timed_out());
    EXPECT_GE(watch.elapsed(), d);
    watch = {};
    EXPECT_FALSE(ch.send_for(1, d));
    EXPECT_GE(watch.elapsed(), d);
    watch = {};
    EXPECT_TRUE(ch.recv_until(steady_clock::now() + d).timed_out());
    EXPECT_FALSE(ch.send_until(1, runnel::clock::now() + d));
    EXPECT_GE(watch.elapsed(), 2 * d);
    EXPECT_LT(watch.elapsed(), 2s * patience);
  }
}
MATRIX_TEST(ChanTimed, TimeoutsLastAsLongAsAsked) { timeouts_last_as_long_as_asked(); }
MATRIX_TEST_THREAD(ChanTimedThread, TimeoutsLastAsLongAsAsked) { timeouts_last_as_long_as_asked(); }

MATRIX_TEST(ChanTimed, ZeroOrLessDoesNotWaitButTakesWhatIsThere) {
  const chan<int> ch(1);
  const stopwatch watch;
  for (const auto d : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    EXPECT_TRUE(ch.recv_for(d).timed_out());
    EXPECT_TRUE(ch.send_for(1, d));
    EXPECT_FALSE(ch.send_for(2, d));
    EXPECT_EQ(*ch.recv_for(d), 1);
  }
  EXPECT_TRUE(ch.recv_until(steady_clock::time_point::min()).timed_out());
  EXPECT_TRUE(ch.recv_until(runnel::clock::time_point::min()).timed_out());
  EXPECT_TRUE(ch.send_until(3, steady_clock::now() - 1h));
  EXPECT_FALSE(ch.send_until(4, steady_clock::time_point::min()));
  EXPECT_EQ(*ch.recv_until(steady_clock::now() - 1h), 3);
  EXPECT_LT(watch.elapsed(), 1s * patience);
}

MATRIX_TEST(ChanTimed, TheLongestDurationsNeverEnd) {
  const chan<int> ch;
  wait_group all;
  const auto expect_value = [&](auto wait) {
    all.go([&ch, wait] { EXPECT_EQ(*wait(ch), 5); });
    ASSERT_TRUE(until_blocked("chan receive"));
    ch.send(5);
    all.wait();
  };
  expect_value([](const chan<int>& c) { return c.recv_for(std::chrono::hours::max()); });
  expect_value([](const chan<int>& c) { return c.recv_for(std::chrono::nanoseconds::max()); });
  expect_value([](const chan<int>& c) { return c.recv_for(std::chrono::duration<double>(1e300)); });
  expect_value([](const chan<int>& c) { return c.recv_for(std::chrono::years(100'000)); });
  expect_value([](const chan<int>& c) { return c.recv_until(steady_clock::time_point::max()); });
  expect_value([](const chan<int>& c) { return c.recv_until(runnel::clock::time_point::max()); });
}

MATRIX_TEST(ChanTimed, AnyUnitOfTime) {
  const chan<int> ch(1);
  EXPECT_TRUE(ch.recv_for(std::chrono::duration<double, std::milli>(0.5)).timed_out());
  EXPECT_TRUE(ch.recv_for(std::chrono::microseconds(100)).timed_out());
  EXPECT_TRUE(ch.send_for(1, std::chrono::duration<float>(0.001F)));
  EXPECT_TRUE(ch.recv_for(std::chrono::minutes(1)));
}

MATRIX_TEST(ChanTimed, AValueComesBeforeTheTimeout) {
  for (const int cap : {0, 1}) {
    const chan<int> ch(cap);
    wait_group other;
    other.go([&] { EXPECT_TRUE(ch.send_for(1, 1h)); });
    const auto r = ch.recv_for(1h);
    ASSERT_TRUE(r);
    EXPECT_EQ(*r, 1);
    other.wait();
    other.go([&] { EXPECT_TRUE(ch.recv_for(1h)); });
    EXPECT_TRUE(ch.send_for(2, 1h));
    other.wait();
  }
}

MATRIX_TEST(ChanTimed, ATimeoutLeavesNoWaiterBehind) {
  const chan<int> ch;
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(ch.recv_for(100us).timed_out());
    EXPECT_FALSE(ch.try_send(1));  // else it has gone to a receiver that left
    EXPECT_FALSE(ch.send_for(2, 100us));
    EXPECT_TRUE(ch.try_recv().empty());
  }
}

// A timeout that meets a partner: either both went ahead or neither did.
MATRIX_TEST(ChanTimed, ATimeoutThatMeetsAPartnerLosesNothing) {
  const chan<int> ch;
  const chan<void> stop;
  long sent = 0;
  long received = 0;
  wait_group all;
  const int rounds = scaled(200);
  all.go([&] {
    for (int i = 0; i < rounds; ++i)
      sent += ch.send_for(1, std::chrono::microseconds(i % 50)) ? 1 : 0;
    stop.close();
  });
  all.go([&] {
    for (bool more = true; more;) {
      received += ch.recv_for(20us) ? 1 : 0;
      more = !stop.try_recv().closed();
    }
    received += ch.recv_for(0us) ? 1 : 0;
  });
  all.wait();
  EXPECT_EQ(sent, received);
}

MATRIX_TEST(ChanTimed, PlainThreadsAndGoroutinesTimeOutTogether) {
  const chan<int> ch;
  long sent = 0;
  long received = 0;
  std::thread sender([&] {
    for (int i = 0; i < scaled(200); ++i) sent += ch.send_for(1, 30us) ? 1 : 0;
    ch.close();
  });
  for (;;) {
    const auto r = ch.recv_for(30us);
    received += r ? 1 : 0;
    if (r.closed()) break;
  }
  runnel::blocking([&] { sender.join(); });
  EXPECT_EQ(sent, received);
}

}  // namespace
