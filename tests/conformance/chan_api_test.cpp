// What every handle offers, and what must not compile.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
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
using runnel::chan_status;
using runnel::closed_channel;
using runnel::recv_chan;
using runnel::send_chan;
using runnel::try_result;
using runnel::wait_group;

// -- what compiles ---------------------------------------------------------------------------------------------------

template <class C, class V>
concept sends = requires(const C& c, V v) {
  c.send(std::forward<V>(v));
  { c.try_send(std::forward<V>(v)) } -> std::same_as<bool>;
  { c.send_for(std::forward<V>(v), 1ms) } -> std::same_as<bool>;
  { c.send_until(std::forward<V>(v), runnel::clock::now()) } -> std::same_as<bool>;
  { c.send_until(std::forward<V>(v), std::chrono::steady_clock::now()) } -> std::same_as<bool>;
  c << std::forward<V>(v);
};
template <class C, class V>
concept sends_somehow = requires(const C& c, V v) {
  c.send(std::forward<V>(v));
}
|| requires(const C& c, V v) { c.try_send(std::forward<V>(v)); }
|| requires(const C& c, V v) { c << std::forward<V>(v); };
template <class C, class T>
concept receives = requires(const C& c, T& out) {
  { c.recv() } -> std::same_as<std::optional<T>>;
  { c.try_recv() } -> std::same_as<try_result<T>>;
  { c.recv_for(1ms) } -> std::same_as<try_result<T>>;
  { c.recv_until(runnel::clock::now()) } -> std::same_as<try_result<T>>;
  { c.recv_many(std::declval<T*>(), std::size_t{1}) } -> std::same_as<std::size_t>;
  c.begin();
  c.end();
};
template <class C>
concept receives_somehow = requires(const C& c) {
  c.recv();
}
|| requires(const C& c) { c.try_recv(); }
|| requires(const C& c, int& out) { c >> out; }
|| requires(const C& c) { c.begin(); };
template <class C>
concept closes = requires(const C& c) {
  c.close();
};

// CH-08, CH-09
static_assert(sends<chan<int>, int> && sends<chan<int>, const int&> && sends<send_chan<int>, int>);
static_assert(receives<chan<int>, int> && receives<recv_chan<int>, int>);
static_assert(!sends_somehow<recv_chan<int>, int> && !receives_somehow<send_chan<int>>);
static_assert(closes<chan<int>> && closes<send_chan<int>> && !closes<recv_chan<int>>);
static_assert(closes<chan<void>> && closes<send_chan<void>> && !closes<recv_chan<void>>);

// The copying forms need a copy constructor; the moving ones do not.
using boxed = std::unique_ptr<int>;
static_assert(sends<chan<boxed>, boxed> && receives<chan<boxed>, boxed>);
static_assert(!sends_somehow<chan<boxed>, const boxed&> && !sends_somehow<chan<boxed>, boxed&>);

template <class C>
concept has_void_send = requires(const C& c) {
  c.send();
};
template <class R>
concept has_value_access = requires(R r) {
  *r;
}
|| requires(R r) { r.value(); };
template <class C>
concept ordered = requires(C a) {
  a < a;
};

static_assert(!sends_somehow<chan<void>, int>);
static_assert(requires(const chan<void>& c) {
  c.send();
  { c.recv() } -> std::same_as<bool>;
  { c.try_send() } -> std::same_as<bool>;
  { c.try_recv() } -> std::same_as<try_result<void>>;
  { c.send_for(1ms) } -> std::same_as<bool>;
  { c.recv_for(1ms) } -> std::same_as<try_result<void>>;
  { c.recv_until(runnel::clock::now()) } -> std::same_as<try_result<void>>;
});
static_assert(has_void_send<chan<void>> && has_void_send<send_chan<void>> &&
              !has_void_send<recv_chan<void>>);
static_assert(!has_void_send<chan<int>> && !receives_somehow<send_chan<void>>);
static_assert(!has_value_access<try_result<void>> && has_value_access<try_result<int>>);

// A bool conversion is explicit; channels do not order.
static_assert(!std::convertible_to<chan<int>, bool> && std::constructible_from<bool, chan<int>>);
static_assert(!std::convertible_to<try_result<int>, bool> &&
              std::constructible_from<bool, try_result<int>>);
static_assert(!ordered<chan<int>>);
static_assert(!std::equality_comparable_with<chan<int>, chan<long>>);
static_assert(!std::constructible_from<chan<int>, double> &&
              !std::constructible_from<chan<int>, const char*>);
static_assert(std::is_nothrow_move_constructible_v<chan<int>> &&
              std::is_nothrow_copy_constructible_v<recv_chan<int>>);
static_assert(std::semiregular<chan<int>> && std::semiregular<send_chan<int>> &&
              std::semiregular<recv_chan<int>>);
static_assert(std::derived_from<closed_channel, std::logic_error>);

// -- handles ---------------------------------------------------------------------------------------------------------

MATRIX_TEST(ChanApi, CopiesNameTheSameChannel) {
  const chan<int> a(1);
  const chan<int> b = a;
  a.send(1);
  EXPECT_EQ(b.len(), 1U);
  EXPECT_EQ(recv_chan<int>(b).recv(), 1);
  EXPECT_TRUE(a == b);
  chan<int> c(5);
  c = a;
  EXPECT_TRUE(c == a);
  chan<int> moved = std::move(c);
  EXPECT_TRUE(moved == a);
  moved = chan<int>();
  EXPECT_FALSE(moved == a);
  send_chan<int>(a).close();
  EXPECT_EQ(b.recv(), std::nullopt);
}

MATRIX_TEST(ChanApi, LivesAsLongAsOneHandleDoes) {
  tally t;
  recv_chan<tracked> out;
  {
    const chan<tracked> ch(1);
    ch.send(tracked(t, 5));
    out = ch;
  }
  EXPECT_EQ(t.alive(), 1);
  EXPECT_EQ(out.recv()->value(), 5);
  EXPECT_EQ(t.alive(), 0);
}

MATRIX_TEST(ChanApi, Operators) {
  const chan<int> ch(3);
  ch << 1 << 2;
  const int three = 3;
  send_chan<int>(ch) << three;
  int v = 0;
  EXPECT_TRUE(ch >> v);
  EXPECT_EQ(v, 1);
  EXPECT_TRUE(recv_chan<int>(ch) >> v);
  EXPECT_EQ(v, 2);
  ch.close();
  EXPECT_TRUE(ch >> v);
  EXPECT_EQ(v, 3);
  EXPECT_FALSE(ch >> v);
  EXPECT_EQ(v, 3);
}

MATRIX_TEST(ChanApi, WhileReceivingIntoAVariable) {
  const chan<std::string> ch(3);
  ch << "a"
     << "b"
     << "c";
  ch.close();
  std::string all;
  for (std::string s; ch >> s;) all += s;
  EXPECT_EQ(all, "abc");
}

// -- results ---------------------------------------------------------------------------------------------------------

MATRIX_TEST(ChanApi, ATryResultSaysWhatHappened) {
  const chan<std::string> ch(1);
  auto r = ch.try_recv();
  EXPECT_FALSE(r);
  EXPECT_TRUE(r.empty() && !r.closed() && !r.timed_out());
  EXPECT_EQ(r.status(), chan_status::empty);
  EXPECT_THROW((void)r.value(), std::exception);

  auto late = ch.recv_for(1ms);
  EXPECT_TRUE(late.timed_out() && !late && !late.closed() && !late.empty());
  EXPECT_EQ(late.status(), chan_status::timed_out);

  ch.send("text");
  auto full = ch.try_recv();
  EXPECT_TRUE(full);
  EXPECT_TRUE(!full.empty() && !full.closed() && !full.timed_out());
  EXPECT_EQ(full.status(), chan_status::ok);
  EXPECT_EQ(*full, "text");
  EXPECT_EQ(full.value(), "text");
  EXPECT_EQ(full->size(), 4U);
  EXPECT_EQ(std::as_const(full)->size(), 4U);
  const std::string taken = *std::move(full);
  EXPECT_EQ(taken, "text");

  ch.close();
  EXPECT_TRUE(ch.try_recv().closed());
  EXPECT_EQ(ch.try_recv().status(), chan_status::closed);
  EXPECT_TRUE(ch.recv_for(1h).closed());
}

MATRIX_TEST(ChanApi, ATryResultOfEvents) {
  const chan<void> ch(1);
  EXPECT_TRUE(ch.try_recv().empty());
  EXPECT_TRUE(ch.recv_for(1ms).timed_out());
  EXPECT_TRUE(ch.try_send());
  EXPECT_FALSE(ch.try_send());
  EXPECT_FALSE(ch.send_for(1ms));
  EXPECT_TRUE(ch.try_recv());
  ch.send();
  EXPECT_EQ(ch.recv_for(1h).status(), chan_status::ok);
  ch.close();
  EXPECT_TRUE(ch.try_recv().closed());
  EXPECT_FALSE(ch.recv());
}

MATRIX_TEST(ChanApi, ATryResultHandsOnAMoveOnlyValue) {
  const chan<boxed> ch(2);
  ch.send(std::make_unique<int>(4));
  ch.send(std::make_unique<int>(5));
  auto r = ch.try_recv();
  ASSERT_TRUE(r);
  const boxed kept = *std::move(r);
  EXPECT_EQ(*kept, 4);
  const boxed direct = ch.try_recv().value();
  EXPECT_EQ(*direct, 5);
}

TEST(ChanApi, MessagesAndSent) {
  const closed_channel plain("send on closed channel");
  EXPECT_EQ(plain.sent(), 0U);
  EXPECT_STREQ(plain.what(), "send on closed channel");
}

// -- many at once ----------------------------------------------------------------------------------------------------

MATRIX_TEST(ChanApi, RecvManyTakesWhatIsThere) {
  const chan<int> ch(100);
  for (int i = 0; i < 100; ++i) ch.send(i);
  std::vector<int> got;
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 7), 7U);
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 1000), 93U);
  ASSERT_EQ(got.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 0), 0U);
  ch.send(1);
  ch.close();
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 10), 1U);
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 10), 0U);
}

MATRIX_TEST(ChanApi, RecvManyWaitsForOneValueOnly) {
  const chan<int> ch;
  std::vector<int> got;
  std::size_t n = 0;
  wait_group receiver;
  receiver.go([&] { n = ch.recv_many(std::back_inserter(got), 10); });
  ASSERT_TRUE(until_blocked("chan receive"));
  ch.send(8);
  receiver.wait();
  EXPECT_EQ(n, 1U);
  EXPECT_EQ(got, std::vector<int>{8});
}

MATRIX_TEST(ChanApi, RecvManyTakesFromParkedSendersToo) {
  const chan<int> ch(1);
  wait_group senders;
  for (int i = 0; i < 5; ++i) {
    senders.go([&, i] { ch.send(i); });
    ASSERT_TRUE(eventually([&] {
      return i == 0 ? ch.len() == 1 : count_in_state("chan send") >= static_cast<std::size_t>(i);
    }));
  }
  std::vector<int> got;
  EXPECT_EQ(ch.recv_many(std::back_inserter(got), 10), 5U);
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4}));
  senders.wait();
}

MATRIX_TEST(ChanApi, SendAllSendsInOrderAndCounts) {
  const chan<int> ch(2);
  std::size_t sent = 0;
  wait_group sender;
  sender.go([&] {
    sent = ch.send_all(std::list<int>{1, 2, 3, 4, 5});
    sent += ch.send_all(std::views::iota(6, 10));
    ch.close();
  });
  std::vector<int> got;
  for (const int v : ch) got.push_back(v);
  sender.wait();
  EXPECT_EQ(sent, 9U);
  EXPECT_EQ(got, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const chan<int> none;
  EXPECT_EQ(none.send_all(std::vector<int>{}), 0U);
}

MATRIX_TEST(ChanApi, SendAllSaysHowManyWentBeforeTheClose) {
  const chan<int> ch(3);
  std::size_t went = 99;
  std::string text;
  wait_group sender;
  sender.go([&] {
    try {
      ch.send_all(std::views::iota(0, 10));
    } catch (const closed_channel& e) {
      went = e.sent();
      text = e.what();
    }
  });
  ASSERT_TRUE(until_blocked("chan send"));
  EXPECT_EQ(ch.recv(), 0);
  ASSERT_TRUE(until_blocked("chan send"));
  ASSERT_TRUE(eventually([&] { return ch.len() == 3; }));
  ch.close();
  sender.wait();
  EXPECT_EQ(text, "send on closed channel");
  EXPECT_EQ(went, 4U);
  std::size_t received = 0;
  for ([[maybe_unused]] const int v : ch) ++received;
  EXPECT_EQ(received + 1, went);
}

// -- unusual element types and capacities ----------------------------------------------------------------------------

TEST(ChanApi, CapacityMayBeOfAnyIntegralType) {
  EXPECT_EQ(chan<int>(true).cap(), 1U);
  EXPECT_EQ(chan<int>('a').cap(), std::size_t{'a'});
  EXPECT_EQ(chan<int>(L'b').cap(), std::size_t{L'b'});
  EXPECT_EQ(chan<int>(static_cast<unsigned char>(200)).cap(), 200U);
  EXPECT_THROW(chan<int>(static_cast<signed char>(-1)), std::length_error);
  EXPECT_THROW(chan<int>{std::numeric_limits<unsigned long long>::max()}, std::length_error);
}

TEST(ChanApi, StatusesCanBeSentThemselves) {
  const chan<chan_status> c(1);
  EXPECT_EQ(c.try_recv().status(), chan_status::empty);
  c.send(chan_status::closed);
  const try_result<chan_status> got = c.try_recv();
  EXPECT_TRUE(got.has_value());
  EXPECT_FALSE(got.closed());
  EXPECT_EQ(*got, chan_status::closed);
  EXPECT_TRUE(c.recv_for(1ms).timed_out());
}

struct copied_explicitly {
  copied_explicitly() = default;
  explicit copied_explicitly(const copied_explicitly&) {}
  copied_explicitly(copied_explicitly&&) noexcept {}
};

TEST(ChanApi, AnExplicitCopyConstructorIsEnoughToCopy) {
  const chan<copied_explicitly> c(3);
  const copied_explicitly value;
  c.send(value);
  EXPECT_TRUE(c.try_send(value));
  c << value;
  EXPECT_EQ(c.len(), 3U);
}

struct big {
  std::array<char, 60'000> bytes{};
};

TEST(ChanApi, RecvManyOfBigElementsFitsTheStack) {
  const chan<big> c(3);
  for (char i = 0; i < 3; ++i) {
    auto b = std::make_unique<big>();
    b->bytes.back() = i;
    c.send(std::move(*b));
  }
  runnel::run([&] {
    std::vector<big> out;
    EXPECT_EQ(c.recv_many(std::back_inserter(out), 10), 3U);
    ASSERT_EQ(out.size(), 3U);
    EXPECT_EQ(out[2].bytes.back(), 2);
  });
}

TEST(ChanApi, RangeForKeepsItsChannel) {
  chan<void> c(2);
  c.send();
  c.send();
  c.close();
  int events = 0;
  for ([[maybe_unused]] auto event : c) {
    c = nullptr;
    ++events;
  }
  EXPECT_EQ(events, 2);
}

TEST(ChanApi, ComparesWithNullptrAndHashes) {
  const chan<int> c;
  EXPECT_TRUE(c != nullptr);
  EXPECT_TRUE(nullptr == chan<int>(nullptr));
  EXPECT_TRUE(send_chan<int>() == nullptr);
  EXPECT_EQ(std::hash<send_chan<int>>{}(c), std::hash<chan<int>>{}(c));
  EXPECT_EQ(std::hash<recv_chan<int>>{}(c), std::hash<chan<int>>{}(c));
}

struct no_address {
  no_address() = default;
  no_address(no_address&&) noexcept = default;
  ~no_address() = default;
  void operator&() = delete;
};

TEST(ChanApi, AddressesOfElementsAreTakenWhateverTheirOperatorSays) {
  const chan<no_address> c(2);
  c.send(no_address());
  runnel::select(runnel::on_send(c, no_address()));
  EXPECT_TRUE(c.recv());
  EXPECT_TRUE(c.try_recv());
}

// How many there are.
struct counted {
  static inline int alive = 0;
  counted() { ++alive; }
  counted(counted&&) noexcept { ++alive; }
  ~counted() { --alive; }
};

TEST(ChanApi, AHandlerHasAllThereIsOfTheValue) {
  const chan<counted> c(1);
  c.send(counted());
  runnel::select(runnel::on_recv(c, [](std::optional<counted> v) {
    EXPECT_EQ(counted::alive, 1);
    v.reset();
    EXPECT_EQ(counted::alive, 0);
  }));
}

}  // namespace
