// What orders memory besides channels: groups, locks, conditions, timers, contexts, results. Plain variables carry the
// proof, as in memory_model_test.cpp.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/side_by_side.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::select;
using runnel::wait_group;

const int rounds = scaled(200);

MATRIX_TEST(MemoryModel, WhatIsDoneIsBeforeEveryWaitOfAGroupInEachRound) {
  constexpr std::size_t workers = 3;
  constexpr std::size_t waiters = 3;
  wait_group work;
  std::array<int, workers> results{};
  for (int i = 1; i <= rounds; ++i) {
    wait_group all;
    work.add(static_cast<int>(workers));
    for (int& r : results)
      all.go([&work, &r, i] {
        r = i;
        work.done();
      });
    for (std::size_t w = 0; w < waiters; ++w)
      all.go([&] {
        if (i % 4 == 0) {
          ASSERT_TRUE(work.wait_for(1h));
        } else {
          work.wait();
        }
        for (const int r : results) EXPECT_EQ(r, i);
      });
    work.wait();
    for (const int r : results) EXPECT_EQ(r, i);
    all.wait();  // the waiters have read
  }
}

// A tree that is read while it is turned over leads nowhere.
MATRIX_TEST(MemoryModel, WhoMayReadSeesWhatWasWrittenWhole_MM19) {
  runnel::shared_mutex m;
  std::map<int, std::string> values;
  const auto name_of = [](int key) { return std::string(30, static_cast<char>('a' + key % 26)); };
  wait_group all;
  for (int g = 0; g < 256; ++g)
    all.go([&, g] {
      for (int i = 0; i < scaled(100); ++i) {
        const int key = (g * 31 + i * 7) % 500;
        {
          const std::shared_lock reading(m);
          if (const auto it = values.find(key); it != values.end()) {
            EXPECT_EQ(it->second, name_of(key));
            continue;
          }
        }
        const std::lock_guard writing(m);
        if (i % 3 == 0)
          values.erase((key + 250) % 500);
        else
          values[key] = name_of(key);
      }
    });
  all.wait();
}

MATRIX_TEST(MemoryModel, ALockOrdersWhateverWayItIsTaken) {
  runnel::timed_mutex m;
  int v = 0;
  const auto locked = [&](int way) {
    if (way == 0) {
      m.lock();
    } else if (way == 1) {
      while (!m.try_lock()) runnel::yield();
    } else if (way == 2) {
      while (!m.try_lock_for(1ms)) runnel::yield();
    } else {
      EXPECT_FALSE(m.lock(runnel::background()));
    }
  };
  wait_group all;
  for (int way = 0; way < 4; ++way)
    all.go([&, way] {
      for (int i = 0; i < rounds; ++i) {
        locked(way);
        ++v;
        m.unlock();
      }
    });
  all.wait();
  EXPECT_EQ(v, 4 * rounds);
}

// A writer's writes are before its readers' reads, and those before the next writer's writes.
MATRIX_TEST(MemoryModel, ASharedLockOrdersReadersAgainstWriters) {
  runnel::shared_mutex m;
  std::array<int, 4> v{};
  wait_group all;
  for (int g = 0; g < 2; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock hold(m);
        for (int& x : v) ++x;
      }
    });
  for (int g = 0; g < 4; ++g)
    all.go([&, g] {
      for (int i = 0; i < rounds; ++i) {
        if (g % 2 == 0) {
          m.lock_shared();
        } else {
          while (!m.try_lock_shared()) runnel::yield();
        }
        const auto seen = v;
        m.unlock_shared();
        for (const int x : seen) EXPECT_EQ(x, seen[0]);
      }
    });
  all.wait();
  EXPECT_EQ(v[3], 2 * rounds);
}

// Two baton holders: what one wrote before it changed the condition is there when the other's wait returns.
MATRIX_TEST(MemoryModel, ANotificationUnderTheLockIsBeforeTheWaitReturns) {
  runnel::mutex m;
  runnel::condition_variable changed;
  int turn = 0;
  int v = 0;  // not under the lock
  const auto play = [&](int mine) {
    for (int i = 0; i < rounds; ++i) {
      std::unique_lock lock(m);
      changed.wait(lock, [&] { return turn == mine; });
      lock.unlock();
      EXPECT_EQ(v++, 2 * i + mine);
      lock.lock();
      turn = 1 - mine;
      changed.notify_one();
    }
  };
  side_by_side([&] { play(0); }, [&] { play(1); });
  EXPECT_EQ(v, 2 * rounds);
}

MATRIX_TEST(MemoryModel, WhatStartsAFunctionLaterIsBeforeIt) {
  for (int i = 0; i < rounds; ++i) {
    int v = i;
    const chan<void> ran(1);
    const auto body = [&v, ran, i] {
      EXPECT_EQ(v, i);
      v = -1;
      ran.send();
    };
    runnel::after_func(i % 2 == 0 ? 0us : 20us, body);
    ran.recv();
    EXPECT_EQ(v, -1);

    v = i;
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    (void)runnel::after_func(ctx, body);
    cancel();
    ran.recv();
    EXPECT_EQ(v, -1);
  }
}

MATRIX_TEST(MemoryModel, AResetIsBeforeTheFunctionRunsAgain) {
  int v = 0;
  const chan<void> ran(1);
  auto timer = runnel::after_func(1h, [&v, ran] {
    ++v;
    ran.send();
  });
  for (int i = 0; i < scaled(100); ++i) {
    v = i;
    timer.reset(0s);
    ran.recv();
    EXPECT_EQ(v, i + 1);
  }
}

MATRIX_TEST(MemoryModel, ACancelIsBeforeWhateverShowsThatTheContextIsDone) {
  using runnel::context;
  const auto is_before = [](auto notice) {
    for (int i = 0; i < rounds / 2; ++i) {
      auto [root, cancel] = runnel::with_cancel(runnel::background());
      auto [ctx, cancel_child] = runnel::with_cancel(root);
      int v = 0;
      side_by_side(
          [&v, c = &cancel] {
            v = 1;
            (*c)();
          },
          [&v, &notice, &c = ctx] {
            notice(c);
            EXPECT_EQ(v, 1);
            v = 2;
          });
    }
  };
  is_before([](const context& c) { c.done().recv(); });
  is_before([](const context& c) {
    while (!c.err()) runnel::yield();
  });
  is_before([](const context& c) {
    while (!c.stop_token().stop_requested()) runnel::yield();
  });
  is_before([](const context& c) { select(runnel::on_done(c)); });
  is_before([](const context& c) { (void)chan<int>().recv(c); });
}

MATRIX_TEST(MemoryModel, WhatMadeAResultIsBeforeItIsTaken) {
  for (int i = 0; i < rounds; ++i) {
    int v = 0;
    auto result = runnel::async([&] { v = 1; });
    if (i % 3 == 0) {
      select(runnel::on_ready(result));
    } else if (i % 3 == 1) {
      while (!result.wait_for(0s)) runnel::yield();
    } else {
      result.get();
    }
    EXPECT_EQ(v, 1);
    v = 2;
  }
}

MATRIX_TEST(MemoryModel, UnitsOfASemaphoreHandOnWhatWasWritten) {
  runnel::semaphore units(2);
  int v = 0;
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&, g] {
      for (int i = 0; i < rounds; ++i) {
        if (g % 2 == 0) {
          units.acquire(2);
        } else {
          while (!units.try_acquire(2)) runnel::yield();
        }
        ++v;
        units.release(2);
      }
    });
  all.wait();
  EXPECT_EQ(v, 4 * rounds);
}

}  // namespace
