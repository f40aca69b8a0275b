// worker_pool: overflow policies, retries, timeouts, rate and latencies.
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
using runnel::context;
using runnel::context_errc;
using runnel::error;
using runnel::overflow;
using runnel::pool_errc;
using runnel::pool_options;
using runnel::worker_pool;

MATRIX_TEST(WorkerPoolOverflow, RejectRefusesWhatDoesNotFit) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 1, .on_full = overflow::reject});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_FALSE(pool.add_task([] {}));
  EXPECT_EQ(pool.add_task([] { ADD_FAILURE(); }), pool_errc::rejected);
  EXPECT_EQ(pool.add_task(background(), [] { ADD_FAILURE(); }), pool_errc::rejected);
  hold.open();
  EXPECT_FALSE(pool.wait());
  const auto s = pool.stats();
  EXPECT_EQ(s.rejected, 2u);
  EXPECT_EQ(s.added, 2u);
  EXPECT_EQ(s.done, 2u);
}

MATRIX_TEST(WorkerPoolOverflow, DropOldestMakesRoomForTheNewest) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 2, .on_full = overflow::drop_oldest});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 1; }));
  std::vector<int> ran;
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(pool.add_task([&, i] { ran.push_back(i); }));
  EXPECT_EQ(pool.stats().dropped, 4u);
  EXPECT_TRUE(adds_up(pool.stats()));
  hold.open();
  EXPECT_TRUE(pool.wait().is(pool_errc::dropped)) << "none is lost in silence";
  EXPECT_EQ(ran, (std::vector<int>{4, 5}));
  EXPECT_EQ(pool.stats().done, 3u);
}

MATRIX_TEST(WorkerPoolOverflow, DropOldestWithoutAQueueRejects) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .on_full = overflow::drop_oldest});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_EQ(pool.add_task([] { ADD_FAILURE(); }), pool_errc::rejected);
  hold.open();
  EXPECT_FALSE(pool.wait());
}

MATRIX_TEST(WorkerPoolOverflow, CallerRunsRunsItInTheCaller) {
  gate hold;
  worker_pool pool(pool_options{.size = 1, .queue = 1, .on_full = overflow::caller_runs});
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_FALSE(pool.add_task([] {}));
  std::uint64_t where = 0;
  EXPECT_FALSE(pool.add_task([&](const context& ctx) {
    EXPECT_FALSE(ctx.err());
    where = runnel::this_goroutine::id();
    const auto now = pool.stats();  // one look: a task may be taken between two
    EXPECT_EQ(now.running + now.queued, 3u);
    return error("from the caller");
  }));
  EXPECT_EQ(where, runnel::this_goroutine::id());
  EXPECT_TRUE(adds_up(pool.stats()));
  hold.open();
  EXPECT_EQ(pool.wait().message(), "from the caller");
  EXPECT_EQ(pool.stats().done, 2u);
  EXPECT_EQ(pool.stats().failed, 1u);
}

MATRIX_TEST(WorkerPoolRetries, CallTheSameTaskAgainUntilItSucceeds) {
  worker_pool pool(pool_options{.size = 2, .retries = 3, .retry_backoff = {.initial = 1ms}});
  pool.run();
  std::atomic<int> calls{0};
  EXPECT_FALSE(pool.add_task([&, attempt = 0]() mutable -> error {
    ++calls;
    return ++attempt < 3 ? error("not yet") : error();
  }));
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(calls, 3);
  const auto s = pool.stats();
  EXPECT_EQ(s.done, 1u);
  EXPECT_EQ(s.failed, 0u);
  EXPECT_EQ(s.retried, 2u);
}

MATRIX_TEST(WorkerPoolRetries, EndWithTheLastError) {
  worker_pool pool(pool_options{.size = 1, .retries = 2, .retry_backoff = {.initial = 0ms}});
  pool.run();
  EXPECT_FALSE(pool.add_task(
      [attempt = 0]() mutable { throw std::runtime_error(std::to_string(++attempt)); }));
  EXPECT_EQ(pool.wait().message(), "3");
  EXPECT_EQ(pool.stats().failed, 1u);
  EXPECT_EQ(pool.stats().retried, 2u);
}

MATRIX_TEST(WorkerPoolRetries, WaitLongerEachTimeUpToTheLimit) {
  worker_pool pool(
      pool_options{.size = 1,
                   .retries = 4,
                   .retry_backoff = {.initial = 2ms, .max = 6ms, .factor = 2, .jitter = 0}});
  pool.run();
  std::vector<std::chrono::steady_clock::time_point> at;
  EXPECT_FALSE(pool.add_task([&] {
    at.push_back(std::chrono::steady_clock::now());
    return error("always");
  }));
  EXPECT_TRUE(pool.wait());
  ASSERT_EQ(at.size(), 5u);
  const std::vector<std::chrono::milliseconds> least{2ms, 4ms, 6ms, 6ms};
  for (std::size_t i = 0; i < least.size(); ++i) {
    EXPECT_GE(at[i + 1] - at[i], least[i]) << i;
    EXPECT_LT(at[i + 1] - at[i], least[i] + 1s * patience) << i;
  }
}

MATRIX_TEST(WorkerPoolRetries, JitterOnlyShortens) {
  worker_pool pool(pool_options{
      .size = 1, .retries = 3, .retry_backoff = {.initial = 10ms, .factor = 1, .jitter = 0.5}});
  pool.run();
  const stopwatch watch;
  EXPECT_FALSE(pool.add_task([] { return error("always"); }));
  EXPECT_TRUE(pool.wait());
  EXPECT_GE(watch.elapsed(), 15ms);
}

MATRIX_TEST(WorkerPoolRetries, StopWhenThePoolIsCancelled) {
  worker_pool pool(
      pool_options{.size = 1, .retries = 5, .retry_backoff = {.initial = 1h, .max = 1h}});
  pool.run();
  EXPECT_FALSE(pool.add_task([] { return error("first"); }));
  EXPECT_TRUE(until_blocked("select"));
  const stopwatch watch;
  pool.cancel();
  EXPECT_EQ(pool.wait().message(), "first");
  EXPECT_LT(watch.elapsed(), 10s);
  EXPECT_EQ(pool.stats().failed, 1u);
  EXPECT_EQ(pool.stats().retried, 0u);
}

MATRIX_TEST(WorkerPoolTimeout, EndsTheContextOfTheTask) {
  worker_pool pool(pool_options{.size = 1, .task_timeout = 3ms});
  pool.run();
  EXPECT_FALSE(pool.add_task([](const context& ctx) {
    ctx.done().recv();
    return ctx.err();
  }));
  const error e = pool.wait();
  EXPECT_TRUE(e.is(context_errc::deadline_exceeded));
  EXPECT_EQ(e.message(), "context deadline exceeded");
  EXPECT_EQ(pool.stats().timed_out, 1u);
  EXPECT_EQ(pool.stats().failed, 1u);
}

MATRIX_TEST(WorkerPoolTimeout, OfATaskThatIgnoresItIsReportedWhenItEnds) {
  worker_pool pool(pool_options{.size = 1, .task_timeout = 1ms});
  pool.run();
  EXPECT_FALSE(pool.add_task([] {
    const stopwatch watch;
    while (watch.elapsed() < 3ms) {
    }
  }));
  EXPECT_TRUE(pool.results().recv()->is(context_errc::deadline_exceeded));
  EXPECT_FALSE(pool.add_task([]() -> error {
    const stopwatch watch;
    while (watch.elapsed() < 3ms) {
    }
    return "its own";
  }));
  const error e = pool.wait();
  EXPECT_TRUE(e.is(context_errc::deadline_exceeded));
  EXPECT_NE(e.message().find("its own"), std::string::npos);
  EXPECT_EQ(pool.stats().timed_out, 2u);
}

MATRIX_TEST(WorkerPoolTimeout, StartsAnewForEachRetryAndLeavesThePoolAlone) {
  worker_pool pool(pool_options{
      .size = 1, .task_timeout = 2ms, .retries = 2, .retry_backoff = {.initial = 0ms}});
  pool.run();
  std::atomic<int> calls{0};
  std::vector<runnel::clock::time_point> deadlines;
  EXPECT_FALSE(pool.add_task([&](const context& ctx) -> error {
    deadlines.push_back(ctx.deadline().value());
    if (++calls == 3) return nullptr;
    ctx.done().recv();
    return ctx.err();
  }));
  EXPECT_TRUE(eventually([&] { return pool.stats().done == 1; }));
  EXPECT_FALSE(pool.ctx().err());
  EXPECT_EQ(pool.stats().timed_out, 2u);
  EXPECT_EQ(pool.stats().retried, 2u);
  EXPECT_FALSE(pool.wait());
  ASSERT_EQ(deadlines.size(), 3u);
  EXPECT_GE(deadlines[1] - deadlines[0], 2ms);
  EXPECT_GE(deadlines[2] - deadlines[1], 2ms);
}

MATRIX_TEST(WorkerPoolRate, LimitsHowManyTasksStartASecond) {
  worker_pool pool(pool_options{
      .size = 4, .queue = 100, .rate = std::make_shared<runnel::rate_limiter>(1000.0, 1)});
  pool.run();
  const stopwatch watch;
  for (int i = 0; i < 21; ++i) EXPECT_FALSE(pool.add_task([] {}));
  EXPECT_FALSE(pool.wait());
  EXPECT_GE(watch.elapsed(), 19ms);
  EXPECT_EQ(pool.stats().done, 21u);
}

MATRIX_TEST(WorkerPoolRate, IsNotWaitedForOnceThePoolIsCancelled) {
  worker_pool pool(pool_options{
      .size = 2, .queue = 10, .rate = std::make_shared<runnel::rate_limiter>(0.001, 1)});
  pool.run();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(pool.add_task([] {}));
  EXPECT_TRUE(eventually([&] { return pool.stats().done == 1; }));
  const stopwatch watch;
  pool.cancel();
  EXPECT_TRUE(pool.wait().is(pool_errc::dropped));
  EXPECT_LT(watch.elapsed(), 10s);
  const auto s = pool.stats();
  EXPECT_EQ(s.dropped, 4u);
  EXPECT_TRUE(adds_up(s));
}

MATRIX_TEST(WorkerPoolLatencies, AreKeptWhereAskedFor) {
  worker_pool pool(pool_options{.size = 1, .queue = 100, .latencies = true});
  pool.run();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(pool.add_task([] { runnel::sleep_for(1ms); }));
  EXPECT_FALSE(pool.wait());
  const auto s = pool.stats();
  for (const auto& t : {s.queue_time, s.run_time}) {
    EXPECT_EQ(t.count, 10u);
    EXPECT_LE(t.p50, t.p90);
    EXPECT_LE(t.p90, t.p99);
    EXPECT_LE(t.p999, t.max);
  }
  EXPECT_GE(s.run_time.p50, 1ms);
  EXPECT_GE(s.run_time.mean, 1ms);
  EXPECT_GE(s.queue_time.max, 9ms) << "the last one waited for nine others";
  worker_pool plain(1);
  plain.run();
  EXPECT_FALSE(plain.add_task([] {}));
  EXPECT_FALSE(plain.wait());
  EXPECT_EQ(plain.stats().run_time.count, 0u);
}

}  // namespace
