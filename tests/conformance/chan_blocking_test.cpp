// Who waits for whom, and in which order values come (behaviours CB).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;

const std::vector<int> capacities{0, 1, 2, 3, 10, 67, 199};

MATRIX_TEST(ChanBlocking, ReceiversWaitForAValue_CB01) {
  for (const int cap : capacities) {
    const chan<int> ch(cap);
    std::atomic<int> returned{0};
    const std::size_t waiting = count_in_state("chan receive");
    runnel::go([&] {
      EXPECT_EQ(ch.recv(), 1);
      ++returned;
    });
    runnel::go([&] {
      int v = 0;
      EXPECT_TRUE(ch >> v);
      EXPECT_EQ(v, 1);
      ++returned;
    });
    ASSERT_TRUE(until_blocked("chan receive", waiting + 2));
    EXPECT_EQ(returned, 0);
    ch.send(1);
    ch.send(1);
    EXPECT_TRUE(eventually([&] { return returned == 2; }));
  }
}

MATRIX_TEST(ChanBlocking, ATryOnAnEmptyChannelTakesNothing_CB02) {
  for (const int cap : capacities) {
    const chan<int> ch(cap);
    const auto r = ch.try_recv();
    EXPECT_FALSE(r);
    EXPECT_TRUE(r.empty());
    EXPECT_EQ(runnel::select(runnel::on_recv(ch), runnel::otherwise()), 1U);
  }
}

MATRIX_TEST(ChanBlocking, ASendOnAFullChannelWaitsForAReceive_CB03) {
  for (const int cap : capacities) {
    const chan<int> ch(cap);
    for (int i = 0; i < cap; ++i) ch.send(i);
    std::atomic<bool> sent{false};
    wait_group sender;
    sender.go([&] {
      ch.send(cap);
      sent = true;
    });
    ASSERT_TRUE(until_blocked("chan send"));
    EXPECT_FALSE(sent);
    EXPECT_EQ(ch.len(), static_cast<std::size_t>(cap));
    EXPECT_EQ(ch.recv(), 0);
    sender.wait();
    EXPECT_TRUE(sent);
    for (int i = 1; i <= cap; ++i)
      EXPECT_EQ(ch.recv(), i);  // CB-20: the parked value took the tail
  }
}

MATRIX_TEST(ChanBlocking, ATryOnAFullChannelSendsNothing_CB04) {
  for (const int cap : capacities) {
    const chan<int> ch(cap);
    for (int i = 0; i < cap; ++i) ch.send(i);
    EXPECT_FALSE(ch.try_send(99));
    EXPECT_EQ(runnel::select(runnel::on_send(ch, 99), runnel::otherwise()), 1U);
    EXPECT_EQ(ch.len(), static_cast<std::size_t>(cap));
  }
}

MATRIX_TEST(ChanBlocking, AnUnbufferedSendHasNoHiddenSlot_CB05) {
  const chan<int> ch;
  const chan<void> finished;
  int work = 0;  // written by the receiver between its receives
  runnel::go([&] {
    ch.recv();
    for (int i = 0; i < 100; ++i) {
      ++work;
      runnel::yield();
    }
    ch.recv();
    finished.send();
  });
  ch.send(1);
  ch.send(2);
  EXPECT_EQ(work, 100);
  finished.recv();
}

template <class T>
void a_parked_partner_makes_a_try_succeed(int cap, const T& value) {
  const chan<T> ch(cap);
  std::optional<T> got;
  wait_group receiver;
  receiver.go([&] { got = ch.recv(); });
  EXPECT_TRUE(eventually([&] { return ch.try_send(value); }));
  receiver.wait();
  EXPECT_EQ(got, value);

  wait_group sender;
  sender.go([&] { ch.send(value); });
  std::optional<T> taken;
  EXPECT_TRUE(eventually([&] {
    auto r = ch.try_recv();
    if (r) taken = *std::move(r);
    return taken.has_value();
  }));
  EXPECT_EQ(taken, value);
  sender.wait();
}

MATRIX_TEST(ChanBlocking, AParkedPartnerMakesATrySucceed_CB06) {
  for (const int cap : {0, 1}) {
    a_parked_partner_makes_a_try_succeed<std::int32_t>(cap, 123);
    a_parked_partner_makes_a_try_succeed<std::int64_t>(cap, 1LL << 40);
    a_parked_partner_makes_a_try_succeed<char>(cap, 'x');
    a_parked_partner_makes_a_try_succeed<std::string>(
        cap, "a text that is too long for the small buffer");
  }
}

MATRIX_TEST_THREAD(ChanBlockingThread, AParkedPartnerMakesATrySucceed_CB06) {
  for (const int cap : {0, 1}) a_parked_partner_makes_a_try_succeed<int>(cap, 123);
}

MATRIX_TEST(ChanBlocking, ValuesComeFirstInFirstOut_CB07) {
  const chan<int> ch(10);
  for (int i = 0; i < 10; ++i) ch.send(i);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ch.recv(), i);
}

MATRIX_TEST(ChanBlocking, ChainedReceiversGetValuesInTurn_CB08) {
  const chan<int> ch;
  std::vector<chan<void>> turn;
  for (int i = 0; i <= 10; ++i) turn.emplace_back(1);
  for (std::size_t i = 0; i < 10; ++i)
    runnel::go([&ch, i, in = turn[i], out = turn[i + 1]] {
      in.recv();
      EXPECT_EQ(ch.recv(), static_cast<int>(i));
      out.send();
    });
  turn[0].send();
  for (int i = 0; i < 10; ++i) ch.send(i);
  EXPECT_TRUE(turn[10].recv());
}

MATRIX_TEST(ChanBlocking, WaitersAreServedFirstComeFirstServed) {
  const chan<int> ch;
  std::vector<int> got(5, -1);
  wait_group all;
  for (std::size_t i = 0; i < 5; ++i) {
    all.go([&, i] { got[i] = ch.recv().value_or(-2); });
    ASSERT_TRUE(until_blocked("chan receive", i + 1));
  }
  for (int i = 0; i < 5; ++i) ch.send(i);
  all.wait();
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4}));

  for (int i = 0; i < 5; ++i) {
    all.go([&, i] { ch.send(i); });
    ASSERT_TRUE(until_blocked("chan send", static_cast<std::size_t>(i) + 1));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ch.recv(), i);
  all.wait();
}

MATRIX_TEST(ChanBlocking, OneProducerOneConsumerKeepTheOrder_CB09) {
  for (const int cap : capacities) {
    const chan<int> ch(cap);
    wait_group producer;
    producer.go([&] {
      for (int i = 0; i < 200; ++i) ch.send(i);
    });
    for (int i = 0; i < 100; ++i) ASSERT_EQ(ch.recv(), i);
    for (int i = 100; i < 200; ++i) {
      int v = -1;
      ASSERT_TRUE(ch >> v);
      ASSERT_EQ(v, i);
    }
    producer.wait();
  }
}

void producers_and_consumers(int cap, bool threads) {
  const int n = scaled(1000);
  const chan<int> ch(cap);
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
  std::vector<std::thread> plain;
  wait_group producers;
  wait_group consumers;
  const auto produce = [&] {
    for (int i = 0; i < n; ++i) ch.send(i);
  };
  const auto consume = [&] {
    for (const int v : ch) ++seen[static_cast<std::size_t>(v)];
  };
  for (int i = 0; i < 4; ++i) {
    if (threads && i % 2 == 0) {
      producers.add(1);
      plain.emplace_back([&] {
        produce();
        producers.done();
      });
      plain.emplace_back(consume);
    } else {
      producers.go(produce);
      consumers.go(consume);
    }
  }
  producers.wait();
  ch.close();
  consumers.wait();
  runnel::blocking([&] {
    for (auto& t : plain) t.join();
  });
  for (const auto& count : seen) ASSERT_EQ(count, 4);
}

MATRIX_TEST(ChanBlocking, NothingIsLostOrDoubled_CB10) {
  for (const int cap : {0, 1, 10}) producers_and_consumers(cap, false);
}
MATRIX_TEST(ChanBlocking, NothingIsLostOrDoubledWithPlainThreads_CB10) {
  for (const int cap : {0, 10}) producers_and_consumers(cap, true);
}

MATRIX_TEST(ChanBlocking, ManyConsumersForwardEverything_CB11) {
  constexpr int workers = 23;
  const int items = scaled(40'000);
  const chan<int> q(workers * 3);
  const chan<int> r(workers * 3);
  wait_group forwarders;
  for (int w = 0; w < workers; ++w)
    forwarders.go([&, w] {
      for (const int v : q) {
        if (w % 3 == 0) runnel::yield();
        r.send(v);
      }
    });
  long long expected = 0;
  for (int i = 0; i < items; ++i) expected += i * 7 % 1009;
  runnel::go([&] {
    for (int i = 0; i < items; ++i) q.send(i * 7 % 1009);
    q.close();
    forwarders.wait();
    r.close();
  });
  int count = 0;
  long long sum = 0;
  for (const int v : r) {
    ++count;
    sum += v;
  }
  EXPECT_EQ(count, items);
  EXPECT_EQ(sum, expected);
}

MATRIX_TEST(ChanBlocking, LeavingAWaitQueueTakesNoLongerTheMoreWait_CB15) {
  const auto time_for = [](int n) {
    const chan<void> shared;
    std::vector<chan<void>> own;
    wait_group all;
    for (int i = 0; i < n; ++i) {
      own.emplace_back();
      all.go([&shared, mine = own.back()] {
        for (int k = 0; k < 10; ++k) runnel::select(runnel::on_recv(shared), runnel::on_recv(mine));
      });
    }
    const auto start = std::chrono::steady_clock::now();
    for (int k = 0; k < 10; ++k)
      for (const auto& c : own) c.send();
    all.wait();
    return std::chrono::steady_clock::now() - start;
  };
  // Neither fits a cache. Four times as many take four times as long, or some more; a quadratic algorithm, sixteen times.
  const int n = scaled(6000);
  constexpr double most = 10;
  double best = 1e9;
  for (int attempt = 0; attempt < 5 && best > most; ++attempt) {
    const auto few = time_for(n);
    const auto many = time_for(4 * n);
    best = std::min(best, static_cast<double>(many.count()) / static_cast<double>(few.count()));
  }
  EXPECT_LE(best, most);
}

MATRIX_TEST(ChanBlocking, ACapacityOfOneIsALock_CB16) {
  const chan<void> lock(1);
  int plain = 0;
  wait_group all;
  const int rounds = scaled(500);
  for (int g = 0; g < 2; ++g)
    all.go([&, g] {
      for (int i = 0; i < rounds; ++i) {
        if (g == 0)
          lock.send();
        else
          runnel::select(runnel::on_send(lock), runnel::on_recv(chan<int>(nullptr)));
        const int before = plain;
        if (i % 16 == 0) runnel::yield();
        plain = before + 1;
        lock.recv();
      }
    });
  all.wait();
  EXPECT_EQ(plain, 2 * rounds);
}

int deep(int n, const std::function<int()>& at_the_bottom) {
  volatile char frame[64] = {};
  frame[0] = 1;
  return n == 0 ? at_the_bottom() : deep(n - 1, at_the_bottom) + frame[0] - 1;
}

MATRIX_TEST(ChanBlocking, MessagesArriveWholeOnDeepStacks_CB17) {
  const chan<std::unique_ptr<int>> ch;
  const int each = scaled(2000);
  std::atomic<long long> sum{0};
  wait_group senders;
  wait_group receivers;
  for (int p = 0; p < 10; ++p) {
    senders.go([&] {
      for (int i = 0; i < each; ++i) ch.send(std::make_unique<int>(i));
    });
    receivers.go([&] {
      for (bool more = true; more;)
        sum += deep(50, [&] {
          const auto got = ch.recv();
          more = got.has_value();
          return more ? **got : 0;
        });
    });
  }
  senders.wait();
  ch.close();
  receivers.wait();
  EXPECT_EQ(sum, 10LL * each * (each - 1) / 2);
}

// CB-18: goroutines and channels before main.
const chan<int> before_main;
const int received_before_main = [] {
  runnel::go([] { before_main.send(42); });
  return before_main.recv().value_or(-1);
}();

TEST(ChanBlocking, ARendezvousWorksInStaticInitialisers_CB18) {
  EXPECT_EQ(received_before_main, 42);
}

MATRIX_TEST(ChanBlocking, ABlockedSendOfALocalArrivesWhole_CB19) {
  const chan<std::array<int, 100>> ch;
  runnel::go([&] {
    std::array<int, 100> local{};
    std::iota(local.begin(), local.end(), 7);
    ch.send(local);
  });
  ASSERT_TRUE(until_blocked("chan send"));
  const auto got = ch.recv();
  ASSERT_TRUE(got);
  for (int i = 0; i < 100; ++i) ASSERT_EQ((*got)[static_cast<std::size_t>(i)], i + 7);
}

MATRIX_TEST(ChanBlocking, AParkedSendersValueTakesTheTail_CB20) {
  const chan<int> ch(1);
  ch.send(1);
  wait_group sender;
  sender.go([&] { ch.send(2); });
  ASSERT_TRUE(until_blocked("chan send"));
  EXPECT_EQ(ch.recv(), 1);
  EXPECT_EQ(ch.recv(), 2);
  sender.wait();
}

}  // namespace
