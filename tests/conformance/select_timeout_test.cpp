// A select between one channel and a timeout, or a timer that nobody else has: it waits as one operation with a deadline.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/message.hpp"
#include "../support/side_by_side.hpp"

namespace {

using namespace runnel_test;
using runnel::after;
using runnel::chan;
using runnel::closed_channel;
using runnel::on_deadline;
using runnel::on_recv;
using runnel::on_send;
using runnel::on_timeout;
using runnel::otherwise;
using runnel::recv_chan;
using runnel::select;
using runnel::select_case;
using runnel::select_ordered;
using runnel::send_chan;
using runnel::wait_group;

using time_point = runnel::clock::time_point;

MATRIX_TEST(SelectTimeout, AWaitThatEndsInTime) {
  const chan<int> ch;
  wait_group selecting;
  std::optional<int> got;
  selecting.go([&] { EXPECT_EQ(select(on_recv(ch, got), on_timeout(1h)), 0U); });
  ASSERT_TRUE(until_blocked("select"));
  ch.send(3);
  selecting.wait();
  EXPECT_EQ(got, 3);
  bool sent = false;
  selecting.go(
      [&] { EXPECT_EQ(select(on_timeout(1h), on_send(ch, 4, [&] { sent = true; })), 1U); });
  ASSERT_TRUE(until_blocked("select"));
  EXPECT_EQ(ch.recv(), 4);
  selecting.wait();
  EXPECT_TRUE(sent);
}

MATRIX_TEST_THREAD(SelectTimeoutThread, AWaitThatEndsInTime) {
  const chan<int> ch;
  wait_group other;
  for (int i = 0; i < 20; ++i) {
    other.go([&] { ch.send(i); });
    std::optional<int> got;
    EXPECT_EQ(select(on_recv(ch, got), on_timeout(1h)), 0U);
    EXPECT_EQ(got, i);
    other.go([&] { EXPECT_EQ(ch.recv(), i); });
    EXPECT_EQ(select(on_recv(after(1h)), on_send(ch, i)), 1U);
    other.wait();
  }
  EXPECT_EQ(select(on_send(ch, 1), on_timeout(1ms)), 1U);
  EXPECT_EQ(select(on_recv(ch), on_recv(after(1ms))), 1U);
}

MATRIX_TEST(SelectTimeout, WhatComesTooLateFindsNobody) {
  const chan<std::unique_ptr<int>> ch;
  EXPECT_EQ(select(on_send(ch, std::make_unique<int>(1)), on_timeout(1ms)), 1U);
  EXPECT_FALSE(ch.try_recv());
  EXPECT_EQ(select(on_timeout(1ms), on_recv(ch)), 0U);
  auto kept = std::make_unique<int>(2);
  EXPECT_FALSE(ch.try_send(std::move(kept)));
  EXPECT_TRUE(kept);
}

MATRIX_TEST(SelectTimeout, AChannelThatIsClosed) {
  const chan<int> empty;
  const chan<int> full(1);
  full.send(1);
  const auto send_too_late = [&] { select(on_send(full, 2), on_timeout(1h)); };
  const auto text = "send on closed channel";
  wait_group selecting;
  std::optional<int> got = 7;
  selecting.go([&] { EXPECT_EQ(select(on_recv(empty, got), on_timeout(1h)), 0U); });
  selecting.go([&] { EXPECT_EQ(message_of<closed_channel>(send_too_late), text); });
  ASSERT_TRUE(until_blocked("select", 2));
  empty.close();
  full.close();
  selecting.wait();
  EXPECT_EQ(got, std::nullopt);
  got = 7;
  EXPECT_EQ(select(on_timeout(1h), on_recv(empty, got)), 1U);
  EXPECT_EQ(got, std::nullopt);
  EXPECT_EQ(message_of<closed_channel>(send_too_late), text);
}

MATRIX_TEST(SelectTimeout, ANilChannelIsNeverReady) {
  EXPECT_EQ(select(on_recv(chan<int>(nullptr)), on_timeout(1ms)), 1U);
  EXPECT_EQ(select(on_timeout(0s), on_send(send_chan<int>(), 1)), 0U);
  std::atomic<bool> seen{false};
  wait_group selecting;
  selecting.go([&] {
    while (!seen) EXPECT_EQ(select(on_recv(recv_chan<int>()), on_recv(after(20ms))), 1U);
  });
  EXPECT_TRUE(until_blocked("select"));
  seen = true;
  selecting.wait();
  EXPECT_EQ(select(on_timeout(1ms), on_recv(recv_chan<time_point>())), 0U);
}

MATRIX_TEST(SelectTimeout, ADeadlineThatIsPastComesBeforeOtherwise) {
  const chan<int> ch(1);
  const auto past = runnel::clock::now() - 1s;
  EXPECT_EQ(select(otherwise(), on_deadline(past)), 1U);
  EXPECT_EQ(select(on_timeout(0s), otherwise()), 0U);
  EXPECT_EQ(select(on_timeout(1h), otherwise()), 1U);
  EXPECT_EQ(select(on_recv(ch), otherwise(), on_deadline(past)), 2U);
  EXPECT_EQ(select(on_recv(ch), otherwise(), on_timeout(1h)), 1U);
  ch.send(1);
  EXPECT_EQ(select(on_recv(ch), otherwise(), on_deadline(past)), 0U);
}

// The second is ready all the time; what the first does meanwhile may not let the timeout through.
MATRIX_TEST(SelectTimeout, APastTimeoutIsNotTakenWhereTheOrderIsDecided) {
  const chan<int> first(1);
  const chan<int> second(1);
  second.send(0);
  std::atomic<bool> over{false};
  const auto fill_first = [&] {
    while (!over) (void)first.try_send(1);
  };
  const auto take = [&] {
    int none = 0;
    for (int i = 0; i < scaled(100'000); ++i) {
      const std::size_t chosen = select_ordered(on_recv(first), on_recv(second), on_timeout(0s));
      if (chosen == 1) second.send(0);
      none += chosen == 2 ? 1 : 0;
    }
    over = true;
    EXPECT_EQ(none, 0);
  };
  thread_by_side(fill_first, take);
}

MATRIX_TEST(SelectTimeout, ATimerOfNoTimeIsReadyAtOnce) {
  for (int i = 0; i < scaled(2000); ++i) {
    ASSERT_TRUE(after(0s).try_recv());
    ASSERT_TRUE(runnel::timer(-1h).chan().try_recv());
    ASSERT_EQ(select(on_recv(after(0s)), otherwise()), 0U);
  }
}

MATRIX_TEST(SelectTimeout, ATimerGivesTheTimeItWasDue) {
  const chan<int> idle;
  for (const auto d : {0ms, 1ms, 3ms}) {
    const time_point start = runnel::clock::now();
    std::optional<time_point> due;
    EXPECT_EQ(select(on_recv(idle), on_recv(after(d), due)), 1U);
    ASSERT_TRUE(due);
    EXPECT_GE(*due - start, d);
    EXPECT_GE(runnel::clock::now(), *due);
    due.reset();
    EXPECT_EQ(select(on_recv(after(d), due), on_send(idle, 1)), 0U);
    EXPECT_TRUE(due);
  }
  EXPECT_EQ(select(on_recv(idle), on_recv(runnel::tick(1ms))), 1U);
}

MATRIX_TEST(SelectTimeout, ATimerThatIsDueIsOneOfTheReady) {
  const int rounds = scaled(2000);
  const chan<int> ready;
  ready.close();
  int late = 0;
  for (int i = 0; i < rounds; ++i) late += select(on_recv(ready), on_recv(after(0s))) == 1 ? 1 : 0;
  EXPECT_GT(late, rounds / 4);
  EXPECT_LT(late, rounds * 3 / 4);
  EXPECT_EQ(select_ordered(on_recv(after(0s)), on_recv(ready)), 0U);
  EXPECT_EQ(select_ordered(on_recv(ready), on_recv(after(0s))), 0U);
  EXPECT_EQ(select_ordered(on_recv(after(1h)), on_recv(ready)), 1U);
}

MATRIX_TEST(SelectTimeout, ACopiedCaseSharesItsTimer) {
  const chan<int> idle;
  auto one = on_recv(after(2ms));
  auto other = one;
  EXPECT_EQ(select(on_recv(idle), one), 1U);
  EXPECT_EQ(select(other, on_timeout(1ms)), 1U);  // the value is gone
  std::vector<select_case> cases;
  cases.emplace_back(on_recv(idle));
  cases.emplace_back(on_recv(after(2ms)));
  EXPECT_EQ(select(cases), 1U);
}

MATRIX_TEST(SelectTimeout, ACaseMayBeUsedAgain) {
  const chan<int> ch(1);
  int late = 0;
  auto once = on_recv(after(2ms), [&] { ++late; });
  EXPECT_EQ(select(on_recv(ch), once), 1U);
  ch.send(1);
  EXPECT_EQ(select(once, on_recv(ch)), 1U);
  EXPECT_EQ(late, 1);
  auto many = on_recv(runnel::tick(1ms), [&] { ++late; });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(select(on_recv(ch), many), 1U);
  EXPECT_EQ(late, 4);
}

MATRIX_TEST(SelectTimeout, ATimerThatOthersHaveMayChange) {
  const chan<int> idle;
  runnel::timer t(1h);
  wait_group selecting;
  selecting.go([&] { EXPECT_EQ(select(on_recv(idle), on_recv(t.chan())), 1U); });
  ASSERT_TRUE(until_blocked("select"));
  EXPECT_TRUE(t.reset(1ms));
  selecting.wait();
}

MATRIX_TEST(SelectTimeout, AChannelOfTimesThatIsNoTimer) {
  chan<time_point> times;
  const chan<int> idle;
  wait_group selecting;
  selecting.go([&, times] {
    std::optional<time_point> got;
    EXPECT_EQ(select(on_recv(idle), on_recv(recv_chan<time_point>(times), got)), 1U);
    EXPECT_EQ(got, time_point(5s));
  });
  times.send(time_point(5s));
  selecting.wait();
  times.close();
  std::optional<time_point> got(time_point(1s));
  EXPECT_EQ(select(on_recv(std::move(times), got), on_recv(idle)), 0U);
  EXPECT_EQ(got, std::nullopt);
}

}  // namespace
