// Selects among each other and in wait queues: nothing doubled, nobody forgotten (behaviours SE-08 to SE-11, SE-28,
// CH-13, CH-14).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <vector>

#include <malloc.h>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_recv;
using runnel::on_send;
using runnel::select;
using runnel::wait_group;

MATRIX_TEST(SelectQueue, TwoSelectsOnOneChannelNeverMeetThemselves_SE08) {
  for (const int cap : {0, 10}) {
    const chan<int> ch(cap);
    const int rounds = scaled(1000);
    wait_group both;
    for (int me = 0; me < 2; ++me)
      both.go([&, me] {
        for (int i = 0; i < rounds; ++i) {
          std::optional<int> v;
          if (i % 2 == 0)
            select(on_send(ch, me), on_recv(ch, v));
          else
            select(on_recv(ch, v), on_send(ch, me));
          ASSERT_TRUE(cap != 0 || v != me);
        }
      });
    both.wait();
    EXPECT_TRUE(cap == 10 || ch.len() == 0);
  }
}

MATRIX_TEST(SelectQueue, ExactlyOneCaseGoesAhead_SE09) {
  const int rounds = scaled(5000);
  std::array<chan<int>, 4> in;
  const chan<int> out;
  wait_group forwarders;
  for (const auto& c : in)
    forwarders.go([c, out] {
      for (const int v : c) out.send(v);
    });
  wait_group sender;
  sender.go([&] {
    for (int i = 0; i < rounds; ++i)
      select(on_send(in[0], i), on_send(in[1], i), on_send(in[2], i), on_send(in[3], i));
    for (const auto& c : in) c.close();
    forwarders.wait();
    out.close();
  });
  std::vector<int> seen(static_cast<std::size_t>(rounds));
  for (const int v : out) ++seen[static_cast<std::size_t>(v)];
  sender.wait();
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

MATRIX_TEST(SelectQueue, ASelectLeavesAQueueItStandsInTwice_SE10) {
  const chan<int> c;
  const chan<int> d;
  wait_group a;
  wait_group b;
  a.go([&] { EXPECT_EQ(select(on_recv(c), on_recv(c), on_recv(d)), 2U); });
  ASSERT_TRUE(until_blocked("select"));
  b.go([&] { EXPECT_EQ(c.recv(), 2); });
  ASSERT_TRUE(until_blocked("chan receive"));
  d.send(1);
  a.wait();
  c.send(2);
  b.wait();
}

MATRIX_TEST(SelectQueue, LosingCasesLeaveTheQueueWhole_SE11) {
  const chan<int> c1;
  const chan<int> c2;
  wait_group all;
  std::atomic<int> sum{0};
  all.go([&] { sum += c1.recv().value(); });
  ASSERT_TRUE(until_blocked("chan receive"));
  all.go([&] {
    EXPECT_EQ(select(on_recv(c1), on_recv(c2)), 1U);
    sum += c1.recv().value();
  });
  ASSERT_TRUE(until_blocked("select"));
  c2.send(0);
  c1.send(1);
  c1.send(2);
  all.wait();
  EXPECT_EQ(sum, 3);
}

// A waiter in the middle, at the front and at the end of the queue gives up; the others keep their order.
MATRIX_TEST(SelectQueue, WaitersThatGiveUpDoNotDisturbTheOrder) {
  for (std::size_t leaver = 0; leaver < 3; ++leaver) {
    const chan<int> shared;
    std::vector<chan<void>> leave(3);
    std::vector<int> got(3, -1);
    wait_group all;
    for (std::size_t i = 0; i < 3; ++i) {
      all.go([&, i] {
        select(on_recv(shared, [&](std::optional<int> v) { got[i] = *v; }), on_recv(leave[i]));
      });
      ASSERT_TRUE(until_blocked("select", i + 1));
    }
    leave[leaver].send();
    ASSERT_TRUE(eventually([&] { return count_in_state("select") == 2; }));
    shared.send(0);
    shared.send(1);
    all.wait();
    std::vector<int> expected;
    for (std::size_t i = 0, next = 0; i < 3; ++i)
      expected.push_back(i == leaver ? -1 : static_cast<int>(next++));
    EXPECT_EQ(got, expected);
  }
}

MATRIX_TEST(SelectQueue, SendersReceiversAndSelectsInOneNet_SE28) {
  const std::array<chan<int>, 4> c{chan<int>(0), chan<int>(0), chan<int>(2), chan<int>(3)};
  const int n = scaled(2000);
  wait_group all;
  std::atomic<long long> sent{0};
  std::atomic<long long> received{0};
  for (const auto& ch : c) {
    all.go([&, ch] {
      for (int i = 0; i < n; ++i) {
        ch.send(i);
        sent += i;
      }
    });
    all.go([&, ch] {
      for (int i = 0; i < n; ++i) received += ch.recv().value();
    });
  }
  all.go([&] {  // sends n on each, then switches the case off
    auto open = c;
    std::array<int, 4> done{};
    for (int i = 0; i < 4 * n; ++i) {
      const std::size_t k = select(on_send(open[0], 1), on_send(open[1], 1), on_send(open[2], 1),
                                   on_send(open[3], 1));
      sent += 1;
      if (++done[k] == n) open[k] = nullptr;
    }
  });
  all.go([&] {
    auto open = c;
    std::array<int, 4> done{};
    const auto add = [&](std::optional<int> v) { received += *v; };
    for (int i = 0; i < 4 * n; ++i) {
      const std::size_t k = select(on_recv(open[0], add), on_recv(open[1], add),
                                   on_recv(open[2], add), on_recv(open[3], add));
      if (++done[k] == n) open[k] = nullptr;
    }
  });
  all.wait();
  EXPECT_EQ(sent, received);
  for (const auto& ch : c) EXPECT_EQ(ch.len(), 0U);
}

MATRIX_TEST(SelectQueue, ASelectTwiceOnEachOfTwoChannelsInOppositeOrders) {
  const chan<int> a;
  const chan<int> b;
  const int n = scaled(1000);
  wait_group both;
  std::atomic<int> sent{0};
  std::atomic<int> received{0};
  for (int side = 0; side < 2; ++side)
    both.go([&, side] {
      const auto& x = side == 0 ? a : b;
      const auto& y = side == 0 ? b : a;
      for (int i = 0; i < n; ++i) {
        const std::size_t k = select(on_send(x, 1), on_recv(y), on_send(y, 1), on_recv(x));
        ++(k % 2 == 0 ? sent : received);
      }
    });
  both.wait();
  EXPECT_EQ(sent, n);
  EXPECT_EQ(received, n);
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // their allocators do not count for mallinfo
std::size_t heap_in_use() {
  const auto m = ::mallinfo2();
  return m.uordblks + m.hblkhd;
}

MATRIX_TEST(SelectQueue, SelectsLeaveNothingOnTheHeap_CH13) {
  const chan<int> ch;
  const auto round = [&] {
    wait_group sender;
    sender.go([&] {
      for (int i = 0; i < 5000; ++i) select(on_send(ch, i), on_recv(chan<int>(nullptr)));
    });
    for (int i = 0; i < 5000; ++i) select(on_recv(ch), on_send(chan<int>(nullptr), 1));
    sender.wait();
  };
  round();
  const std::size_t before = heap_in_use();
  round();
  EXPECT_LE(heap_in_use(), before + 110'000);
}
#endif

MATRIX_TEST(SelectQueue, ManySelectsThatNameAChannelOftenAllWake_CH14) {
  for (int round = 0; round < 20; ++round) {
    const chan<int> ch;
    wait_group all;
    for (int i = 0; i < 10; ++i)
      all.go([&ch] {
        const auto expect_closed = [](std::optional<int> v) { EXPECT_FALSE(v); };
        select(on_recv(ch, expect_closed), on_recv(ch, expect_closed), on_recv(ch, expect_closed));
      });
    ASSERT_TRUE(until_blocked("select", 10));
    ch.close();
    all.wait();
  }
}

}  // namespace
