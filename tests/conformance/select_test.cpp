// select: what is chosen, and when it waits (behaviours SE-01 to SE-07, SE-26, SE-31).
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/message.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::closed_channel;
using runnel::on_deadline;
using runnel::on_recv;
using runnel::on_send;
using runnel::on_timeout;
using runnel::otherwise;
using runnel::recv_chan;
using runnel::select;
using runnel::send_chan;
using runnel::wait_group;

template <class C>
concept receivable = requires(const C& c) {
  on_recv(c);
};
template <class C, class V>
concept sendable = requires(const C& c, V v) {
  on_send(c, std::forward<V>(v));
};

static_assert(receivable<chan<int>> && receivable<recv_chan<int>> && !receivable<send_chan<int>>);
static_assert(sendable<chan<int>, int> && sendable<send_chan<int>, int> &&
              !sendable<recv_chan<int>, int>);
static_assert(!sendable<chan<std::unique_ptr<int>>, std::unique_ptr<int>&>);
static_assert(!receivable<int> && !sendable<int, int>);

TEST(Select, WithoutCasesBlocksForEver_SE01) {
  runnel::run([] {
    runnel::go([] {
      select();
      ADD_FAILURE() << "select() returned";
    });
    EXPECT_TRUE(until_blocked("select (no cases)"));
  });
}

MATRIX_TEST(Select, OnlyOtherwiseReturnsAtOnce_SE02) {
  bool ran = false;
  EXPECT_EQ(select(otherwise([&] { ran = true; })), 0U);
  EXPECT_TRUE(ran);
  EXPECT_EQ(select(otherwise()), 0U);
}

MATRIX_TEST(Select, BlocksUntilACaseIsReady_SE03) {
  const chan<int> a;
  const chan<int> b;
  std::atomic<bool> returned{false};
  wait_group selecting;
  selecting.go([&] {
    std::optional<int> v;
    EXPECT_EQ(select(on_recv(a), on_recv(b, v)), 1U);
    EXPECT_EQ(v, 3);
    returned = true;
  });
  ASSERT_TRUE(until_blocked("select"));
  EXPECT_FALSE(returned);
  b.send(3);
  selecting.wait();

  selecting.go([&] { EXPECT_EQ(select(on_send(a, 4), on_recv(b)), 0U); });
  ASSERT_TRUE(until_blocked("select"));
  EXPECT_EQ(a.recv(), 4);
  selecting.wait();
}

MATRIX_TEST_THREAD(SelectThread, BlocksUntilACaseIsReady_SE03) {
  const chan<int> a;
  const chan<int> b;
  wait_group other;
  for (int i = 0; i < 20; ++i) {
    other.go([&] { b.send(i); });
    std::optional<int> v;
    EXPECT_EQ(select(on_recv(a), on_recv(b, v)), 1U);
    EXPECT_EQ(v, i);
    other.go([&] { EXPECT_EQ(a.recv(), i); });
    EXPECT_EQ(select(on_send(a, i), on_recv(b)), 0U);
    other.wait();
  }
  EXPECT_EQ(select(on_recv(a), on_timeout(1ms)), 1U);
}

MATRIX_TEST(Select, AReadyCaseComesBeforeOtherwise_SE04) {
  const chan<int> ready(1);
  const chan<int> idle;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(select(otherwise(), on_send(ready, 1), on_recv(idle)), 1U);
    EXPECT_EQ(select(on_recv(idle), otherwise(), on_recv(ready)), 2U);
  }
}

MATRIX_TEST(Select, AClosedReceiveCaseIsReady_SE05) {
  const chan<int> ch;
  ch.close();
  bool got_nothing = false;
  EXPECT_EQ(select(on_recv(ch, [&](std::optional<int> v) { got_nothing = !v; })), 0U);
  EXPECT_TRUE(got_nothing);
  bool called = false;
  EXPECT_EQ(select(on_recv(ch, [&] { called = true; })), 0U);
  EXPECT_TRUE(called);
  EXPECT_EQ(select(on_recv(ch)), 0U);
  const chan<void> events;
  events.close();
  bool event = true;
  EXPECT_EQ(select(on_recv(events, [&](bool more) { event = more; })), 0U);
  EXPECT_FALSE(event);
}

MATRIX_TEST(Select, ASendCaseOnAClosedChannelThrowsWhenPicked_SE06) {
  const chan<int> closed(1);
  closed.close();
  const auto text = "send on closed channel";
  bool handled = false;
  EXPECT_EQ(
      message_of<closed_channel>([&] { select(on_send(closed, 1, [&] { handled = true; })); }),
      text);
  EXPECT_EQ(message_of<closed_channel>([&] { select(on_send(closed, 1), otherwise()); }), text);
  EXPECT_FALSE(handled);
  int threw = 0;
  int other = 0;
  for (int i = 0; i < 200; ++i) {
    const chan<int> ready(1);
    try {
      EXPECT_EQ(select(on_send(closed, 1), on_send(ready, 1)), 1U);
      ++other;
    } catch (const closed_channel&) {
      EXPECT_EQ(ready.len(), 0U);
      ++threw;
    }
  }
  EXPECT_GT(threw, 0);  // one of two that are ready, at random
  EXPECT_GT(other, 0);
}

MATRIX_TEST(Select, NeverMeetsItself_SE07) {
  const chan<int> ch;
  EXPECT_EQ(select(on_send(ch, 1), on_recv(ch), otherwise()), 2U);
  EXPECT_EQ(select(on_recv(ch), on_send(ch, 1), on_timeout(2ms)), 2U);
  wait_group selecting;
  selecting.go([&] { select(on_send(ch, 1), on_recv(ch)); });
  ASSERT_TRUE(until_blocked("select"));
  EXPECT_EQ(ch.recv(), 1);  // another may
  selecting.wait();
}

MATRIX_TEST(Select, EveryReceiveMeetsEverySend_SE26) {
  const chan<int> idle;
  using op = void (*)(const chan<int>&, const chan<int>&);
  const op receives[] = {
      [](const chan<int>& c, const chan<int>&) { (void)c.recv(); },
      [](const chan<int>& c, const chan<int>&) { select(on_recv(c)); },
      [](const chan<int>& c, const chan<int>& i) { select(on_recv(c), on_recv(i)); },
  };
  const op sends[] = {
      [](const chan<int>& c, const chan<int>&) { c.send(1); },
      [](const chan<int>& c, const chan<int>&) { select(on_send(c, 1)); },
      [](const chan<int>& c, const chan<int>& i) { select(on_send(c, 1), on_send(i, 2)); },
  };
  for (const op receive : receives)
    for (const op send : sends)
      for (const bool receive_first : {false, true}) {
        const chan<int> ch;
        wait_group both;
        const auto start = [&](op f) { both.go([&, f] { f(ch, idle); }); };
        start(receive_first ? receive : send);
        start(receive_first ? send : receive);
        both.wait();
      }
}

template <class T>
T first_of(const chan<T>& a, const chan<T>& b) {
  std::optional<T> v;
  select(on_recv(a, v), on_recv(b, v));
  return *v;
}

MATRIX_TEST(Select, InATemplate_SE31) {
  const chan<std::string> a(1);
  const chan<std::string> b(1);
  a.send("a");
  b.send("b");
  const std::string x = first_of(a, b);
  const std::string y = first_of(a, b);
  EXPECT_EQ(x < y ? x + y : y + x, "ab");
}

// -- handlers --------------------------------------------------------------------------------------------------------

MATRIX_TEST(Select, OnlyTheChosenHandlerRuns_SE12) {
  const chan<int> a(1);
  const chan<int> b;
  int losers = 0;
  int winners = 0;
  for (int i = 0; i < 20; ++i) {
    a.send(i);
    select(on_recv(a, [&](std::optional<int> v) { winners += v == i ? 1 : 0; }),
           on_recv(b, [&] { ++losers; }), on_send(b, 1, [&] { ++losers; }),
           on_timeout(1h, [&] { ++losers; }));
  }
  EXPECT_EQ(winners, 20);
  EXPECT_EQ(losers, 0);
}

MATRIX_TEST(Select, HandlersRunAfterTheSelectHasLetGo) {
  const chan<int> a(1);
  const chan<int> b(1);
  a.send(1);
  std::vector<int> got;
  select(on_recv(a,
                 [&](std::optional<int> v) {
                   a.send(*v + 1);  // the same channel
                   select(on_recv(a,
                                  [&](std::optional<int> w) {
                                    got.push_back(*w);
                                    a.close();
                                  }),
                          on_recv(b));
                 }),
         on_recv(b));
  EXPECT_EQ(got, std::vector<int>{2});
  EXPECT_EQ(a.recv(), std::nullopt);
}

MATRIX_TEST(Select, AHandlersExceptionReachesTheCaller) {
  const chan<int> a(1);
  const chan<int> b(1);
  a.send(1);
  EXPECT_EQ(message_of<std::runtime_error>([&] {
              select(on_recv(a, [](std::optional<int>) { throw std::runtime_error("handler"); }),
                     on_recv(b));
            }),
            "handler");
  EXPECT_EQ(a.len(), 0U);  // it did go ahead
  a.send(2);
  EXPECT_EQ(a.recv(), 2);
  EXPECT_THROW(select(on_recv(b), otherwise([] { throw std::runtime_error("x"); })),
               std::runtime_error);
  EXPECT_THROW(select(on_recv(b), on_timeout(1ms, [] { throw std::runtime_error("x"); })),
               std::runtime_error);
}

MATRIX_TEST(Select, AMoveOnlyHandlerAndAMoveOnlyValue) {
  const chan<std::unique_ptr<int>> ch(1);
  std::optional<std::unique_ptr<int>> out;
  select(
      on_send(ch, std::make_unique<int>(3), [p = std::make_unique<int>(4)] { EXPECT_EQ(*p, 4); }));
  select(on_recv(ch, [&out, p = std::make_unique<int>(5)](std::optional<std::unique_ptr<int>> v) {
    out = std::move(v);
  }));
  ASSERT_TRUE(out && *out);
  EXPECT_EQ(**out, 3);
}

MATRIX_TEST(Select, EventsAndValuesSideBySide) {
  const chan<void> events(1);
  const chan<int> values(1);
  int sent = 0;
  EXPECT_EQ(select(on_send(events, [&] { ++sent; }), on_recv(values)), 0U);
  EXPECT_EQ(sent, 1);
  bool more = false;
  EXPECT_EQ(select(on_recv(events, [&](bool m) { more = m; }), on_recv(values)), 0U);
  EXPECT_TRUE(more);
}

// -- time ------------------------------------------------------------------------------------------------------------

MATRIX_TEST(Select, Timeouts) {
  const chan<int> idle;
  const stopwatch watch;
  bool late = false;
  EXPECT_EQ(select(on_recv(idle), on_timeout(5ms, [&] { late = true; })), 1U);
  EXPECT_TRUE(late);
  EXPECT_GE(watch.elapsed(), 5ms);
  EXPECT_EQ(select(on_deadline(std::chrono::steady_clock::now() + 5ms), on_recv(idle)), 0U);
  EXPECT_GE(watch.elapsed(), 10ms);
  EXPECT_EQ(select(on_deadline(runnel::clock::now() - 1h), on_recv(idle)), 0U);
  EXPECT_EQ(select(on_timeout(0s), on_recv(idle)), 0U);
  EXPECT_EQ(select(on_timeout(-1h), on_recv(idle)), 0U);
  EXPECT_EQ(select(on_timeout(1h), on_timeout(1ms), on_timeout(std::chrono::hours::max())), 1U);
  EXPECT_LT(watch.elapsed(), 2s * patience);
}

MATRIX_TEST(Select, AValueComesBeforeATimeoutThatHasPassed) {
  const chan<int> ch(1);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(select(on_timeout(0s), on_send(ch, 1)), 1U);
    EXPECT_EQ(select(on_deadline(std::chrono::steady_clock::now() - 1h), on_recv(ch)), 1U);
  }
}

MATRIX_TEST(Select, TheLongestTimeoutNeverComes) {
  const chan<int> ch;
  wait_group selecting;
  selecting.go(
      [&] { EXPECT_EQ(select(on_recv(ch), on_timeout(std::chrono::nanoseconds::max())), 0U); });
  selecting.go([&] {
    EXPECT_EQ(select(on_recv(ch), on_deadline(std::chrono::steady_clock::time_point::max())), 0U);
  });
  ASSERT_TRUE(until_blocked("select", 2));
  ch.send(1);
  ch.send(1);
  selecting.wait();
}

MATRIX_TEST(Select, AlternatesWithLoopControl) {
  const chan<int> values(3);
  const chan<void> quit(1);
  for (int i = 0; i < 3; ++i) values.send(i);
  int sum = 0;
  for (;;) {
    std::optional<int> v;
    switch (runnel::select_ordered(on_recv(values, v), on_recv(quit), otherwise())) {
      case 0:
        sum += *v;
        continue;
      case 1:
        break;
      default:
        quit.send();
        continue;
    }
    break;
  }
  EXPECT_EQ(sum, 3);
}

}  // namespace
