// Contexts: what ends them, and who hears of it.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::context;
using runnel::context_errc;
using runnel::error;
using runnel::with_cancel;
using runnel::with_deadline;
using runnel::with_timeout;
using runnel::with_value;

struct name_key {
  using type = std::string;
};
struct number_key {
  using type = int;
};
struct other_number_key {
  using type = int;
};

static_assert(std::is_move_constructible_v<runnel::cancel_function>);
static_assert(!std::is_copy_constructible_v<runnel::cancel_function>);
static_assert(std::is_copy_constructible_v<context>);

// There is no context that is none, and a key is a type that says what its values are.
static_assert(!std::is_constructible_v<context, std::nullptr_t>);
template <class Key, class Value>
concept can_be_a_key = requires(const context& parent, Value v) {
  with_value<Key>(parent, v);
};
static_assert(can_be_a_key<number_key, int>);
static_assert(!can_be_a_key<number_key, std::string>);
static_assert(!can_be_a_key<int, int> && !can_be_a_key<std::string, int>);

bool is_closed(const runnel::recv_chan<void>& done) { return done.try_recv().closed(); }

void expect_open(const context& ctx) {
  EXPECT_TRUE(ctx.done());
  EXPECT_FALSE(is_closed(ctx.done()));
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
}

void expect_done(const context& ctx, context_errc why) {
  EXPECT_TRUE(is_closed(ctx.done()));
  EXPECT_TRUE(ctx.err().is(why)) << ctx.err();
}

MATRIX_TEST(Context, BackgroundIsNeverDone_CX01_CX22) {
  const context ctx = background();
  EXPECT_FALSE(ctx.done()) << "its channel is nil";
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
  EXPECT_FALSE(ctx.deadline());
  EXPECT_FALSE(ctx.stop_token().stop_possible());
  EXPECT_EQ(ctx.value<name_key>(), nullptr);
  EXPECT_EQ(ctx, context());
}

MATRIX_TEST(Context, ErrorsSayWhatGoSays_CX15) {
  EXPECT_EQ(error(context_errc::canceled).message(), "context canceled");
  EXPECT_EQ(error(context_errc::deadline_exceeded).message(), "context deadline exceeded");
  EXPECT_TRUE(error(context_errc::deadline_exceeded).is(std::errc::timed_out));
  EXPECT_TRUE(error(context_errc::canceled).is(std::errc::operation_canceled));
  EXPECT_FALSE(error(context_errc::canceled).is(context_errc::deadline_exceeded));
}

MATRIX_TEST(Context, AllDescendantsAreDoneWhenCancelReturns_CX02_CX03_CX08) {
  auto [c1, cancel1] = with_cancel(background());
  const context o = with_value<name_key>(c1, "wrapper");
  auto [c2, cancel2] = with_cancel(o);
  auto [c3, cancel3] = with_timeout(c2, 1h);
  const context leaf = with_value<number_key>(c3, 3);
  for (const context& ctx : {c1, o, context(c2), context(c3), leaf}) expect_open(ctx);
  cancel1();
  for (const context& ctx : {c1, o, context(c2), context(c3), leaf}) {
    expect_done(ctx, context_errc::canceled);
  }
}

MATRIX_TEST_THREAD(Context, WorksOnPlainThreads_CX02) {
  auto [parent, cancel] = with_cancel(background());
  auto [child, cancel_child] = with_timeout(parent, 1ms);
  EXPECT_FALSE(child.done().recv()) << "closed, not sent to";
  expect_done(child, context_errc::deadline_exceeded);
  std::thread other([&] { cancel(); });
  parent.done().recv();
  other.join();
  expect_done(parent, context_errc::canceled);
}

MATRIX_TEST(Context, AChildThatEndsFirstLeavesItsParentAlone_CX04) {
  auto [parent, cancel_parent] = with_cancel(background());
  auto [child, cancel_child] = with_cancel(parent);
  cancel_child();
  expect_done(child, context_errc::canceled);
  expect_open(parent);
}

MATRIX_TEST(Context, AChildOfADoneContextIsDoneAtOnceWithItsCause_CX06) {
  auto [parent, cancel_parent] = with_cancel(background());
  const error why = "because";
  cancel_parent(why);
  auto [child, cancel_child] = with_cancel(parent);
  expect_done(child, context_errc::canceled);
  EXPECT_EQ(child.cause(), why);
  auto [timed, cancel_timed] = with_timeout(parent, 1h);
  expect_done(timed, context_errc::canceled);
  EXPECT_EQ(timed.cause(), why);
}

MATRIX_TEST(Context, AChildMadeWhileItsParentIsCancelledIsDone_CX07) {
  for (int round = 0; round < 100; ++round) {
    auto [parent, cancel_parent] = with_cancel(background());
    const error why = "because";
    runnel::wait_group all;
    all.go([&, cancel = &cancel_parent] { (*cancel)(why); });
    auto [child, cancel_child] = with_cancel(parent);
    child.done().recv();
    EXPECT_EQ(child.cause(), why);
    all.wait();
  }
}

MATRIX_TEST(Context, ManyCancelsOfOneTreeAtOnceAllReturn_CX09) {
  std::vector<runnel::cancelable_context> tree;
  tree.push_back(with_cancel(background()));
  for (std::size_t i = 1; i < 100; ++i) tree.push_back(with_cancel(tree[(i - 1) / 4].ctx));
  runnel::wait_group all;
  for (std::size_t i = 0; i < tree.size(); ++i) {
    all.go([&, at = (i * 37) % tree.size()] {
      tree[at].cancel();
      expect_done(tree[at].ctx, context_errc::canceled);
    });
  }
  all.wait();
  for (const auto& made : tree) expect_done(made.ctx, context_errc::canceled);
}

MATRIX_TEST(Context, WhoeverWaitsForTheParentMayCancelTheChild_CX10) {
  auto [parent, cancel_parent] = with_cancel(background());
  auto [child, cancel_child] = with_cancel(parent);
  runnel::wait_group all;
  all.go([&, ctx = parent, cancel = &cancel_child] {
    ctx.done().recv();
    (*cancel)();
  });
  cancel_parent();
  child.done().recv();
  all.wait();
}

MATRIX_TEST(Context, CancellingAgainDoesNothing_CX11) {
  auto [ctx, cancel] = with_cancel(background());
  const error first = "first";
  cancel(first);
  cancel("second");
  cancel();
  EXPECT_EQ(ctx.cause(), first);
  EXPECT_EQ(ctx.err(), ctx.err()) << "always the same object";
}

MATRIX_TEST(Context, AForgottenCancelCancels) {
  context ctx;
  {
    auto made = with_cancel(background());
    ctx = made.ctx;
    expect_open(ctx);
  }
  expect_done(ctx, context_errc::canceled);
  auto first = with_cancel(background());
  auto second = with_cancel(background());
  first.cancel = std::move(second.cancel);  // what it had is cancelled
  expect_done(first.ctx, context_errc::canceled);
  expect_open(second.ctx);
}

MATRIX_TEST(Context, IsDoneAtItsDeadline_CX12) {
  const auto at = runnel::clock::now() + 5ms;
  auto [ctx, cancel] = with_deadline(background(), at);
  EXPECT_EQ(ctx.deadline(), at);
  expect_open(ctx);
  ctx.done().recv();
  EXPECT_GE(runnel::clock::now(), at);
  expect_done(ctx, context_errc::deadline_exceeded);
  EXPECT_TRUE(ctx.cause().is(context_errc::deadline_exceeded));
  cancel();
  expect_done(ctx, context_errc::deadline_exceeded);
}

MATRIX_TEST(Context, ADeadlineThatIsPastGivesADoneContext_CX12) {
  auto [past, c1] = with_deadline(background(), runnel::clock::now() - 1s);
  expect_done(past, context_errc::deadline_exceeded);
  auto [now, c2] = with_timeout(background(), 0s);
  expect_done(now, context_errc::deadline_exceeded);
  auto [negative, c3] = with_timeout(background(), -1h);
  expect_done(negative, context_errc::deadline_exceeded);
  auto [parent, c4] = with_timeout(background(), 1h);
  auto [child, c5] = with_timeout(with_value<number_key>(parent, 1), 0s);
  expect_done(child, context_errc::deadline_exceeded);
  expect_open(parent);
  auto [steady, c6] = with_deadline(background(), std::chrono::steady_clock::now() - 1ns);
  expect_done(steady, context_errc::deadline_exceeded);
}

MATRIX_TEST(Context, ADeadlineCanOnlyShorten_CX13) {
  auto [parent, c1] = with_timeout(background(), 5ms);
  const context wrapped = with_value<number_key>(parent, 1);
  auto [child, c2] = with_timeout(wrapped, 24h);
  EXPECT_EQ(child.deadline(), parent.deadline());
  child.done().recv();
  expect_done(child, context_errc::deadline_exceeded);
  auto [far, c3] = with_timeout(background(), 1h);
  auto [near, c4] = with_timeout(far, 1ms);
  EXPECT_LT(near.deadline(), far.deadline());
  near.done().recv();
  expect_open(far);
}

MATRIX_TEST(Context, TheLongestTimeoutNeverEnds_CX12) {
  auto [ctx, cancel] = with_timeout(background(), std::chrono::hours::max());
  EXPECT_FALSE(ctx.deadline());
  expect_open(ctx);
  cancel();
  expect_done(ctx, context_errc::canceled);
}

MATRIX_TEST(Context, CancellingATimedContextIsSynchronous_CX14) {
  auto [parent, c1] = with_timeout(background(), 1h);
  auto [child, cancel] = with_timeout(parent, 2h);
  auto [own, cancel_own] = with_timeout(parent, 1min);
  cancel();
  expect_done(child, context_errc::canceled);
  cancel_own();
  expect_done(own, context_errc::canceled);
  expect_open(parent);
}

MATRIX_TEST(Context, ValuesAreFoundByTheTypeOfTheirKey_CX16_CX17) {
  const context one = with_value<number_key>(background(), 1);
  const context two = with_value<other_number_key>(one, 2);
  auto [wrapped, cancel] = with_cancel(two);
  const context three = with_value<number_key>(wrapped, 3);
  EXPECT_EQ(*one.value<number_key>(), 1);
  EXPECT_EQ(one.value<other_number_key>(), nullptr);
  EXPECT_EQ(*wrapped.value<number_key>(), 1);
  EXPECT_EQ(*wrapped.value<other_number_key>(), 2);
  EXPECT_EQ(*three.value<number_key>(), 3) << "the nearest wins";
  EXPECT_EQ(*three.value<other_number_key>(), 2);
  EXPECT_EQ(three.value<name_key>(), nullptr);
  cancel();
  EXPECT_EQ(*three.value<number_key>(), 3) << "also when it is done";
}

MATRIX_TEST(Context, LayersEndAndKeepTheirValues_CX21) {
  for (int bottom = 0; bottom < 30; bottom += 3) {
    std::vector<runnel::cancelable_context> layers;
    context at = background();
    for (int i = 0; i < 30; ++i) {
      at = with_value<number_key>(at, i);
      layers.push_back(i % 2 == 0 ? with_cancel(at) : with_timeout(at, 1h));
      at = layers.back().ctx;
    }
    EXPECT_EQ(*at.value<number_key>(), 29);
    expect_open(at);
    layers[static_cast<std::size_t>(bottom)].cancel();
    expect_done(at, context_errc::canceled);
    EXPECT_EQ(*at.value<number_key>(), 29);
    if (bottom > 0) expect_open(layers[static_cast<std::size_t>(bottom) - 1].ctx);
  }
}

MATRIX_TEST(Context, WithoutCancelKeepsValuesOnly_CX31_CX32) {
  auto [parent, cancel] = with_timeout(with_value<number_key>(background(), 7), 1h);
  const context ctx = runnel::without_cancel(parent);
  cancel("over");
  EXPECT_FALSE(ctx.done());
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
  EXPECT_FALSE(ctx.deadline());
  EXPECT_EQ(*ctx.value<number_key>(), 7);
  auto [child, cancel_child] = with_cancel(ctx);
  expect_open(child);
  cancel_child();
  expect_done(child, context_errc::canceled);
  EXPECT_EQ(runnel::without_cancel(background()).value<number_key>(), nullptr);
}

MATRIX_TEST(Context, NoGoroutineBelongsToOne_CX45) {
  const std::size_t before = runnel::num_goroutines();
  std::vector<runnel::cancelable_context> many;
  auto [parent, cancel] = with_cancel(background());
  std::stop_source source;
  for (int i = 0; i < 100; ++i) {
    many.push_back(with_cancel(parent));
    many.push_back(with_timeout(with_value<number_key>(parent, i), 1h));
    many.push_back(runnel::with_stop_token(parent, source.get_token()));
  }
  EXPECT_EQ(runnel::num_goroutines(), before);
  cancel();
  many.push_back(with_cancel(parent));
  many.push_back(runnel::with_stop_token(parent, source.get_token()));
  EXPECT_EQ(runnel::num_goroutines(), before);
  for (const auto& derived : many) expect_done(derived.ctx, context_errc::canceled);
}

}  // namespace
