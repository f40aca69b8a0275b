// The waits of channels, select and sync that end with a context; and contexts in great numbers.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <shared_mutex>
#include <vector>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::context_errc;
using runnel::error;
using runnel::with_cancel;
using runnel::with_timeout;

context done_context() {
  auto made = with_cancel(background());
  return made.ctx;  // its cancel goes now
}

MATRIX_TEST(ContextWait, SendGivesUpAndLeavesTheValue) {
  chan<std::unique_ptr<int>> ch;
  auto value = std::make_unique<int>(1);
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  EXPECT_FALSE(ch.send(ctx, std::move(value)));
  ASSERT_NE(value, nullptr);
  EXPECT_FALSE(ch.send(done_context(), std::move(value)));
  ASSERT_NE(value, nullptr);
  chan<int> copies;
  const int lvalue = 3;
  EXPECT_FALSE(copies.send(ctx, lvalue));
  chan<void> events;
  EXPECT_FALSE(events.send(ctx));
}

MATRIX_TEST(ContextWait, SendGoesAheadWhereItCan) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> ch(1);
  EXPECT_TRUE(ch.send(ctx, 1));
  runnel::wait_group all;
  all.go([&, c = context(ctx)] { EXPECT_TRUE(ch.send(c, 2)); });
  EXPECT_EQ(ch.recv(), 1);
  EXPECT_EQ(ch.recv(), 2);
  all.wait();
  EXPECT_TRUE(ch.send(background(), 3));
  EXPECT_FALSE(ch.send(done_context(), 4)) << "done from the start";
  EXPECT_EQ(ch.recv(), 3);
  EXPECT_EQ(ch.len(), 0u);
}

MATRIX_TEST(ContextWait, SendThrowsWhenTheChannelCloses) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> ch;
  runnel::wait_group all;
  all.go([&, c = context(ctx)] { EXPECT_THROW(ch.send(c, 1), runnel::closed_channel); });
  EXPECT_TRUE(until_blocked("select"));
  ch.close();
  all.wait();
  EXPECT_THROW(ch.send(ctx, 1), runnel::closed_channel);
}

MATRIX_TEST(ContextWait, RecvGivesUpOrTakesTheValue) {
  chan<int> ch;
  auto [timed, c1] = with_timeout(background(), 2ms);
  EXPECT_EQ(ch.recv(timed), std::nullopt);
  EXPECT_TRUE(timed.err());
  auto [ctx, c2] = with_cancel(background());
  runnel::go([=] { ch.send(5); });
  EXPECT_EQ(ch.recv(ctx), 5);
  chan<int> full(1);
  full.send(6);
  EXPECT_EQ(full.recv(done_context()), std::nullopt) << "done from the start";
  EXPECT_EQ(full.recv(background()), 6);
  full.close();
  EXPECT_EQ(full.recv(ctx), std::nullopt);
  EXPECT_FALSE(ctx.err());
  chan<void> events(1);
  events.send();
  EXPECT_TRUE(events.recv(ctx));
  EXPECT_FALSE(events.recv(timed));
  chan<int> nil(nullptr);
  auto [soon, c3] = with_timeout(background(), 2ms);
  EXPECT_EQ(nil.recv(soon), std::nullopt);
  EXPECT_FALSE(nil.send(soon, 1));
}

MATRIX_TEST_THREAD(ContextWait, WorksOnPlainThreads) {
  chan<int> ch;
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  EXPECT_EQ(ch.recv(ctx), std::nullopt);
  EXPECT_FALSE(ch.send(ctx, 1));
  runnel::mutex m;
  m.lock();
  auto [again, cancel_again] = with_timeout(background(), 2ms);
  EXPECT_TRUE(m.lock(again).is(context_errc::deadline_exceeded));
  m.unlock();
}

MATRIX_TEST(ContextWait, NoValueIsLostBetweenAReceiverThatGivesUpAndASender) {
  for (int round = 0; round < scaled(400); ++round) {
    chan<int> ch;
    auto [ctx, cancel] = with_cancel(background());
    std::optional<int> received;
    bool sent = false;
    runnel::wait_group all;
    all.go([&, c = context(ctx)] { received = ch.recv(c); });
    all.go([&, c = context(ctx)] { sent = ch.send(c, 1); });
    all.go([c = &cancel] { (*c)(); });
    all.wait();
    EXPECT_EQ(sent, received.has_value());
  }
}

MATRIX_TEST(ContextWait, OnDoneIsACaseOfASelect) {
  chan<int> never;
  auto [ctx, cancel] = with_cancel(background());
  bool handled = false;
  EXPECT_EQ(runnel::select(runnel::on_done(ctx), runnel::otherwise()), 1u);
  runnel::go([c = &cancel] { (*c)(); });
  EXPECT_EQ(runnel::select(runnel::on_recv(never), runnel::on_done(ctx, [&] { handled = true; })),
            1u);
  EXPECT_TRUE(handled);
  EXPECT_EQ(runnel::select(runnel::on_done(ctx), runnel::otherwise()), 0u);
  EXPECT_EQ(runnel::select(runnel::on_done(background()), runnel::on_timeout(1ms)), 1u);
  EXPECT_EQ(runnel::select(runnel::on_done(done_context()), runnel::on_recv(never)), 0u)
      << "the case keeps its context";
}

MATRIX_TEST(ContextWait, AStoredCaseKeepsItsContext) {
  const auto make = []() -> runnel::select_case {
    const context ctx = done_context();
    return runnel::on_done(ctx);
  };
  runnel::select_case cases[] = {make()};
  EXPECT_EQ(runnel::select(cases), 0u);

  context named = done_context();
  auto lent = runnel::on_done(named);
  auto moved = std::move(lent);
  named = background();
  EXPECT_EQ(runnel::select(moved, runnel::otherwise()), 0u);

  auto temporary = runnel::on_done(done_context());
  EXPECT_EQ(runnel::select(temporary, runnel::otherwise()), 0u);
}

MATRIX_TEST(ContextWait, ManySelectsWakeByOneCancel) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> never;
  std::atomic<int> woken{0};
  runnel::wait_group all;
  const int n = scaled(1000);
  for (int i = 0; i < n; ++i) {
    all.go([&, c = context(ctx)] {
      if (runnel::select(runnel::on_recv(never), runnel::on_done(c)) == 1) ++woken;
    });
  }
  cancel();
  all.wait();
  EXPECT_EQ(woken, n);
}

MATRIX_TEST(ContextWait, LockGivesUpAndLeavesTheMutexUsable) {
  runnel::mutex m;
  {
    const std::lock_guard held(m);
    auto [ctx, cancel] = with_timeout(background(), 2ms);
    EXPECT_TRUE(m.lock(ctx).is(context_errc::deadline_exceeded));
  }
  EXPECT_TRUE(m.lock(done_context()).is(context_errc::canceled)) << "although it is free";
  EXPECT_TRUE(m.try_lock());
  runnel::wait_group all;
  auto [ctx, cancel] = with_cancel(background());
  all.go([&, c = context(ctx)] {
    EXPECT_FALSE(m.lock(c));
    m.unlock();
  });
  m.unlock();
  all.wait();
  EXPECT_FALSE(m.lock(background()));
  m.unlock();
}

MATRIX_TEST(ContextWait, LockOfASharedMutexGivesUp) {
  runnel::shared_mutex m;
  auto [ctx, cancel] = with_timeout(background(), 5ms);
  {
    const std::shared_lock reader(m);
    EXPECT_FALSE(m.lock_shared(ctx));
    m.unlock_shared();
    EXPECT_TRUE(m.lock(ctx).is(context_errc::deadline_exceeded));
  }
  const std::lock_guard writer(m);
  auto [second, cancel_second] = with_timeout(background(), 2ms);
  EXPECT_TRUE(m.lock_shared(second).is(context_errc::deadline_exceeded));
  EXPECT_TRUE(m.lock_shared(done_context()).is(context_errc::canceled));
}

MATRIX_TEST(ContextWait, AcquireGivesUpAndTakesNothing_SM04_SM07_SM08) {
  runnel::semaphore s(2);
  EXPECT_FALSE(s.acquire(background(), 2));
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  EXPECT_TRUE(s.acquire(ctx).is(context_errc::deadline_exceeded));
  s.release(2);
  EXPECT_TRUE(s.acquire(done_context()).is(context_errc::canceled)) << "although there are units";
  EXPECT_TRUE(s.try_acquire(2)) << "nothing was taken";
  s.release(1);
  auto [big, cancel_big] = with_cancel(background());
  auto [small, cancel_small] = with_cancel(background());
  runnel::wait_group all;
  all.go([&, c = context(big)] { EXPECT_TRUE(s.acquire(c, 2).is(context_errc::canceled)); });
  EXPECT_TRUE(until_blocked("select"));
  all.go([&, c = context(small)] { EXPECT_FALSE(s.acquire(c, 1)); });
  EXPECT_TRUE(until_blocked("select", 2)) << "behind the big one";
  cancel_big();
  all.wait();
}

MATRIX_TEST(ContextWait, AcquireOfMoreThanThereIsHoldsUpNobody_SM05) {
  runnel::semaphore s(2);
  auto [ctx, cancel] = with_cancel(background());
  runnel::wait_group all;
  all.go([&, c = context(ctx)] { EXPECT_TRUE(s.acquire(c, 3).is(context_errc::canceled)); });
  EXPECT_TRUE(until_blocked("select"));
  for (int i = 0; i < 6; ++i) {
    s.acquire();
    s.release();
  }
  cancel();
  all.wait();
  EXPECT_THROW(static_cast<void>(s.acquire(ctx, -1)), std::invalid_argument);
}

MATRIX_TEST(ContextWait, AUnitIsNeverLostBetweenCancelAndRelease_SM09) {
  for (int round = 0; round < scaled(400); ++round) {
    runnel::semaphore s(1);
    s.acquire();
    auto [ctx, cancel] = with_cancel(background());
    runnel::wait_group all;
    all.go([&, c = context(ctx)] {
      if (!s.acquire(c)) s.release();
    });
    all.go([c = &cancel] { (*c)(); });
    s.release();
    all.wait();
    EXPECT_TRUE(s.try_acquire());
  }
}

MATRIX_TEST(ContextWait, WaitGroupAndConditionGiveUp) {
  runnel::wait_group wg;
  wg.add(1);
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  EXPECT_FALSE(wg.wait(ctx));
  wg.done();
  EXPECT_FALSE(wg.wait(ctx)) << "done from the start";
  EXPECT_TRUE(wg.wait(background()));
  auto [open, cancel_open] = with_cancel(background());
  EXPECT_TRUE(wg.wait(open));

  runnel::mutex m;
  runnel::condition_variable cv;
  std::unique_lock lock(m);
  auto [soon, cancel_soon] = with_timeout(background(), 2ms);
  EXPECT_FALSE(cv.wait(lock, soon));
  EXPECT_TRUE(lock.owns_lock());
  bool flag = false;
  runnel::go([&] {
    const std::lock_guard guard(m);
    flag = true;
    cv.notify_one();
  });
  EXPECT_TRUE(cv.wait(lock, open, [&] { return flag; }));
  EXPECT_FALSE(cv.wait(lock, soon, [] { return false; }));
}

MATRIX_TEST(ContextMany, AHundredThousandChildrenAreDoneSoon) {
  const std::size_t n = scaled(std::size_t{100'000});
  auto [root, cancel_root] = with_cancel(background());
  std::vector<runnel::cancelable_context> children;
  children.reserve(n);
  for (std::size_t i = 0; i < n; ++i) children.push_back(with_cancel(root));
  const stopwatch watch;
  cancel_root();
  const auto took = watch.elapsed();
  EXPECT_LT(took, 50ms * patience);
  std::size_t done = 0;
  for (const auto& child : children) done += child.ctx.err() ? 1 : 0;
  EXPECT_EQ(done, n);
}

MATRIX_TEST(ContextMany, ALongChainIsCancelledAndDestroyed) {
  const std::size_t n = scaled(std::size_t{100'000});
  std::vector<runnel::cancelable_context> chain;
  chain.push_back(with_cancel(background()));
  for (std::size_t i = 1; i < n; ++i) chain.push_back(with_cancel(chain.back().ctx));
  chain.front().cancel();
  EXPECT_TRUE(chain.back().ctx.err());
  context last = chain.back().ctx;
  chain.clear();
  last = background();
}

MATRIX_TEST(ContextMany, ALongLivedParentDoesNotGrow_CX05) {
  auto [parent, cancel_parent] = with_cancel(background());
  const auto use_some = [&, root = context(parent)](int n) {
    for (int i = 0; i < n; ++i) {
      auto [child, cancel] = with_cancel(root);
      auto [timed, cancel_timed] = with_timeout(root, 1h);
      auto stop = runnel::after_func(root, [] {});
      stop();
    }
  };
  use_some(1000);
  [[maybe_unused]] const std::size_t before = ::mallinfo2().uordblks;
  use_some(scaled(300'000));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  EXPECT_LT(::mallinfo2().uordblks, before + 1'000'000);
#endif
  EXPECT_FALSE(parent.err());
}

}  // namespace
