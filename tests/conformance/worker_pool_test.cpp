// worker_pool: what goes in, what runs, what is refused, and how it is counted.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>
#include <runnel/worker_pool.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <vector>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pool_support.hpp"

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

static_assert(!std::is_copy_constructible_v<worker_pool::task>);
static_assert(std::is_nothrow_move_constructible_v<worker_pool::task>);
static_assert(std::is_error_code_enum_v<pool_errc>);

template <class Make>
bool refuses_parameters(Make make) {
  try {
    make();
  } catch (const std::system_error& e) {
    return e.code() == pool_errc::bad_params;
  }
  return false;
}

MATRIX_TEST(WorkerPool, EveryTaskRunsOnce_WP01) {
  worker_pool pool(4);
  pool.run();
  std::vector<std::atomic<int>> runs(1000);
  for (auto& r : runs) EXPECT_FALSE(pool.add_task([&r] { ++r; }));
  pool.close();
  EXPECT_FALSE(pool.wait());
  for (const auto& r : runs) EXPECT_EQ(r, 1);
  const auto s = pool.stats();
  EXPECT_EQ(s.added, 1000u);
  EXPECT_EQ(s.done, 1000u);
  EXPECT_EQ(s.workers, 0);
  EXPECT_TRUE(adds_up(s));
}

MATRIX_TEST(WorkerPool, MessagesAreThoseOfTheContract) {
  EXPECT_EQ(error(pool_errc::bad_params).message(), "bad params");
  EXPECT_EQ(error(pool_errc::bad_task).message(), "bad task");
  EXPECT_EQ(error(pool_errc::not_started).message(), "not started");
  EXPECT_EQ(error(pool_errc::closed).message(), "pool closed");
  EXPECT_EQ(error(pool_errc::rejected).message(), "task rejected");
  EXPECT_EQ(error(pool_errc::dropped).message(), "task dropped");
}

MATRIX_TEST(WorkerPool, ParametersThatMakeNoSenseThrow) {
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(0); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(-3); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(pool_options{.size = -1}); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(pool_options{.queue = -1}); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(pool_options{.min_size = 1}); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(pool_options{.max_size = 4}); }));
  EXPECT_TRUE(
      refuses_parameters([] { worker_pool p(pool_options{.min_size = 3, .max_size = 2}); }));
  EXPECT_TRUE(refuses_parameters([] { worker_pool p(pool_options{.retries = -1}); }));
  worker_pool fine{pool_options{}};
  EXPECT_EQ(fine.size(), runnel::max_procs());
  EXPECT_TRUE(refuses_parameters([&] { fine.resize(0); }));
}

MATRIX_TEST(WorkerPool, RefusesEmptyTasksAndTasksBeforeRun) {
  worker_pool pool(1);
  EXPECT_EQ(pool.add_task([] {}), pool_errc::not_started);
  EXPECT_EQ(pool.try_add_task([] {}), pool_errc::not_started);
  pool.run();
  pool.run();
  EXPECT_EQ(pool.add_task(nullptr), pool_errc::bad_task);
  EXPECT_EQ(pool.add_task(worker_pool::task()), pool_errc::bad_task);
  EXPECT_EQ(pool.add_task(std::function<void()>()), pool_errc::bad_task);
  EXPECT_EQ(pool.try_add_task(static_cast<void (*)()>(nullptr)), pool_errc::bad_task);
  EXPECT_FALSE(pool.add_task([] {}));
  pool.close();
  EXPECT_EQ(pool.add_task([] {}), pool_errc::closed);
  EXPECT_EQ(pool.add_task(background(), [] {}), pool_errc::closed);
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(pool.try_add_task([] {}), pool_errc::closed);
  EXPECT_EQ(pool.stats().added, 1u);
}

MATRIX_TEST(WorkerPool, TakesEveryKindOfTask) {
  worker_pool pool(2);
  pool.run();
  std::atomic<int> ran{0};
  const std::array<char, 200> large{};
  EXPECT_FALSE(pool.add_task([&] { ++ran; }));
  EXPECT_FALSE(pool.add_task([&](const context& ctx) { ran += ctx.err() ? 0 : 1; }));
  EXPECT_FALSE(pool.add_task([&]() -> error {
    ++ran;
    return nullptr;
  }));
  EXPECT_FALSE(pool.add_task([&](const context&) -> std::error_code {
    ++ran;
    return {};
  }));
  EXPECT_FALSE(pool.add_task([&, p = std::make_unique<int>(1)] { ran += *p; }));
  EXPECT_FALSE(pool.add_task([&, large] { ran += 1 + large[0]; }));
  EXPECT_FALSE(pool.add_task(std::function<void()>([&] { ++ran; })));
  worker_pool::task made([&, n = 0]() mutable { ran += ++n; });
  EXPECT_TRUE(static_cast<bool>(made));
  EXPECT_FALSE(pool.add_task(std::move(made)));
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(ran, 8);
}

MATRIX_TEST(WorkerPool, AddTaskBlocksWhileAllAreBusyAndTheQueueIsFull) {
  gate hold;
  worker_pool pool(pool_options{.size = 2, .queue = 3});
  pool.run();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(pool.try_add_task([&] { hold.pass(); })) << i;
  EXPECT_EQ(pool.try_add_task([] {}), std::errc::resource_unavailable_try_again);
  std::atomic<bool> added{false};
  runnel::wait_group all;
  all.go([&] {
    EXPECT_FALSE(pool.add_task([] {}));
    added = true;
  });
  EXPECT_TRUE(until_blocked("chan send"));
  EXPECT_FALSE(added);
  hold.open();
  all.wait();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(pool.stats().done, 6u);
}

MATRIX_TEST(WorkerPool, BlockedAddersAreServedInOrder) {
  gate hold;
  worker_pool pool(1);
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  std::vector<int> order;
  runnel::wait_group all;
  for (int i = 0; i < 5; ++i) {
    all.go([&, i] { EXPECT_FALSE(pool.add_task([&, i] { order.push_back(i); })); });
    EXPECT_TRUE(until_blocked("chan send", static_cast<std::size_t>(i) + 1));
  }
  hold.open();
  all.wait();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

MATRIX_TEST(WorkerPool, ABlockedAdderGivesUpWithItsContext) {
  gate hold;
  worker_pool pool(1);
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  auto [ctx, cancel] = runnel::with_timeout(background(), 2ms);
  EXPECT_TRUE(pool.add_task(ctx, [] { ADD_FAILURE(); }).is(context_errc::deadline_exceeded));
  EXPECT_TRUE(pool.add_task(ctx, [] { ADD_FAILURE(); }).is(context_errc::deadline_exceeded));
  auto [open, cancel_open] = runnel::with_cancel(background());
  std::atomic<bool> ran{false};
  runnel::wait_group all;
  all.go([&, c = context(open)] { EXPECT_FALSE(pool.add_task(c, [&] { ran = true; })); });
  EXPECT_TRUE(until_blocked("select"));
  hold.open();
  all.wait();
  EXPECT_FALSE(pool.wait());
  EXPECT_TRUE(ran);
  EXPECT_EQ(pool.stats().added, 2u);
}

MATRIX_TEST(WorkerPool, ABlockedAdderHoldsUpNobody) {
  gate hold;
  worker_pool pool(1);
  pool.run();
  EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  runnel::wait_group all;
  all.go([&] { EXPECT_EQ(pool.add_task([] { ADD_FAILURE(); }), pool_errc::closed); });
  all.go([&] { EXPECT_EQ(pool.add_task(background(), [] { ADD_FAILURE(); }), pool_errc::closed); });
  EXPECT_TRUE(until_blocked("chan send", 1));
  pool.run();
  EXPECT_EQ(pool.stats().running, 1u);
  EXPECT_EQ(pool.size(), 1);
  EXPECT_EQ(pool.try_add_task([] {}), std::errc::resource_unavailable_try_again);
  pool.close();
  all.wait();
  hold.open();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(pool.stats().added, 1u);
}

MATRIX_TEST(WorkerPool, NeverRunsMoreTasksThanItHasWorkers) {
  worker_pool pool(pool_options{.size = 3, .queue = 10});
  pool.run();
  counter_of_running running;
  for (int i = 0; i < 500; ++i) {
    EXPECT_FALSE(pool.add_task([&] {
      const auto inside = running.enter();
      runnel::yield();
    }));
  }
  EXPECT_FALSE(pool.wait());
  EXPECT_LE(running.most(), 3);
}

MATRIX_TEST(WorkerPool, ATaskMayAddTasksToItsPool) {
  worker_pool pool(pool_options{.size = 2, .queue = 1000});
  pool.run();
  std::atomic<int> ran{0};
  std::function<void(int)> grow = [&](int depth) {
    ++ran;
    if (depth == 0) return;
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(pool.add_task([&, depth] { grow(depth - 1); }));
  };
  EXPECT_FALSE(pool.add_task([&] { grow(5); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().done == 364; }));
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(ran, 1 + 3 + 9 + 27 + 81 + 243);
}

MATRIX_TEST(WorkerPool, ATaskIsGoneWhenItIsCounted) {
  const auto token = std::make_shared<int>(1);
  worker_pool pool(2);
  pool.run();
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(pool.add_task([copy = std::shared_ptr<const int>(token)] {}));
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(pool.add_task([copy = std::shared_ptr<const int>(token)] {}), pool_errc::closed);
  EXPECT_EQ(token.use_count(), 1);
}

MATRIX_TEST_THREAD(WorkerPool, WorksOnPlainThreads) {
  worker_pool pool(2);
  pool.run();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) EXPECT_FALSE(pool.add_task([&] { ++ran; }));
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_FALSE(pool.wait());
  EXPECT_EQ(ran, 200);
}

MATRIX_TEST(WorkerPool, ItsGoroutinesHaveItsName) {
  gate hold;
  worker_pool pool(pool_options{.size = 2, .name = "loaders"});
  pool.run();
  chan<std::string> names(1);
  EXPECT_FALSE(pool.add_task([&] { names.send(runnel::this_goroutine::name()); }));
  EXPECT_EQ(names.recv()->rfind("loaders", 0), 0u);
}

MATRIX_TEST(WorkerPool, StatisticsShowWhatIsQueuedAndRunning) {
  gate hold;
  worker_pool pool(pool_options{.size = 2, .queue = 5});
  pool.run();
  EXPECT_TRUE(eventually([&] { return pool.stats().idle == 2; }));
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(pool.add_task([&] { hold.pass(); }));
  EXPECT_TRUE(eventually([&] { return pool.stats().running == 2; }));
  const auto s = pool.stats();
  EXPECT_EQ(s.workers, 2);
  EXPECT_EQ(s.idle, 0);
  EXPECT_EQ(s.queued, 4u);
  EXPECT_EQ(s.added, 6u);
  EXPECT_TRUE(adds_up(s));
  hold.open();
  EXPECT_FALSE(pool.wait());
}

}  // namespace
