// group: goroutines that end together and fail together.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/group.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/message.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::context_errc;
using runnel::error;
using runnel::group;

MATRIX_TEST(Group, WaitGivesTheFirstErrorAndKeepsIt_EG01) {
  const error e1 = "one";
  const error e2 = "two";
  const std::vector<std::vector<error>> cases{{},       {error()},    {e1},
                                              {e1, {}}, {e1, {}, e2}, {{}, e2, e1}};
  for (const auto& results : cases) {
    group g;
    error first;
    for (const error& result : results) {
      g.go([result] { return result; });
      if (result && !first) first = result;
      EXPECT_EQ(g.wait(), first);
    }
    EXPECT_EQ(g.wait(), first);
  }
}

MATRIX_TEST(Group, TakesEveryKindOfFunction) {
  group g;
  std::atomic<int> ran{0};
  g.go([&] { ++ran; });
  g.go([&](const context& ctx) { ran += ctx.err() ? 0 : 1; });
  g.go([&]() -> error {
    ++ran;
    return nullptr;
  });
  g.go([&](const context&) -> std::error_code {
    ++ran;
    return {};
  });
  g.go([&, p = std::make_unique<int>(1)] { ran += *p; });
  std::function<void()> f = [&] { ++ran; };
  g.go(f);
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 6);
}

MATRIX_TEST(Group, AnErrorMayBeACodeOrAnException_EG11) {
  group code;
  code.go([] { return std::make_error_code(std::errc::io_error); });
  EXPECT_TRUE(code.wait().is(std::errc::io_error));
  group thrown;
  thrown.go([] { throw std::runtime_error("thrown"); });
  const error e = thrown.wait();
  EXPECT_EQ(e.message(), "thrown");
  EXPECT_NE(e.as<std::runtime_error>(), nullptr);
}

MATRIX_TEST(Group, ItsContextIsDoneAfterWait_EG02_EG03) {
  group fine;
  const context ctx = fine.ctx();
  fine.go([] {});
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(fine.wait());
  EXPECT_TRUE(ctx.err().is(context_errc::canceled));
  EXPECT_TRUE(ctx.cause().is(context_errc::canceled));
  group failed;
  const error why = "why";
  failed.go([why] { return why; });
  EXPECT_EQ(failed.wait(), why);
  EXPECT_EQ(failed.ctx().cause(), why);
}

MATRIX_TEST(Group, TheFirstErrorCancelsTheOthersAtOnce_EG04) {
  group g;
  const error why = "first";
  std::atomic<int> told{0};
  for (int i = 0; i < 10; ++i) {
    g.go([&](const context& ctx) -> error {
      ctx.done().recv();
      ++told;
      return "later";
    });
  }
  g.go([why] { return why; });
  EXPECT_EQ(g.wait(), why);
  EXPECT_EQ(told, 10);
  EXPECT_EQ(g.ctx().cause(), why);
}

MATRIX_TEST(Group, IsDoneWithItsParent) {
  auto [parent, cancel] = runnel::with_cancel(background());
  group g(parent);
  g.go([](const context& ctx) {
    ctx.done().recv();
    return ctx.cause();
  });
  const error why = "parent";
  cancel(why);
  EXPECT_EQ(g.wait(), why);
}

MATRIX_TEST(Group, TryGoStartsUpToTheLimit_EG05_EG06) {
  group g;
  g.set_limit(42);
  chan<void> hold;
  for (int i = 0; i < 42; ++i) EXPECT_TRUE(g.try_go([=] { hold.recv(); })) << i;
  EXPECT_FALSE(g.try_go([] {}));
  hold.close();
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(g.try_go([] {})) << "the places are free when wait returns";
  EXPECT_FALSE(g.wait());
  g.set_limit(1);
  chan<void> again;
  EXPECT_TRUE(g.try_go([=] { again.recv(); }));
  EXPECT_FALSE(g.try_go([] {}));
  again.close();
  g.wait();
}

MATRIX_TEST(Group, WithALimitOfZeroNothingStarts_EG07) {
  group g;
  g.set_limit(0);
  for (int i = 0; i < 1024; ++i) EXPECT_FALSE(g.try_go([] {}));
  EXPECT_FALSE(g.wait());
  std::atomic<bool> ran{false};
  chan<void> started;
  runnel::go([&, started] {
    g.go([&] { ran = true; });
    started.close();
  });
  EXPECT_TRUE(until_blocked("semacquire"));
  EXPECT_FALSE(ran);
  g.set_limit(1);
  started.recv();
  g.wait();
  EXPECT_TRUE(ran);
}

MATRIX_TEST(Group, GoBlocksAtTheLimit_EG08) {
  group g;
  g.set_limit(10);
  std::atomic<int> active{0};
  std::atomic<int> most{0};
  for (int i = 0; i < 1025; ++i) {
    g.go([&] {
      const int now = ++active;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
      }
      runnel::yield();
      --active;
    });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_LE(most, 10);
  EXPECT_EQ(active, 0);
}

MATRIX_TEST(Group, ANegativeLimitIsNone_EG09) {
  group g;
  g.set_limit(2);
  g.set_limit(-1);
  chan<void> hold;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(g.try_go([=] { hold.recv(); }));
  hold.close();
  g.wait();
}

MATRIX_TEST(Group, TheLimitCannotChangeWhileGoroutinesAreActive_EG10) {
  group g;
  chan<void> hold;
  for (int i = 0; i < 3; ++i) g.go([=] { hold.recv(); });
  EXPECT_EQ(message_of<std::logic_error>([&] { g.set_limit(1); }),
            "group: modify limit while 3 goroutines in the group are still active");
  hold.close();
  g.wait();
  EXPECT_NO_THROW(g.set_limit(1));
}

MATRIX_TEST(Group, WhatGoroutinesWroteIsSeenAfterWait_EG12) {
  std::vector<int> squares(100);
  group g;
  for (int i = 0; i < 100; ++i) g.go([&, i] { squares[static_cast<std::size_t>(i)] = i * i; });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(std::accumulate(squares.begin(), squares.end(), 0), 328350);
}

MATRIX_TEST(Group, ItsDestructorCancelsAndWaits) {
  std::atomic<int> ended{0};
  {
    group g;
    for (int i = 0; i < 10; ++i) {
      g.go([&](const context& ctx) {
        ctx.done().recv();
        runnel::yield();
        ++ended;
      });
    }
  }
  EXPECT_EQ(ended, 10);
}

MATRIX_TEST(Group, FunctionsAreGoneWhenWaitReturns) {
  for (int round = 0; round < scaled(200); ++round) {
    const auto token = std::make_shared<int>(1);
    group g;
    for (int i = 0; i < 4; ++i) g.go([copied = std::shared_ptr<const int>(token)] {});
    g.wait();
    EXPECT_EQ(token.use_count(), 1);
  }
}

MATRIX_TEST(Group, GoroutinesMayStartOthers) {
  group g;
  std::atomic<int> ran{0};
  std::function<void(int)> grow = [&](int depth) {
    ++ran;
    if (depth == 0) return;
    for (int i = 0; i < 3; ++i) g.go([&, depth] { grow(depth - 1); });
  };
  g.go([&] { grow(4); });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 1 + 3 + 9 + 27 + 81);
}

MATRIX_TEST_THREAD(Group, WorksOnPlainThreads) {
  group g;
  g.set_limit(1);
  std::atomic<int> ran{0};
  for (int i = 0; i < 20; ++i) g.go([&] { ++ran; });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 20);
}

MATRIX_TEST(Group, MayBeDestroyedAsSoonAsWaitHasReturned) {
  for (int round = 0; round < scaled(500); ++round) {
    auto g = std::make_unique<group>();
    g->go([] {});
    g->go([] { runnel::yield(); });
    g->wait();
    g.reset();
  }
}

}  // namespace
