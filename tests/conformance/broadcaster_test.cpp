// broadcaster: every subscriber gets every value, as its policy says.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/patterns.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::broadcaster;
using runnel::closed_channel;
using runnel::slow;

MATRIX_TEST(Broadcaster, GivesEveryValueToEverySubscriber) {
  const broadcaster<std::string> b;
  std::atomic<int> right{0};
  runnel::wait_group readers;
  for (int r = 0; r < 5; ++r) {
    readers.go([&right, sub = b.subscribe(2, slow::block)] {
      int expected = 0;
      for (const std::string& s : sub) right += s == std::to_string(expected++) ? 1 : 0;
    });
  }
  for (int i = 0; i < 40; ++i) b.send(std::to_string(i));
  b.close();
  readers.wait();
  EXPECT_EQ(right, 200);
}

MATRIX_TEST(Broadcaster, CarriesEvents) {
  const broadcaster<void> b;
  const auto blocking = b.subscribe(3);
  const auto dropping = b.subscribe(1, slow::drop_oldest);
  b.send();
  EXPECT_TRUE(b.send(runnel::background()));
  b.close();
  EXPECT_EQ(dropping.dropped(), 1U);
  EXPECT_TRUE(dropping.recv());
  EXPECT_FALSE(dropping.recv());
  EXPECT_TRUE(blocking.recv());
  EXPECT_TRUE(blocking.recv());
  EXPECT_FALSE(blocking.recv());
}

MATRIX_TEST(Broadcaster, SendsToNobodyWithoutBlocking) {
  const broadcaster<int> b;
  b.send(1);
  EXPECT_EQ(b.subscribers(), 0U);
}

MATRIX_TEST(Broadcaster, ASubscriberSeesWhatIsSentAfterItCame) {
  const broadcaster<int> b;
  b.send(1);
  const auto sub = b.subscribe(4);
  b.send(2);
  EXPECT_EQ(sub.recv(), 2);
  EXPECT_FALSE(sub.try_recv());
}

MATRIX_TEST(Broadcaster, AllSubscribersSeeOneOrder) {
  const broadcaster<int> b;
  const auto first = b.subscribe(200);
  const auto second = b.subscribe(200);
  runnel::wait_group senders;
  for (int s = 0; s < 4; ++s) {
    senders.go([&, s] {
      for (int i = 0; i < 50; ++i) b.send(s * 50 + i);
    });
  }
  senders.wait();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(first.recv(), second.recv());
}

MATRIX_TEST(Broadcaster, BlockWaitsForTheSlowest) {
  const broadcaster<int> b;
  const auto slow_one = b.subscribe(1, slow::block);
  b.send(1);
  std::atomic<bool> sent{false};
  runnel::go([&, b] {
    b.send(2);
    sent = true;
  });
  EXPECT_TRUE(until_blocked("select"));
  EXPECT_FALSE(sent);
  EXPECT_EQ(slow_one.recv(), 1);
  EXPECT_EQ(slow_one.recv(), 2);
  EXPECT_TRUE(eventually([&] { return sent.load(); }));
}

MATRIX_TEST(Broadcaster, BlockDoesNotCareWhoReceivesFirst) {
  const broadcaster<int> b;
  const auto first = b.subscribe(0);
  const auto second = b.subscribe(0);
  runnel::go([b] {
    b.send(1);
    b.send(2);
  });
  EXPECT_EQ(second.recv(), 1);
  EXPECT_EQ(first.recv(), 1);
  EXPECT_EQ(first.recv(), 2);
  EXPECT_EQ(second.recv(), 2);
}

MATRIX_TEST(Broadcaster, DropOldestKeepsTheNewest) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(3, slow::drop_oldest);
  for (int i = 0; i < 10; ++i) b.send(i);
  EXPECT_EQ(sub.dropped(), 7U);
  EXPECT_EQ(sub.recv(), 7);
  EXPECT_EQ(sub.recv(), 8);
  EXPECT_EQ(sub.recv(), 9);
  EXPECT_FALSE(sub.try_recv());
}

MATRIX_TEST(Broadcaster, DropOldestWithoutABufferDropsWhatNobodyWaitsFor) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(0, slow::drop_oldest);
  b.send(1);
  EXPECT_EQ(sub.dropped(), 1U);
  runnel::go([b] {
    until_blocked("chan receive");
    b.send(2);
  });
  EXPECT_EQ(sub.recv(), 2);
  EXPECT_EQ(sub.dropped(), 1U);
}

MATRIX_TEST(Broadcaster, DisconnectClosesASubscriberThatIsFull) {
  const broadcaster<int> b;
  const auto lazy = b.subscribe(2, slow::disconnect);
  const auto patient = b.subscribe(10, slow::disconnect);
  for (int i = 0; i < 4; ++i) b.send(i);
  EXPECT_TRUE(lazy.disconnected());
  EXPECT_FALSE(patient.disconnected());
  EXPECT_EQ(lazy.recv(), 0);
  EXPECT_EQ(lazy.recv(), 1);
  EXPECT_EQ(lazy.recv(), std::nullopt);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(patient.recv(), i);
  EXPECT_EQ(b.subscribers(), 1U);
}

MATRIX_TEST(Broadcaster, ADroppedSubscriptionHoldsNobodyUp) {
  const broadcaster<int> b;
  auto leaving = std::make_unique<runnel::subscription<int>>(b.subscribe(0, slow::block));
  const auto staying = b.subscribe(4, slow::block);
  std::atomic<bool> sent{false};
  runnel::go([&, b] {
    b.send(1);
    sent = true;
  });
  EXPECT_TRUE(until_blocked("select"));
  leaving.reset();
  EXPECT_TRUE(eventually([&] { return sent.load(); }));
  EXPECT_EQ(staying.recv(), 1);
  EXPECT_EQ(b.subscribers(), 1U);
}

MATRIX_TEST(Broadcaster, AHandleTakenFromASubscriptionKeepsIt) {
  const broadcaster<int> b;
  auto sub = std::make_unique<runnel::subscription<int>>(b.subscribe(1));
  const runnel::recv_chan<int> kept = sub->chan();
  sub.reset();
  b.send(5);
  EXPECT_EQ(kept.recv(), 5);
}

MATRIX_TEST(Broadcaster, UnsubscribeClosesTheChannelAndKeepsWhatIsBuffered) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(2);
  b.send(1);
  sub.unsubscribe();
  b.send(2);
  EXPECT_EQ(sub.recv(), 1);
  EXPECT_EQ(sub.recv(), std::nullopt);
  EXPECT_FALSE(sub.disconnected());
}

MATRIX_TEST(Broadcaster, ASubscriptionIsAChannelInASelect) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(1);
  b.send(3);
  std::optional<int> got;
  runnel::select(runnel::on_recv(sub, got), runnel::on_timeout(10s));
  EXPECT_EQ(got, 3);
}

MATRIX_TEST(Broadcaster, CloseLetsSubscribersDrain) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(2);
  b.send(1);
  b.close();
  b.close();
  EXPECT_EQ(sub.recv(), 1);
  EXPECT_EQ(sub.recv(), std::nullopt);
  EXPECT_EQ(b.subscribe(1).recv(), std::nullopt);
}

MATRIX_TEST(Broadcaster, ASendAfterCloseThrows) {
  const broadcaster<int> b;
  b.close();
  try {
    b.send(1);
    ADD_FAILURE() << "sent";
  } catch (const closed_channel& e) {
    EXPECT_STREQ(e.what(), "send on closed channel");
  }
}

MATRIX_TEST(Broadcaster, CloseEndsABlockedSend) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(0, slow::block);
  std::atomic<int> threw{0};
  runnel::wait_group senders;
  for (int i = 0; i < 2; ++i) {
    senders.go([&, b] {
      try {
        b.send(1);
      } catch (const closed_channel&) {
        ++threw;
      }
    });
  }
  EXPECT_TRUE(until_blocked("select"));
  b.close();
  senders.wait();
  EXPECT_EQ(threw, 2);
}

MATRIX_TEST(Broadcaster, ASendGivesUpWithItsContext) {
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 10ms);
  const broadcaster<int> b;
  const auto stuck = b.subscribe(0, slow::block);
  const auto free = b.subscribe(1, slow::block);
  EXPECT_FALSE(b.send(ctx, 1));
  EXPECT_EQ(free.recv(), 1);
  EXPECT_FALSE(stuck.try_recv());
}

MATRIX_TEST(Broadcaster, TheLastHandleCloses) {
  auto b = std::make_unique<broadcaster<int>>();
  auto copy = std::make_unique<broadcaster<int>>(*b);
  const auto sub = b->subscribe(1);
  b.reset();
  EXPECT_TRUE(sub.try_recv().empty());
  copy.reset();
  EXPECT_EQ(sub.recv(), std::nullopt);
}

MATRIX_TEST_THREAD(Broadcaster, MayBeUsedFromPlainThreads) {
  const broadcaster<int> b;
  const auto sub = b.subscribe(0);
  runnel::go([b] {
    for (int i = 0; i < 10; ++i) b.send(i);
    b.close();
  });
  int expected = 0;
  for (int v : sub) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 10);
}

}  // namespace
