// What orders memory: the clean halves of behaviours MM. Plain variables carry the proof: under a race detector any
// missing edge is a report, without one a wrong value.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/side_by_side.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_recv;
using runnel::on_send;
using runnel::select;
using runnel::wait_group;

const int rounds = scaled(200);
const std::vector<int> capacities{0, 1, 10};

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
