// after_func(context, f): a function that is started when a context is done.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <utility>
#include <vector>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::after_func;
using runnel::background;
using runnel::chan;
using runnel::with_cancel;
using runnel::with_timeout;

MATRIX_TEST(ContextAfterFunc, StartsWhenTheContextIsDone_CX40) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> ran(1);
  auto stop = after_func(ctx, [=] { ran.send(1); });
  EXPECT_TRUE(ran.recv_for(2ms).timed_out());
  cancel();
  EXPECT_EQ(*ran.recv(), 1);
  EXPECT_FALSE(stop());
}

MATRIX_TEST(ContextAfterFunc, StartsAtTheDeadline_CX41) {
  auto [ctx, cancel] = with_timeout(background(), 2ms);
  chan<int> ran(1);
  auto stop = after_func(ctx, [=] { ran.send(1); });
  EXPECT_EQ(*ran.recv(), 1);
  EXPECT_TRUE(ctx.err());
}

MATRIX_TEST(ContextAfterFunc, StartsAtOnceInItsOwnGoroutineWhereItIsDone_CX42) {
  auto [ctx, cancel] = with_cancel(background());
  cancel();
  chan<std::uint64_t> ran;
  auto stop = after_func(ctx, [=] { ran.send(runnel::this_goroutine::id()); });
  const auto id = ran.recv();
  EXPECT_NE(*id, runnel::this_goroutine::id());
  EXPECT_NE(*id, 0u);
  EXPECT_FALSE(stop());
}

MATRIX_TEST(ContextAfterFunc, NeverRunsOnceStopped_CX43) {
  auto [ctx, cancel] = with_cancel(background());
  std::atomic<bool> ran{false};
  auto stop = after_func(ctx, [&] { ran = true; });
  EXPECT_TRUE(stop());
  EXPECT_FALSE(stop());
  cancel();
  chan<void> later;
  auto marker = after_func(ctx, [=] { later.close(); });
  later.recv();
  EXPECT_FALSE(stop());
  EXPECT_FALSE(ran);
}

MATRIX_TEST(ContextAfterFunc, IsNotWaitedForByCancel_CX44) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> unbuffered;
  auto stop = after_func(ctx, [=] { unbuffered.send(1); });
  cancel();  // would hang
  EXPECT_EQ(*unbuffered.recv(), 1);
}

MATRIX_TEST(ContextAfterFunc, RunsAlthoughTheStopFunctionIsDropped) {
  auto [ctx, cancel] = with_cancel(background());
  chan<int> ran(2);
  {
    auto dropped = after_func(ctx, [=] { ran.send(1); });
  }
  after_func(ctx, [=] { ran.send(2); });
  cancel();
  EXPECT_EQ(*ran.recv() + *ran.recv(), 3);
}

MATRIX_TEST(ContextAfterFunc, OfADescendantStartsWithTheRoot_CX03_CX05) {
  auto [root, cancel_root] = with_cancel(background());
  auto [child, cancel_child] = with_cancel(root);
  chan<int> ran(2);
  auto one = after_func(child, [=] { ran.send(1); });
  auto two = after_func(root, [=] { ran.send(2); });
  cancel_child();
  EXPECT_EQ(*ran.recv(), 1);
  EXPECT_TRUE(two()) << "the root is not done";
  cancel_root();
  EXPECT_TRUE(ran.try_recv().empty());
}

MATRIX_TEST(ContextAfterFunc, KeepsTheFunctionUntilItRanOrWasStopped) {
  auto [ctx, cancel] = with_cancel(background());
  auto token = std::make_shared<int>(1);
  auto stop = after_func(ctx, [token] {});
  EXPECT_EQ(token.use_count(), 2);
  EXPECT_TRUE(stop());
  EXPECT_EQ(token.use_count(), 1);
  auto run = after_func(ctx, [token] {});
  cancel();
  EXPECT_TRUE(eventually([&] { return token.use_count() == 1; }));
}

MATRIX_TEST(ContextAfterFunc, OfTheBackgroundCanBeStoppedOnce) {
  std::atomic<bool> ran{false};
  auto stop = after_func(background(), [&] { ran = true; });
  auto moved = std::move(stop);
  EXPECT_TRUE(moved());
  EXPECT_FALSE(moved());
  EXPECT_FALSE(ran);
}

MATRIX_TEST(ContextAfterFunc, StopAndCancelAtOnceHaveOneAnswer) {
  for (int round = 0; round < scaled(300); ++round) {
    auto [ctx, cancel] = with_cancel(background());
    std::atomic<int> runs{0};
    std::atomic<int> stops{0};
    runnel::wait_group all;
    auto stop = after_func(ctx, [&] { ++runs; });
    all.go([c = &cancel] { (*c)(); });
    for (int i = 0; i < 2; ++i) all.go([&] { stops += stop() ? 1 : 0; });
    all.wait();
    EXPECT_TRUE(eventually([&] { return runs + stops == 1; })) << runs << " runs " << stops;
  }
}

}  // namespace
