// What orders memory: the clean halves of behaviours MM. Plain variables carry the proof: under a race detector any
// missing edge is a report, without one a wrong value.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_recv;
using runnel::on_send;
using runnel::select;
using runnel::wait_group;

const int rounds = scaled(200);
const std::vector<int> capacities{0, 1, 10};

/// Runs `first` as a goroutine and `second` here; and once more with `first` on a plain thread.
template <class F, class G>
void side_by_side(F first, G second) {
  wait_group done;
  done.go(first);
  second();
  done.wait();
}
template <class F, class G>
void thread_by_side(F first, G second) {
  std::thread t(first);
  second();
  runnel::blocking([&] { t.join(); });
}

MATRIX_TEST(MemoryModel, ASendIsBeforeItsReceiveCompletes_MM01) {
  for (const int cap : capacities)
    for (int i = 0; i < rounds; ++i) {
      const chan<void> ch(cap);
      int v = 0;
      side_by_side(
          [&] {
            v = 1;
            ch.send();
          },
          [&] {
            ch.recv();
            EXPECT_EQ(v, 1);
            v = 2;
          });
    }
}

MATRIX_TEST(MemoryModel, ASendIsBeforeItsReceiveCompletesAcrossThreads_MM01) {
  for (const int cap : capacities)
    for (int i = 0; i < scaled(20); ++i) {
      const chan<void> ch(cap);
      int v = 0;
      thread_by_side(
          [&] {
            v = 1;
            ch.send();
          },
          [&] {
            ch.recv();
            EXPECT_EQ(v++, 1);
          });
    }
}

MATRIX_TEST(MemoryModel, WhatAPointerPointsToArrives_MM01_MM11) {
  const chan<std::unique_ptr<std::array<int, 4>>> ch(1);
  side_by_side(
      [&] {
        for (int i = 0; i < rounds; ++i)
          ch.send(std::make_unique<std::array<int, 4>>(std::array{i, i, i, i}));
      },
      [&] {
        for (int i = 0; i < rounds; ++i) {
          auto got = ch.recv();
          if (i % 2 == 0) {
            EXPECT_EQ((**got)[3], i);
          } else {
            EXPECT_EQ((**got)[0]++, i);
          }
        }
      });
}

MATRIX_TEST(MemoryModel, AnUnbufferedReceiveIsBeforeTheSendCompletes_MM02) {
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch;
    int v = 0;
    side_by_side(
        [&] {
          v = 1;
          ch.recv();
        },
        [&] {
          ch.send(1);
          EXPECT_EQ(v, 1);
          v = 2;
        });
  }
}

template <class Receive>
void close_is_before(Receive receive) {
  for (const int cap : capacities)
    for (int i = 0; i < rounds / 2; ++i) {
      const chan<int> ch(cap);
      int v = 0;
      side_by_side(
          [&] {
            v = 1;
            ch.close();
          },
          [&] {
            receive(ch);
            EXPECT_EQ(v, 1);
            v = 2;
          });
    }
}

MATRIX_TEST(MemoryModel, ACloseIsBeforeAReceiveThatReturnsBecauseOfIt_MM03) {
  close_is_before([](const chan<int>& c) { (void)c.recv(); });
  close_is_before([](const chan<int>& c) {
    int out = 0;
    (void)(c >> out);
  });
  close_is_before([](const chan<int>& c) {
    for (const int x : c) (void)x;
  });
  close_is_before([](const chan<int>& c) { (void)c.recv_for(1h); });
  close_is_before([](const chan<int>& c) { select(on_recv(c)); });
  close_is_before([](const chan<int>& c) { select(on_recv(c), on_recv(chan<int>(nullptr))); });
}

MATRIX_TEST(MemoryModel, ACloseSeenWithoutBlocking_MM04) {
  close_is_before([](const chan<int>& c) {
    while (select(on_recv(c), runnel::otherwise()) == 1) runnel::yield();
  });
  close_is_before([](const chan<int>& c) {
    while (!c.try_recv().closed()) runnel::yield();
  });
}

MATRIX_TEST(MemoryModel, ABufferIsACountingSemaphoreAndALock_MM05) {
  const chan<void> lock(1);
  int v = 0;
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < rounds; ++i) {
        lock.send();
        ++v;
        lock.recv();
      }
    });
  all.wait();
  EXPECT_EQ(v, 4 * rounds);

  // Filling a channel is waiting for those who drain it: the k-th receive is before send k + C completes.
  for (int i = 0; i < rounds; ++i) {
    const chan<void> slots(2);
    int x = 0;
    int y = 0;
    slots.send();
    slots.send();
    const auto release = [&](int& var) {
      runnel::go([slots, &var] {
        var = 1;
        slots.recv();
      });
    };
    release(x);
    release(y);
    slots.send();
    slots.send();
    EXPECT_EQ(x + y, 2);
    x = y = 3;
  }
}

MATRIX_TEST(MemoryModel, RequestAndReply_MM10) {
  struct request {
    int* data;
    chan<void> reply;
  };
  const chan<request> work;
  wait_group worker;
  worker.go([&] {
    for (const auto& r : work) {
      ++*r.data;
      r.reply.send();
    }
  });
  for (int i = 0; i < rounds; ++i) {
    int v = i;
    const chan<void> reply;
    work.send({&v, reply});
    reply.recv();
    EXPECT_EQ(v, i + 1);
  }
  work.close();
  worker.wait();
}

MATRIX_TEST(MemoryModel, SelectsOrderAsPlainOperationsDo_MM10) {
  const chan<int> nil(nullptr);
  const chan<int> idle;
  for (const int cap : capacities)
    for (int i = 0; i < rounds; ++i) {
      const chan<int> ch(cap);
      const chan<int> back;
      int v = 0;
      side_by_side(
          [&] {
            v = 1;
            select(on_send(ch, 1), on_recv(idle));
            select(on_recv(idle), on_recv(back));
            EXPECT_EQ(v, 2);
          },
          [&] {
            select(on_recv(nil), on_recv(ch), on_recv(idle));
            EXPECT_EQ(v, 1);
            v = 2;
            select(on_send(back, 1), on_send(nil, 1));
          });
    }
}

MATRIX_TEST(MemoryModel, ASenderParkedOnAFullBuffer_MM11) {
  for (const bool by_select : {false, true})
    for (int i = 0; i < scaled(20); ++i) {
      const chan<int*> ch(1);
      ch.send(nullptr);
      int v = 0;
      wait_group sender;
      sender.go([&] {
        v = 1;
        if (by_select)
          select(on_send(ch, &v), on_recv(chan<int>(nullptr)));
        else
          ch.send(&v);
      });
      ASSERT_TRUE(until_blocked(by_select ? "select" : "chan send"));
      std::optional<int*> p;
      if (by_select)
        select(on_recv(ch, p));
      else
        p = ch.recv();
      EXPECT_EQ(*p, nullptr);
      p = ch.recv();
      EXPECT_EQ(++**p, 2);
      sender.wait();
    }
}

struct empty {};

MATRIX_TEST(MemoryModel, ElementsWithoutContentSynchroniseAllTheSame_MM12) {
  for (int i = 0; i < rounds; ++i) {
    const chan<empty> slots(2);
    int x = 0;
    slots.send({});
    slots.send({});
    side_by_side(
        [&] {
          x = 1;
          slots.recv();
        },
        [&] {
          slots.send({});
          EXPECT_EQ(x, 1);
          x = 2;
        });
  }
}

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

MATRIX_TEST(MemoryModel, AGoStatementIsBeforeItsGoroutine_MM18) {
  for (int i = 0; i < rounds; ++i) {
    int v = i;
    const chan<int> out(1);
    runnel::go([&v, out] { out.send(v); });
    EXPECT_EQ(out.recv(), i);
    v = -1;
  }
}

TEST(MemoryModel, RunReturnsAfterItsMain_MM18) {
  for (int i = 0; i < 20; ++i) {
    int v = 0;
    runnel::run([&] { v = 1; });
    EXPECT_EQ(v++, 1);
    runnel::run([&] { EXPECT_EQ(v, 2); });
  }
}

MATRIX_TEST(MemoryModel, ATrySendAndATryReceiveOrderToo) {
  for (int i = 0; i < rounds; ++i) {
    const chan<void> ch(1);
    int v = 0;
    side_by_side(
        [&] {
          v = 1;
          EXPECT_TRUE(ch.try_send());
        },
        [&] {
          while (!ch.try_recv()) runnel::yield();
          EXPECT_EQ(v, 1);
          v = 2;
        });
  }
}

MATRIX_TEST(MemoryModel, UnboundedChannelsOrderSendsBeforeReceives) {
  const chan<int> ch{runnel::unbounded};
  std::vector<int> plain(static_cast<std::size_t>(rounds));
  side_by_side(
      [&] {
        for (int i = 0; i < rounds; ++i) {
          plain[static_cast<std::size_t>(i)] = i + 1;
          ch.send(i);
        }
        ch.close();
      },
      [&] {
        for (const int i : ch) EXPECT_EQ(plain[static_cast<std::size_t>(i)]++, i + 1);
      });
}

// A goroutine's own memory follows it from thread to thread.
MATRIX_TEST(MemoryModel, AGoroutineSeesItsOwnWritesAfterItMoved) {
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([g] {
      int mine = 0;
      for (int i = 0; i < rounds; ++i) {
        mine += g;
        runnel::yield();
        ASSERT_EQ(mine, g * (i + 1));
      }
    });
  all.wait();
}

}  // namespace
