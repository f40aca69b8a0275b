// Making channels: capacities, len and cap, element types, what lives as long as what (behaviours CH).
#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "../support/matrix.hpp"
#include "../support/message.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::recv_chan;
using runnel::send_chan;

MATRIX_TEST(ChanConstruct, LenAndCapForEveryCapacity_CH01) {
  for (std::size_t n = 0; n < 200; ++n) {
    const chan<int> ch(n);
    EXPECT_EQ(ch.len(), 0U);
    EXPECT_EQ(ch.cap(), n);
    for (std::size_t i = 0; i < n; ++i) ASSERT_TRUE(ch.try_send(static_cast<int>(i)));
    EXPECT_EQ(ch.len(), n);
    EXPECT_EQ(ch.cap(), n);
    EXPECT_FALSE(ch.try_send(-1));
    EXPECT_EQ(ch.len(), n);
  }
}

MATRIX_TEST(ChanConstruct, LenCountsBufferedValuesOnly_CH02) {
  const chan<int> ch(10);
  for (int i = 0; i < 3; ++i) ch.send(i);
  EXPECT_EQ(ch.len(), 3U);
  EXPECT_EQ(ch.cap(), 10U);
  (void)ch.recv();
  EXPECT_EQ(ch.len(), 2U);
}

TEST(ChanConstruct, ANegativeCapacityIsRefused_CH03) {
  const auto text = "makechan: size out of range";
  volatile int minus = -1;
  EXPECT_EQ(message_of<std::length_error>([&] { chan<int>{static_cast<int>(minus)}; }), text);
  EXPECT_EQ(message_of<std::length_error>([&] { chan<int>{static_cast<long long>(minus)}; }), text);
  EXPECT_EQ(message_of<std::length_error>([&] { chan<char>{static_cast<signed char>(minus)}; }),
            text);
  EXPECT_EQ(
      message_of<std::length_error>([] { chan<int>{std::numeric_limits<std::int64_t>::min()}; }),
      text);
  EXPECT_EQ(message_of<std::length_error>([&] { chan<void>{static_cast<int>(minus)}; }), text);
}

struct almost_64k {
  std::array<char, 65535> bytes;
};

TEST(ChanConstruct, AnImpossibleCapacityIsRefusedBeforeAllocation_CH04) {
  const auto text = "makechan: size out of range";
  EXPECT_EQ(message_of<std::length_error>([] { chan<std::int64_t>{std::int64_t{1} << 59}; }), text);
  EXPECT_EQ(message_of<std::length_error>(
                [] { chan<std::int64_t>{std::numeric_limits<std::int64_t>::max()}; }),
            text);
  EXPECT_EQ(message_of<std::length_error>(
                [] { chan<std::int64_t>{std::numeric_limits<std::uint64_t>::max()}; }),
            text);
  EXPECT_EQ(message_of<std::length_error>([] { chan<almost_64k>{std::int64_t{1} << 46}; }), text);
}

TEST(ChanConstruct, TheErrorsAreLogicErrors_CH05) {
  EXPECT_THROW(chan<int>{-1}, std::logic_error);
  const chan<int> ch(1);
  ch.close();
  EXPECT_THROW(ch.close(), std::logic_error);
  EXPECT_THROW(ch.send(1), std::logic_error);
  EXPECT_THROW(chan<int>(nullptr).close(), std::logic_error);
}

struct nothing {};

MATRIX_TEST(ChanConstruct, EmptyElementsAreCountedAndSynchronise_CH06) {
  const chan<nothing> sync;
  const chan<nothing> buffered(3);
  const chan<void> events(3);
  for (std::size_t i = 1; i <= 3; ++i) {
    buffered.send({});
    events.send();
    EXPECT_EQ(buffered.len(), i);
    EXPECT_EQ(events.len(), i);
  }
  EXPECT_FALSE(buffered.try_send({}));
  EXPECT_FALSE(events.try_send());
  int first = 0;
  int second = 0;
  runnel::go([&] {
    first = 1;
    sync.send({});
    second = 2;
    events.send();  // full until main takes one
  });
  EXPECT_TRUE(sync.recv());
  EXPECT_EQ(first, 1);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(events.recv());
  EXPECT_EQ(second, 2);
}

struct base {
  virtual ~base() = default;
  virtual int id() const { return 1; }
};
struct derived : base {
  int id() const override { return 2; }
};
struct with_pointers {
  std::array<const int*, 8> p{};
};

MATRIX_TEST(ChanConstruct, ValuesAreConvertedOnTheWay_CH07) {
  const chan<std::variant<int, std::string>> variants(3);
  variants.send(7);
  variants.send(std::string("eight"));
  variants << 9;
  variants.close();
  std::vector<std::size_t> kinds;
  for (const auto& v : variants) kinds.push_back(v.index());
  EXPECT_EQ(kinds, (std::vector<std::size_t>{0, 1, 0}));

  const chan<std::unique_ptr<base>> pointers(1);
  pointers.send(std::make_unique<derived>());
  EXPECT_EQ((*pointers.recv())->id(), 2);

  const chan<std::string> texts(1);
  texts.send("a literal");
  EXPECT_EQ(texts.recv(), "a literal");

  static constexpr int target = 5;
  const chan<with_pointers> structs(1);
  with_pointers w;
  w.p[3] = &target;
  structs.send(w);
  EXPECT_EQ(structs.recv()->p[3], &target);
}

// CH-08: chan converts to either half, never back, never across.
static_assert(std::convertible_to<chan<int>, send_chan<int>>);
static_assert(std::convertible_to<chan<int>, recv_chan<int>>);
static_assert(!std::constructible_from<chan<int>, send_chan<int>>);
static_assert(!std::constructible_from<chan<int>, recv_chan<int>>);
static_assert(!std::constructible_from<send_chan<int>, recv_chan<int>>);
static_assert(!std::constructible_from<recv_chan<int>, send_chan<int>>);
static_assert(!std::assignable_from<chan<int>&, recv_chan<int>>);
static_assert(!std::assignable_from<recv_chan<int>&, send_chan<int>>);
static_assert(!std::constructible_from<recv_chan<long>, chan<int>>);
static_assert(std::convertible_to<chan<void>, recv_chan<void>> &&
              std::convertible_to<chan<void>, send_chan<void>>);

TEST(ChanConstruct, HalvesAreEqualToTheirChannel_CH10) {
  const chan<int> a;
  const chan<int> b;
  const send_chan<int> s = a;
  const recv_chan<int> r = a;
  EXPECT_TRUE(a == r && r == a && a == s && s == a && s == r && r == s);
  EXPECT_TRUE(a != b && r != b && b != s);
  EXPECT_TRUE(chan<int>(nullptr) == recv_chan<int>());
  EXPECT_FALSE(a == chan<int>(nullptr));
}

MATRIX_TEST(ChanConstruct, AChannelTravelsThroughAChannel_CH11) {
  const chan<chan<int>> outer(1);
  const chan<int> inner(1);
  outer.send(inner);
  bool taken = false;
  runnel::select(runnel::on_recv(outer,
                                 [&](std::optional<chan<int>> c) {
                                   ASSERT_TRUE(c);
                                   c->send(2);
                                   taken = true;
                                 }),
                 runnel::otherwise());
  EXPECT_TRUE(taken);
  EXPECT_EQ(inner.recv(), 2);
}

MATRIX_TEST(ChanConstruct, ATakenValueLeavesNothingInItsSlot_CH12) {
  for (const std::size_t cap : {1U, 4U}) {
    const chan<std::shared_ptr<std::vector<char>>> ch(cap);
    std::weak_ptr<std::vector<char>> watch;
    {
      auto big = std::make_shared<std::vector<char>>(10'000'000);
      watch = big;
      ch.send(std::move(big));
    }
    ch.close();
    {
      auto got = ch.recv();
      ASSERT_TRUE(got && *got);
      EXPECT_EQ(watch.use_count(), 1);
    }
    EXPECT_TRUE(watch.expired());
  }
}

MATRIX_TEST(ChanConstruct, AChannelDiesWithItsValues_CH12) {
  tally t;
  {
    chan<tracked> ch(4);
    for (int i = 0; i < 3; ++i) ch.send(tracked(t, i));
    (void)ch.recv();
    ch.send(tracked(t, 3));
    ch.send(tracked(t, 4));  // the ring has wrapped round
    const recv_chan<tracked> last = ch;
    ch = nullptr;
    EXPECT_EQ(t.alive(), 4);
  }
  EXPECT_EQ(t.alive(), 0);
  EXPECT_EQ(t.full_destroyed, 5);
  EXPECT_EQ(t.broken, 0);
}

struct alignas(128) wide {
  explicit wide(int v) : value(v) {}
  int value;
};

MATRIX_TEST(ChanConstruct, OverAlignedElementsAreAligned) {
  const chan<wide> ch(3);
  const chan<wide> loose(runnel::unbounded);
  for (int i = 0; i < 3; ++i) {
    ch.send(wide(i));
    loose.send(wide(i));
  }
  for (int i = 0; i < 3; ++i)
    for (const auto& c : {ch, loose}) {
      const auto got = c.recv();
      ASSERT_TRUE(got);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*got) % 128, 0U);
      EXPECT_EQ(got->value, i);
    }
}

TEST(ChanConstruct, TheIntegerZeroIsACapacityAndNoNullPointer) {
  const chan<int> zero(0);
  EXPECT_TRUE(zero);
  EXPECT_EQ(zero.cap(), 0U);
  static_assert(!std::convertible_to<int, chan<int>>);
  static_assert(std::convertible_to<std::nullptr_t, chan<int>>);
  for (const chan<int>& c :
       {chan<int>(std::int8_t{3}), chan<int>(3U), chan<int>(3L), chan<int>(std::uint64_t{3})})
    EXPECT_EQ(c.cap(), 3U);
}

}  // namespace
