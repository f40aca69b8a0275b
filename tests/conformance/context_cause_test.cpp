// Contexts: why one is done; what waits for its end; stop tokens.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <stop_token>
#include <utility>
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
using runnel::with_timeout;

MATRIX_TEST(ContextCause, IsTheErrorWhereNoneWasGiven_CX23_CX24) {
  auto [a, cancel_a] = with_cancel(background());
  cancel_a();
  EXPECT_EQ(a.cause(), a.err());
  auto [b, cancel_b] = with_cancel(background());
  const error why = "why";
  cancel_b(why);
  EXPECT_TRUE(b.err().is(context_errc::canceled));
  EXPECT_EQ(b.cause(), why);
  auto [c, cancel_c] = with_cancel(background());
  cancel_c(nullptr);
  EXPECT_TRUE(c.cause().is(context_errc::canceled));
}

MATRIX_TEST(ContextCause, TheFirstStays_CX25_CX26_CX27) {
  const error of_parent = "parent";
  const error of_child = "child";
  {
    auto [parent, cancel_parent] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    cancel_parent(of_parent);
    cancel_child(of_child);
    EXPECT_EQ(child.cause(), of_parent);
  }
  {
    auto [parent, cancel_parent] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    cancel_child(of_child);
    cancel_parent(of_parent);
    EXPECT_EQ(child.cause(), of_child);
    EXPECT_EQ(parent.cause(), of_parent);
  }
  {
    auto [parent, cancel_parent] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    cancel_child();
    cancel_parent(of_parent);
    EXPECT_EQ(child.cause(), child.err());
  }
  {
    auto [parent, cancel_parent] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(parent);
    cancel_parent();
    cancel_child(of_child);
    EXPECT_EQ(child.cause(), parent.err());
  }
}

MATRIX_TEST(ContextCause, OfATimeoutIsUsedOnlyWhenItExpires_CX28_CX29_CX30) {
  const error late = "too late";
  auto [a, cancel_a] = with_timeout(background(), 0s);
  cancel_a();
  EXPECT_TRUE(a.err().is(context_errc::deadline_exceeded));
  EXPECT_EQ(a.cause(), a.err());

  auto [b, cancel_b] = with_timeout(background(), 0s, late);
  cancel_b();
  EXPECT_TRUE(b.err().is(context_errc::deadline_exceeded));
  EXPECT_EQ(b.cause(), late);

  auto [c, cancel_c] = with_timeout(background(), 1h, late);
  cancel_c();
  EXPECT_TRUE(c.err().is(context_errc::canceled));
  EXPECT_TRUE(c.cause().is(context_errc::canceled));

  auto [soon, cancel_soon] = with_timeout(background(), 2ms, late);
  soon.done().recv();
  EXPECT_TRUE(soon.err().is(context_errc::deadline_exceeded));
  EXPECT_EQ(soon.cause(), late);

  const error of_parent = "parent";
  auto [parent, cancel_parent] = with_cancel(background());
  auto [now, cancel_now] = with_timeout(parent, 0s, late);
  auto [far, cancel_far] = with_timeout(parent, 1h, late);
  cancel_parent(of_parent);
  EXPECT_EQ(now.cause(), late);
  EXPECT_TRUE(far.err().is(context_errc::canceled));
  EXPECT_EQ(far.cause(), of_parent);
}

// Tied to another context by a function instead of by descent: whoever comes first is the cause.
MATRIX_TEST(ContextCause, HandedOnByAnAfterFunc) {
  const error of_parent = "parent";
  for (const bool parent_first : {true, false}) {
    for (const bool own_at_all : {true, false}) {
      auto [parent, cancel_parent] = with_cancel(background());
      auto [own, cancel_own] = with_cancel(background());
      runnel::chan<void> handed_on;
      runnel::after_func(parent, [&, handed_on, p = parent, c = &cancel_own] {
        (*c)(p.cause());
        handed_on.close();
      });
      if (own_at_all && !parent_first) cancel_own();
      EXPECT_FALSE(parent.err());
      cancel_parent(of_parent);
      handed_on.recv();
      if (own_at_all && parent_first) cancel_own();
      EXPECT_TRUE(own.err().is(context_errc::canceled));
      EXPECT_EQ(own.cause(), own_at_all && !parent_first ? own.err() : of_parent);
    }
  }
}

MATRIX_TEST(ContextCause, NoOtherErrorIsEverSeen_CX34) {
  const error why = "why";
  for (int round = 0; round < scaled(100); ++round) {
    auto [ctx, cancel] = with_cancel(background());
    runnel::wait_group all;
    all.go([&, c = &cancel] { (*c)(why); });
    for (;;) {
      const error seen = ctx.cause();
      if (seen) {
        EXPECT_EQ(seen, why);
        break;
      }
      runnel::yield();
    }
    all.wait();
  }
}

MATRIX_TEST(ContextCause, ErrIsSetOnlyOnceDoneIsClosed_CX35) {
  for (int round = 0; round < scaled(200); ++round) {
    auto [ctx, cancel] = with_cancel(background());
    const auto done = ctx.done();
    runnel::wait_group all;
    all.go([c = &cancel] { (*c)(); });
    while (!ctx.err()) runnel::yield();
    EXPECT_TRUE(done.try_recv().closed());
    all.wait();
  }
}

MATRIX_TEST(ContextDone, IsClosedForEveryoneAndAlwaysTheSameChannel) {
  auto [ctx, cancel] = with_cancel(background());
  const auto done = ctx.done();
  EXPECT_TRUE(done == ctx.done());
  std::atomic<int> woken{0};
  runnel::wait_group all;
  for (int i = 0; i < 20; ++i) {
    all.go([&, d = ctx.done()] {
      d.recv();
      ++woken;
    });
  }
  cancel();
  all.wait();
  EXPECT_EQ(woken, 20);
  EXPECT_TRUE(done == ctx.done());
}

MATRIX_TEST(ContextStopToken, IsAskedToStopWhenTheContextIsDone) {
  auto [ctx, cancel] = with_cancel(background());
  const std::stop_token token = ctx.stop_token();
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  bool called = false;
  const std::stop_callback on_stop(token, [&] { called = true; });
  cancel();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_TRUE(called) << "in whoever cancels, before cancel returns";
  EXPECT_TRUE(ctx.stop_token().stop_requested());
  auto [late, cancel_late] = with_cancel(ctx);
  EXPECT_TRUE(late.stop_token().stop_requested()) << "made when it was done already";
}

MATRIX_TEST(ContextStopToken, OfATimedContextIsAskedAtTheDeadline) {
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  const std::stop_token token = ctx.stop_token();
  EXPECT_TRUE(eventually([&] { return token.stop_requested(); }));
}

MATRIX_TEST(ContextStopToken, EndsTheContextMadeWithIt) {
  std::stop_source source;
  auto [ctx, cancel] = runnel::with_stop_token(background(), source.get_token());
  auto [child, cancel_child] = with_cancel(ctx);
  EXPECT_FALSE(ctx.err());
  source.request_stop();
  EXPECT_TRUE(ctx.err().is(context_errc::canceled));
  EXPECT_TRUE(child.err().is(context_errc::canceled)) << "when request_stop returns";
}

MATRIX_TEST(ContextStopToken, ThatWasAskedBeforeGivesADoneContext) {
  std::stop_source source;
  source.request_stop();
  auto [ctx, cancel] = runnel::with_stop_token(background(), source.get_token());
  EXPECT_TRUE(ctx.err().is(context_errc::canceled));
  auto [never, cancel_never] = runnel::with_stop_token(background(), std::stop_token());
  EXPECT_FALSE(never.err());
  cancel_never();
  EXPECT_TRUE(never.err());
}

MATRIX_TEST(ContextStopToken, AChildKeepsTheCauseItWasCancelledWith) {
  const error of_child = "child";
  std::stop_source source;
  auto [parent, cancel_parent] = runnel::with_stop_token(background(), source.get_token());
  auto [child, cancel_child] = with_cancel(parent);
  cancel_child(of_child);
  EXPECT_TRUE(child.err().is(context_errc::canceled));
  EXPECT_EQ(child.cause(), of_child);
  EXPECT_FALSE(parent.err());
  EXPECT_FALSE(parent.cause());
  source.request_stop();
  EXPECT_EQ(child.cause(), of_child);
  EXPECT_TRUE(parent.err().is(context_errc::canceled));
  EXPECT_EQ(parent.cause(), parent.err());
}

// A callback of the parent's token cancels the child itself, before or after the parent does.
MATRIX_TEST(ContextStopToken, ACallbackMayCancelTheChild) {
  for (const bool before : {true, false}) {
    std::stop_source source;
    std::optional<std::stop_callback<std::function<void()>>> callback;
    runnel::cancelable_context child;
    const auto cancel_child = [&child] { child.cancel("from the callback"); };
    if (before) callback.emplace(source.get_token(), cancel_child);
    auto [parent, cancel] = runnel::with_stop_token(background(), source.get_token());
    child = with_cancel(parent);
    if (!before) callback.emplace(parent.stop_token(), cancel_child);
    source.request_stop();
    EXPECT_TRUE(child.ctx.err().is(context_errc::canceled));
    EXPECT_TRUE(child.ctx.cause());
    EXPECT_TRUE(parent.err().is(context_errc::canceled));
    EXPECT_EQ(parent.cause(), parent.err());
  }
}

// Nothing of a context that is done or gone stays behind in a source that lives on.
MATRIX_TEST(ContextStopToken, LetsGoOfTheSource) {
  struct held {
    using type = std::shared_ptr<int>;
  };
  const auto value = std::make_shared<int>(1);
  std::stop_source source;
  const auto make = [&] {
    return runnel::with_stop_token(runnel::with_value<held>(background(), value),
                                   source.get_token());
  };
  {
    auto cancelled = make();
    auto child = with_timeout(cancelled.ctx, 1h);
    EXPECT_GT(value.use_count(), 1);
    cancelled.cancel();
    EXPECT_TRUE(child.ctx.err());
  }
  EXPECT_EQ(value.use_count(), 1);
  { auto dropped = make(); }
  EXPECT_EQ(value.use_count(), 1);
  {
    auto asked = make();
    source.request_stop();
    EXPECT_TRUE(asked.ctx.err());
  }
  EXPECT_TRUE(eventually([&] { return value.use_count() == 1; }));
}

MATRIX_TEST(ContextStopToken, MayBeAskedAfterTheContextIsGone) {
  std::stop_source source;
  { auto made = runnel::with_stop_token(background(), source.get_token()); }
  EXPECT_TRUE(source.request_stop());
  auto [parent, cancel] = with_cancel(background());
  std::stop_source second;
  auto [ctx, cancel_ctx] = runnel::with_stop_token(parent, second.get_token());
  cancel();
  EXPECT_TRUE(ctx.err());
  EXPECT_TRUE(second.request_stop());
}

MATRIX_TEST(ContextStopToken, AndCancelMayComeTogether) {
  for (int round = 0; round < scaled(300); ++round) {
    std::stop_source source;
    runnel::wait_group all;
    auto [parent, cancel_parent] = with_cancel(background());
    auto [ctx, cancel] = runnel::with_stop_token(parent, source.get_token());
    all.go([&] { source.request_stop(); });
    all.go([c = &cancel] { (*c)(); });
    all.go([c = &cancel_parent] { (*c)(); });
    ctx.done().recv();
    all.wait();
    EXPECT_TRUE(ctx.err().is(context_errc::canceled));
  }
}

}  // namespace
