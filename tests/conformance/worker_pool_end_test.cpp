// worker_pool: errors, and the ways it ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pool_support.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::context_errc;
using runnel::error;
using runnel::pool_errc;
using runnel::pool_options;
using runnel::worker_pool;

std::size_t lines_of(const error& e) {
  const std::string text = e.message();
  return text.empty() ? 0
                      : 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

MATRIX_TEST(WorkerPoolErrors, ComeOutOfResultsAndCloseItAtTheEnd) {
  worker_pool pool(2);
  const auto results = pool.results();
  pool.run();
  const error why = "why";
  EXPECT_FALSE(pool.add_task([why] { return why; }));
  EXPECT_FALSE(pool.add_task([] { return error(); }));
  EXPECT_EQ(results.recv(), why);
  EXPECT_FALSE(pool.add_task([] { throw std::runtime_error("thrown"); }));
  EXPECT_EQ(results.recv()->message(), "thrown");
  EXPECT_FALSE(pool.add_task([] { return std::make_error_code(std::errc::io_error); }));
  pool.close();
  EXPECT_TRUE(results.recv()->is(std::errc::io_error));
  EXPECT_EQ(results.recv(), std::nullopt) << "closed once drained";
  EXPECT_FALSE(pool.wait()) << "all were received";
  EXPECT_EQ(pool.stats().failed, 3u);
  EXPECT_EQ(pool.stats().done, 1u);
}

MATRIX_TEST(WorkerPoolErrors, NobodyReadAreJoinedByWait) {
  worker_pool pool(pool_options{.size = 4, .queue = 100});
  pool.run();
  for (int i = 0; i < 10; ++i)
    EXPECT_FALSE(pool.add_task([i] { return error(std::to_string(i)); }));
  EXPECT_FALSE(pool.add_task([] {}));
  const error all = pool.wait();
  EXPECT_EQ(lines_of(all), 10u);
  EXPECT_EQ(pool.wait(), all) << "later calls give the same";
  EXPECT_EQ(pool.results().recv(), std::nullopt);
}

MATRIX_TEST(WorkerPoolErrors, NobodyReadsHoldUpThePoolButNotItsEnd) {
  constexpr std::size_t many = 3000;
  worker_pool pool(2);
  pool.run();
  std::atomic<std::size_t> added{0};
  runnel::wait_group all;
  all.go([&] {
    while (!pool.add_task([] { return error("unread"); })) ++added;
  });
  EXPECT_TRUE(until_blocked("chan send")) << "back-pressure";
  EXPECT_LT(added, many);
  const error e = pool.wait();
  all.wait();
  EXPECT_EQ(lines_of(e), added);
  EXPECT_EQ(pool.stats().failed, added);
}

MATRIX_TEST(WorkerPoolErrors, NobodyReadsHangNeitherCancelNorTheDestructor) {
  for (const bool with_cancel : {true, false}) {
    worker_pool pool(2);
    pool.run();
    runnel::wait_group all;
    all.go([&] {
      while (!pool.add_task([] { return error("unread"); })) {
      }
    });
    EXPECT_TRUE(until_blocked("chan send"));
    if (with_cancel)
      pool.cancel();
    else
      pool.close();
    all.wait();
  }
}

MATRIX_TEST(WorkerPoolEnd, WaitBeforeRunAndTwiceIsFine) {
  worker_pool never(1);
  EXPECT_FALSE(never.wait());
  EXPECT_FALSE(never.wait());
  EXPECT_EQ(never.results().recv(), std::nullopt);
  never.run();
  EXPECT_EQ(never.add_task([] {}), pool_errc::closed);
  worker_pool untouched(1);
}

MATRIX_TEST(WorkerPoolEnd, CloseLetsQueuedTasksFinish) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 50});
  pool.run();
  std::atomic<int> ran{0};
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(pool.add_task([&] {
      hold.pass();
      ++ran;
    }));
  }
  pool.close();
  pool.close();
  EXPECT_FALSE(pool.ctx().err());
  hold.open();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(ran, 20);
  EXPECT_TRUE(pool.ctx().err().is(context_errc::canceled)) << "drained";
}

MATRIX_TEST(WorkerPoolEnd, CancelDropsWhatIsQueuedAndTellsWhatRuns) {
  worker_pool pool(pool_options{.size = 2, .queue = 100});
  pool.run();
  std::atomic<int> told{0};
  std::atomic<int> begun{0};
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(pool.add_task([&](const context& ctx) {
      ++begun;
      ctx.done().recv();
      ++told;
    }));
  }
  EXPECT_TRUE(eventually([&] { return begun == 2; }));
  const error why = "enough";
  pool.cancel(why);
  EXPECT_EQ(pool.ctx().cause(), why);
  EXPECT_EQ(pool.add_task([] {}), pool_errc::closed);
  const error e = pool.wait();
  EXPECT_TRUE(e.is(pool_errc::dropped));
  EXPECT_NE(e.message().find("8 tasks"), std::string::npos) << e;
  const auto s = pool.stats();
  EXPECT_EQ(told, 2);
  EXPECT_EQ(s.done, 2u);
  EXPECT_EQ(s.dropped, 8u);
  EXPECT_TRUE(adds_up(s));
  pool.cancel("again");
  EXPECT_EQ(pool.ctx().cause(), why);
}

MATRIX_TEST(WorkerPoolEnd, CancelDestroysDroppedTasks) {
  const auto token = std::make_shared<int>(1);
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 100});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(pool.try_add_task([token] {}));
  EXPECT_EQ(token.use_count(), 101);
  pool.cancel();
  EXPECT_EQ(token.use_count(), 1);
  hold.open();
  EXPECT_TRUE(pool.wait().is(pool_errc::dropped));
}

MATRIX_TEST(WorkerPoolEnd, AMillionQueuedTasksAreDroppedSoon) {
  const int n = scaled(1'000'000);
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = n});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  for (int i = 0; i < n; ++i) pool.add_task([] { ADD_FAILURE(); });
  const auto now = pool.stats();  // one look: a task may be taken between two
  EXPECT_EQ(now.queued + now.running, static_cast<std::uint64_t>(n) + 1);
  const stopwatch watch;
  pool.cancel();
  hold.open();
  const error e = pool.wait();
  EXPECT_LT(watch.elapsed(), 500ms * patience);
  EXPECT_TRUE(e.is(pool_errc::dropped));
  EXPECT_TRUE(adds_up(pool.stats()));
}

MATRIX_TEST(WorkerPoolEnd, TheDestructorCancelsAndWaits_WP02) {
  std::atomic<int> ended{0};
  std::atomic<int> begun{0};
  {
    worker_pool pool(pool_options{.size = 3, .queue = 10});
    pool.run();
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(pool.add_task([&](const context& ctx) {
        ++begun;
        ctx.done().recv();
        runnel::yield();
        ++ended;
      }));
    }
    EXPECT_TRUE(eventually([&] { return begun == 3; }));
  }
  EXPECT_EQ(ended, 3);
}

MATRIX_TEST(WorkerPoolEnd, WaitWithAContextGivesUpAndSaysSo) {
  gate hold;
  worker_pool pool(1);
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  auto [ctx, cancel] = runnel::with_timeout(background(), 2ms);
  const error e = pool.wait(ctx);
  EXPECT_TRUE(e.is(context_errc::deadline_exceeded)) << e;
  EXPECT_EQ(pool.add_task([] {}), pool_errc::closed);
  hold.open();
  auto [open, cancel_open] = runnel::with_cancel(background());
  EXPECT_FALSE(pool.wait(open));
  EXPECT_FALSE(pool.wait(background()));
  EXPECT_EQ(pool.stats().done, 1u);
}

MATRIX_TEST(WorkerPoolEnd, ManyMayWait) {
  worker_pool pool(2);
  pool.run();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(pool.add_task([] { return error("x"); }));
  std::atomic<int> same{0};
  runnel::wait_group all;
  for (int i = 0; i < 8; ++i) all.go([&] { same += lines_of(pool.wait()) == 5 ? 1 : 0; });
  all.wait();
  EXPECT_EQ(same, 8);
}

MATRIX_TEST(WorkerPoolEnd, StopOnErrorCancelsWithThatError_WP04) {
  worker_pool pool(pool_options{.size = 2, .queue = 100, .stop_on_error = true});
  pool.run();
  const error why = "first";
  chan<void> begun(1);
  EXPECT_FALSE(pool.add_task([&](const context& ctx) {
    begun.send();
    ctx.done().recv();
  }));
  begun.recv();
  gate hold;
  EXPECT_FALSE(pool.add_task([&, why] {
    hold.pass();
    return why;
  }));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(pool.add_task([] { ADD_FAILURE(); }));
  hold.open();
  const error e = pool.wait();
  EXPECT_EQ(pool.ctx().cause(), why);
  EXPECT_TRUE(e.is(why));
  EXPECT_TRUE(e.is(pool_errc::dropped));
  EXPECT_EQ(pool.stats().dropped, 10u);
}

MATRIX_TEST(WorkerPoolEnd, IsCancelledWithItsParent) {
  auto [parent, cancel] = runnel::with_cancel(background());
  worker_pool pool(pool_options{.size = 1, .queue = 5, .parent = parent});
  pool.run();
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(pool.add_task([](const context& ctx) { ctx.done().recv(); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 1; }));
  const error why = "parent";
  cancel(why);
  EXPECT_EQ(pool.ctx().cause(), why);
  EXPECT_EQ(pool.add_task([] {}), pool_errc::closed);
  EXPECT_TRUE(pool.wait().is(pool_errc::dropped));
  EXPECT_EQ(pool.stats().dropped, 2u);
  worker_pool late(pool_options{.size = 1, .parent = parent});
  late.run();
  EXPECT_EQ(late.add_task([] {}), pool_errc::closed);
}

MATRIX_TEST(WorkerPoolEnd, AddTaskRacingCloseRunsItsTaskOrSaysClosed_WP03) {
  for (int round = 0; round < scaled(200); ++round) {
    worker_pool pool(pool_options{.size = 2, .queue = round % 3});
    pool.run();
    std::atomic<int> ran{0};
    std::atomic<int> taken{0};
    runnel::wait_group all;
    for (int g = 0; g < 4; ++g) {
      all.go([&] {
        for (int i = 0; i < 20; ++i) {
          const error e = pool.add_task([&] { ++ran; });
          if (e) {
            EXPECT_EQ(e, pool_errc::closed);
            return;
          }
          ++taken;
        }
      });
    }
    all.go([&] { pool.close(); });
    all.wait();
    EXPECT_FALSE(pool.wait());
    EXPECT_EQ(ran, taken);
    EXPECT_EQ(pool.stats().done, static_cast<std::uint64_t>(taken));
  }
}

}  // namespace
