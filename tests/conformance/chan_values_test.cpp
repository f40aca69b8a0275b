// What happens to the values: moved and never copied on the way, left alone when not sent, destroyed exactly once.
#include <gtest/gtest.h>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/message.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::closed_channel;
using runnel::on_recv;
using runnel::on_send;
using runnel::otherwise;
using runnel::select;
using runnel::wait_group;

void expect_clean(const tally& t) {
  EXPECT_EQ(t.alive(), 0);
  EXPECT_EQ(t.broken, 0);
  EXPECT_EQ(t.full_destroyed, t.made + t.copied) << "a value was lost or doubled";
}

MATRIX_TEST(ChanValues, AreNeverCopiedOnTheWay) {
  for (const int cap : {0, 1, 5}) {
    tally t;
    {
      const chan<tracked> ch(cap);
      wait_group sender;
      sender.go([&] {
        for (int i = 0; i < 20; ++i) ch.send(tracked(t, i));
        ch.close();
      });
      for (int i = 0; i < 20; ++i) {
        const auto v = ch.recv();
        ASSERT_TRUE(v);
        EXPECT_EQ(v->value(), i);
      }
      EXPECT_FALSE(ch.recv());
      sender.wait();
    }
    EXPECT_EQ(t.copied, 0);
    expect_clean(t);
  }
}

MATRIX_TEST(ChanValues, AnLvalueIsCopiedOnceAndStays) {
  tally t;
  {
    const chan<tracked> ch(10);
    tracked v(t, 3);
    ch.send(v);
    EXPECT_EQ(t.copied, 1);
    EXPECT_TRUE(ch.try_send(v));
    EXPECT_EQ(t.copied, 2);
    select(on_send(ch, v));
    EXPECT_EQ(t.copied, 3);
    ch << v;
    EXPECT_EQ(t.copied, 4);
    EXPECT_EQ(v.value(), 3);
    EXPECT_EQ(ch.len(), 4U);
  }
  expect_clean(t);
}

MATRIX_TEST(ChanValues, AValueNotSentIsLeftUnmoved) {
  const chan<move_only> full(1);
  full.send(move_only(0));
  move_only v(7);
  EXPECT_FALSE(full.try_send(std::move(v)));
  EXPECT_FALSE(v.moved_from());
  const chan<move_only> nil(nullptr);
  EXPECT_FALSE(nil.try_send(std::move(v)));
  EXPECT_FALSE(v.moved_from());
  full.close();
  EXPECT_THROW((void)full.try_send(std::move(v)), closed_channel);
  EXPECT_FALSE(v.moved_from());
  EXPECT_THROW(full.send(std::move(v)), closed_channel);
  EXPECT_FALSE(v.moved_from());
  EXPECT_THROW(full << std::move(v), closed_channel);
  EXPECT_FALSE(v.moved_from());
  EXPECT_EQ(v.value(), 7);
}

MATRIX_TEST(ChanValues, ABlockedSendThatIsClosedLeavesItsValueUnmoved) {
  const chan<move_only> ch;
  wait_group sender;
  sender.go([&] {
    move_only v(7);
    EXPECT_THROW(ch.send(std::move(v)), closed_channel);
    EXPECT_EQ(v.value(), 7);
  });
  ASSERT_TRUE(until_blocked("chan send"));
  ch.close();
  sender.wait();
}

MATRIX_TEST(ChanValues, ACaseNotPickedKeepsItsValue) {
  const chan<move_only> a(1);
  a.send(move_only(0));
  auto send_a = on_send(a, move_only(7));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(select(send_a, otherwise()), 1U);
  EXPECT_EQ(a.recv()->value(), 0);
  EXPECT_EQ(select(send_a, otherwise()), 0U);
  EXPECT_EQ(a.recv()->value(), 7);

  // The same after a select that blocked and was ended by another case.
  const chan<move_only> idle;
  const chan<void> other;
  auto send_idle = on_send(idle, move_only(8));
  runnel::go([other] { other.send(); });
  EXPECT_EQ(select(send_idle, on_recv(other)), 1U);
  runnel::go([idle] { EXPECT_EQ(idle.recv()->value(), 8); });
  EXPECT_EQ(select(send_idle, on_recv(other)), 0U);
}

MATRIX_TEST(ChanValues, SendAllLeavesWhatDidNotGoUnmoved) {
  const chan<move_only> ch(2);
  std::vector<move_only> values;
  values.reserve(5);
  for (int i = 0; i < 5; ++i) values.emplace_back(i);
  std::size_t sent = 0;
  wait_group sender;
  sender.go([&] {
    try {
      ch.send_all(std::ranges::subrange(std::make_move_iterator(values.begin()),
                                        std::make_move_iterator(values.end())));
    } catch (const closed_channel& e) {
      sent = e.sent();
    }
  });
  ASSERT_TRUE(until_blocked("chan send"));
  ch.close();
  sender.wait();
  EXPECT_EQ(sent, 2U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(values[i].moved_from(), i < sent) << i;
}

MATRIX_TEST(ChanValues, SendAllMovesOutOfContainersThatAreGivenUp) {
  const auto some = [] {
    std::vector<move_only> values;
    values.reserve(3);
    for (int i = 0; i < 3; ++i) values.emplace_back(i);
    return values;
  };
  const chan<move_only> ch(4);
  EXPECT_EQ(ch.send_all(some()), 3U);
  const chan<move_only> onward(4);
  ch.close();
  EXPECT_EQ(onward.send_all(ch), 3U);  // what is received is nobody else's
  for (int i = 0; i < 3; ++i) EXPECT_EQ(onward.recv()->value(), i);

  std::vector<move_only> values = some();
  onward.close();
  EXPECT_THROW(onward.send_all(std::move(values)), closed_channel);
  for (const move_only& v : values) EXPECT_FALSE(v.moved_from());  // NOLINT: not one went

  tally t;
  {
    const chan<tracked> counted(8);
    std::vector<tracked> lent;
    lent.reserve(2);
    for (int i = 0; i < 2; ++i) lent.emplace_back(t, i);
    counted.send_all(lent);
    EXPECT_EQ(t.copied, 2);
    counted.send_all(std::views::all(lent));  // a view of another's values
    EXPECT_EQ(t.copied, 4);
    counted.send_all(std::move(lent));
    EXPECT_EQ(t.copied, 4);
  }
  expect_clean(t);
}

MATRIX_TEST(ChanValues, ACaseCopiesWhatItIsGivenOnce) {
  tally t;
  {
    const chan<tracked> ch(1);
    const tracked lent(t, 1);
    EXPECT_EQ(select(on_send(ch, lent)), 0U);
    EXPECT_EQ(t.copied, 1);
    EXPECT_EQ(t.moved, 1);  // into the buffer
  }
  expect_clean(t);
}

MATRIX_TEST(ChanValues, TheLeastOfTypesGoesThroughEveryForm) {
  const chan<move_only> ch(20);
  ch.send(move_only(1));
  ch << move_only(2);
  EXPECT_TRUE(ch.try_send(move_only(3)));
  EXPECT_TRUE(ch.send_for(move_only(4), 1s));
  EXPECT_TRUE(ch.send_until(move_only(5), runnel::clock::now() + 1h));
  select(on_send(ch, move_only(6)));
  for (int i = 7; i <= 10; ++i) ch.send(move_only(i));
  EXPECT_EQ(ch.recv()->value(), 1);
  EXPECT_EQ(ch.try_recv()->value(), 2);
  EXPECT_EQ(ch.recv_for(1h)->value(), 3);
  EXPECT_EQ(ch.recv_until(runnel::clock::now() + 1h).value().value(), 4);
  int seen = 0;
  select(on_recv(ch, [&](std::optional<move_only> v) { seen = v->value(); }));
  EXPECT_EQ(seen, 5);
  std::optional<move_only> out;
  select(on_recv(ch, out));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->value(), 6);
  std::vector<move_only> many;
  many.reserve(2);
  EXPECT_EQ(ch.recv_many(std::back_inserter(many), 2), 2U);
  EXPECT_EQ(many.back().value(), 8);
  ch.close();
  std::vector<int> rest;
  for (auto& v : ch) rest.push_back(v.value());
  EXPECT_EQ(rest, (std::vector<int>{9, 10}));
}

MATRIX_TEST(ChanValues, AreDestroyedOnceHoweverTheChannelEnds) {
  tally t;
  {
    const chan<tracked> buffered(8);
    const chan<tracked> loose(runnel::unbounded);
    for (int i = 0; i < 8; ++i) {
      buffered.send(tracked(t, i));
      loose.send(tracked(t, i));
    }
    select(on_recv(buffered), otherwise());  // dropped
    (void)loose.recv();
    buffered.close();
    wait_group sender;
    const chan<tracked> refused;
    sender.go([&] { EXPECT_THROW(refused.send(tracked(t, 1)), closed_channel); });
    ASSERT_TRUE(until_blocked("chan send"));
    refused.close();
    sender.wait();
    EXPECT_FALSE(chan<tracked>(nullptr).try_send(tracked(t, 2)));
    EXPECT_FALSE(chan<tracked>().send_for(tracked(t, 3), 1ms));
    EXPECT_EQ(t.alive(), 14);
  }
  EXPECT_EQ(t.copied, 0);
  expect_clean(t);
}

MATRIX_TEST(ChanValues, SelectsDestroyEachValueOnce) {
  tally t;
  {
    const chan<tracked> a;
    const chan<tracked> b(2);
    wait_group all;
    const int n = scaled(200);
    all.go([&] {
      for (int i = 0; i < n; ++i) select(on_send(a, tracked(t, i)), on_send(b, tracked(t, i)));
      a.close();
      b.close();
    });
    int got = 0;
    for (int closed = 0; closed < 2;) {
      closed = 0;
      for (const auto& c : {a, b}) {
        auto r = c.try_recv();
        if (r) ++got;
        if (r.closed()) ++closed;
      }
      select(on_recv(a, [&](std::optional<tracked> v) { got += v ? 1 : 0; }),
             on_recv(b, [&](std::optional<tracked> v) { got += v ? 1 : 0; }));
    }
    all.wait();
    EXPECT_EQ(got, n);
  }
  EXPECT_EQ(t.copied, 0);
  expect_clean(t);
}

/// An output iterator that throws at its `limit`-th write.
template <class Sink>
struct throwing_output {
  using difference_type = std::ptrdiff_t;
  Sink* sink;
  int* left;
  throwing_output& operator*() { return *this; }
  throwing_output& operator++() { return *this; }
  throwing_output operator++(int) { return *this; }
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, throwing_output>) throwing_output& operator=(
      T&& v) {
    if (--*left < 0) throw std::runtime_error("full");
    (*sink)(std::forward<T>(v));
    return *this;
  }
};

MATRIX_TEST(ChanValues, AThrowingIteratorLosesTheValueThatItWasGiven) {
  tally t;
  {
    const chan<tracked> ch(10);
    for (int i = 0; i < 10; ++i) ch.send(tracked(t, i));
    std::vector<int> got;
    const auto keep = [&](const tracked& v) { got.push_back(v.value()); };
    int left = 3;
    EXPECT_EQ(message_of<std::runtime_error>([&] {
                ch.recv_many(throwing_output<decltype(keep)>{&keep, &left}, 10);
              }),
              "full");
    EXPECT_EQ(got, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(ch.len(), 6U);
    EXPECT_EQ(t.alive(), 6);
    int next = 4;
    ch.close();
    for (const auto& v : ch | std::views::transform([](tracked& x) { return x.value(); }))
      EXPECT_EQ(v, next++);
    EXPECT_EQ(next, 10);
  }
  expect_clean(t);
}

MATRIX_TEST(ChanValues, AnIteratorMayUseTheChannelItIsFilledFrom) {
  const chan<int> ch(10);
  for (int i = 0; i < 5; ++i) ch.send(i);
  int left = 5;
  const auto echo = [&](int v) { ch.send(v + 100); };
  EXPECT_EQ(ch.recv_many(throwing_output<decltype(echo)>{&echo, &left}, 5), 5U);
  EXPECT_EQ(ch.len(), 5U);
  EXPECT_EQ(ch.recv(), 100);

  const chan<int> again(10);
  const auto values = std::views::iota(0, 3) | std::views::transform([&](int v) {
                        if (v > 0) {
                          EXPECT_EQ(again.recv(), v - 1);
                        }
                        return v;
                      });
  EXPECT_EQ(again.send_all(values), 3U);
  EXPECT_EQ(again.recv(), 2);
}

MATRIX_TEST(ChanValues, AThrowingRangeLeavesWhatWentBefore) {
  const chan<int> ch(10);
  const auto values = std::views::iota(0, 5) | std::views::transform([](int v) {
                        if (v == 3) throw std::runtime_error("no more");
                        return v;
                      });
  EXPECT_EQ(message_of<std::runtime_error>([&] { ch.send_all(values); }), "no more");
  EXPECT_EQ(ch.len(), 3U);
  ch.send(9);  // not left locked
}

struct copies_badly {
  copies_badly() = default;
  copies_badly(const copies_badly&) { throw std::runtime_error("copy"); }
  copies_badly(copies_badly&&) noexcept {}
};

MATRIX_TEST(ChanValues, ACopyThatThrowsLeavesTheChannelAsItWas) {
  const chan<copies_badly> ch(1);
  const copies_badly v;
  EXPECT_EQ(message_of<std::runtime_error>([&] { ch.send(v); }), "copy");
  EXPECT_EQ(message_of<std::runtime_error>([&] { (void)ch.try_send(v); }), "copy");
  EXPECT_EQ(message_of<std::runtime_error>([&] { select(on_send(ch, v), otherwise()); }), "copy");
  EXPECT_EQ(ch.len(), 0U);
  ch.send(copies_badly{});
  EXPECT_EQ(ch.len(), 1U);
}

/// Sends when it dies, as a value that is destroyed by a channel may.
struct tells {
  explicit tells(chan<int> c) : to(std::move(c)) {}
  tells(tells&& o) noexcept : to(std::exchange(o.to, chan<int>(nullptr))) {}
  ~tells() {
    if (to) to.send(1);
  }
  chan<int> to;
};

MATRIX_TEST(ChanValues, ADestructorMayUseAnotherChannel) {
  const chan<int> told(4);
  {
    const chan<tells> ch(2);
    ch.send(tells(told));
    ch.send(tells(told));
    (void)ch.recv();
    EXPECT_EQ(told.len(), 1U);
    select(on_recv(ch));
    EXPECT_EQ(told.len(), 2U);
    ch.send(tells(told));
  }
  EXPECT_EQ(told.len(), 3U);
}

}  // namespace
