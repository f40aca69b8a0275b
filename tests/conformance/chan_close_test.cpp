// Closing (behaviours CL).
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
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
#include "../support/message.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::closed_channel;
using runnel::on_recv;
using runnel::on_send;
using runnel::otherwise;
using runnel::select;
using runnel::wait_group;

const chan<int> never_ready(nullptr);

/// All forms of receiving one value: the result is the same whichever is used.
using receive_form = std::optional<int> (*)(const chan<int>&);
const receive_form receive_forms[] = {
    [](const chan<int>& c) { return c.recv(); },
    [](const chan<int>& c) -> std::optional<int> {
      int v = -1;
      if (!(c >> v)) return std::nullopt;
      return v;
    },
    [](const chan<int>& c) -> std::optional<int> {
      auto r = c.try_recv();
      EXPECT_FALSE(r.empty());
      EXPECT_EQ(r.closed(), !r);
      if (!r) return std::nullopt;
      return *r;
    },
    [](const chan<int>& c) -> std::optional<int> {
      auto r = c.recv_for(1h);
      if (!r) return std::nullopt;
      return r.value();
    },
    [](const chan<int>& c) {
      std::optional<int> out = -1;
      EXPECT_EQ(select(on_recv(c, out)), 0U);
      return out;
    },
    [](const chan<int>& c) {
      std::optional<int> out = -1;
      EXPECT_EQ(select(on_recv(c, out), otherwise()), 0U);
      return out;
    },
    [](const chan<int>& c) {
      std::optional<int> out = -1;
      EXPECT_EQ(select(on_recv(never_ready), on_recv(c, out)), 1U);
      return out;
    },
    [](const chan<int>& c) {
      std::optional<int> out = -1;
      EXPECT_EQ(select(on_recv(never_ready), on_recv(c, out), on_send(never_ready, 1), otherwise()),
                1U);
      return out;
    },
};

MATRIX_TEST(ChanClose, AClosedEmptyChannelGivesNothingForEver_CL01) {
  for (const int cap : {0, 1, 10}) {
    const chan<int> ch(cap);
    ch.close();
    for (const auto& form : receive_forms)
      for (int i = 0; i < 10; ++i) EXPECT_EQ(form(ch), std::nullopt);
  }
}

MATRIX_TEST(ChanClose, WhatIsBufferedComesFirst_CL02) {
  for (const auto& form : receive_forms) {
    const chan<int> ch(5);
    for (int i = 0; i < 5; ++i) ch.send(i);
    ch.close();
    EXPECT_EQ(ch.len(), 5U);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(form(ch), i);
    EXPECT_EQ(form(ch), std::nullopt);
    EXPECT_EQ(form(ch), std::nullopt);
  }
}

MATRIX_TEST(ChanClose, OtherwiseIsNeverChosenOverAClosedChannel_CL03) {
  const chan<int> ch;
  ch.close();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(select(on_recv(ch), otherwise()), 0U);
    EXPECT_EQ(select(on_recv(never_ready), on_recv(ch), otherwise()), 1U);
    EXPECT_TRUE(ch.try_recv().closed());
  }
}

MATRIX_TEST(ChanClose, EverySendOnAClosedChannelThrows_CL04_CL05) {
  for (const int cap : {0, 2}) {
    const chan<int> ch(cap);
    ch.close();
    int v = 1;
    const std::vector<std::function<void()>> forms{
        [&] { ch.send(1); },
        [&] { ch.send(v); },
        [&] { (void)ch.try_send(1); },
        [&] { (void)ch.try_send(v); },
        [&] { (void)ch.send_for(1, 1h); },
        [&] { (void)ch.send_for(1, 0s); },
        [&] { (void)ch.send_until(1, std::chrono::steady_clock::now() + 1h); },
        [&] { ch << 1; },
        [&] {
          ch.send_all(std::vector<int>{1, 2});
        },
        [&] { select(on_send(ch, 1)); },
        [&] { select(on_send(ch, 1), otherwise()); },
        [&] { select(on_send(ch, 1), on_recv(never_ready), on_send(never_ready, 2)); },
        [&] { runnel::send_chan<int>(ch).send(1); },
    };
    for (std::size_t i = 0; i < forms.size(); ++i) {
      EXPECT_EQ(message_of<closed_channel>(forms[i]), "send on closed channel") << "form " << i;
      EXPECT_EQ(ch.recv(), std::nullopt);
      EXPECT_EQ(ch.len(), 0U);
    }
  }
  const chan<void> events(2);
  events.close();
  EXPECT_EQ(message_of<closed_channel>([&] { events.send(); }), "send on closed channel");
  EXPECT_EQ(message_of<closed_channel>([&] { (void)events.try_send(); }), "send on closed channel");
}

TEST(ChanClose, ClosingNilThrows_CL06) {
  EXPECT_EQ(message_of<closed_channel>([] { chan<int>(nullptr).close(); }), "close of nil channel");
  EXPECT_EQ(message_of<closed_channel>([] { runnel::send_chan<int>().close(); }),
            "close of nil channel");
  EXPECT_EQ(message_of<closed_channel>([] { chan<void>(nullptr).close(); }),
            "close of nil channel");
}

TEST(ChanClose, ClosingTwiceThrows_CL07) {
  const chan<int> ch(1);
  ch.close();
  EXPECT_EQ(message_of<closed_channel>([&] { ch.close(); }), "close of closed channel");
  EXPECT_EQ(message_of<closed_channel>([&] { runnel::send_chan<int>(ch).close(); }),
            "close of closed channel");
}

MATRIX_TEST(ChanClose, ParkedReceiversWake_CL08) {
  const chan<int> ch;
  wait_group all;
  for (int i = 0; i < 10; ++i) all.go([&] { EXPECT_EQ(ch.recv(), std::nullopt); });
  ASSERT_TRUE(until_blocked("chan receive", 10));
  ch.close();
  all.wait();
}

MATRIX_TEST(ChanClose, ReceiversParkedOnPlainThreadsWake_CL08) {
  const chan<int> ch;
  std::vector<std::thread> all;
  for (int i = 0; i < 4; ++i) all.emplace_back([&] { EXPECT_EQ(ch.recv(), std::nullopt); });
  std::thread timed([&] { EXPECT_TRUE(ch.recv_for(1h).closed()); });
  ch.close();
  runnel::blocking([&] {
    for (auto& t : all) t.join();
    timed.join();
  });
}

MATRIX_TEST(ChanClose, ParkedSelectsWakeHoweverOftenTheyNameTheChannel_CL09) {
  const chan<int> ch;
  wait_group all;
  for (int i = 0; i < 2; ++i) {
    all.go([&] {
      const std::size_t chosen =
          select(on_recv(never_ready), on_recv(ch), on_send(never_ready, 1), on_recv(ch));
      EXPECT_TRUE(chosen == 1 || chosen == 3);
    });
    all.go([&] {
      std::optional<int> out = 1;
      EXPECT_EQ(select(on_recv(never_ready), on_recv(ch, out), on_recv(never_ready),
                       on_send(never_ready, 1)),
                1U);
      EXPECT_EQ(out, std::nullopt);
    });
  }
  ASSERT_TRUE(until_blocked("select", 4));
  ch.close();
  all.wait();
}

MATRIX_TEST(ChanClose, BlockedSendersThrowEachInItsOwnGoroutine_CL10) {
  for (const int cap : {0, 1}) {
    const chan<int> ch(cap);
    for (int i = 0; i < cap; ++i) ch.send(i);
    std::atomic<int> threw{0};
    wait_group all;
    const auto expect_closed = [&](auto f) {
      if (message_of<closed_channel>(f) == "send on closed channel") ++threw;
    };
    for (int i = 0; i < 3; ++i) {
      all.go([&] { expect_closed([&] { ch.send(7); }); });
      all.go([&] { expect_closed([&] { (void)ch.send_for(7, 1h); }); });
      all.go([&] { expect_closed([&] { select(on_send(ch, 7), on_recv(never_ready)); }); });
    }
    ASSERT_TRUE(until_blocked("chan send", 6));
    ASSERT_TRUE(until_blocked("select", 3));
    EXPECT_NO_THROW(ch.close());
    all.wait();
    EXPECT_EQ(threw, 9);
    for (int i = 0; i < cap; ++i) EXPECT_EQ(ch.recv(), i);
    EXPECT_EQ(ch.recv(), std::nullopt);  // none of the refused values got in
  }
}

MATRIX_TEST(ChanClose, ANonBlockingReceiveSeesTheValueOrTheClose_CL11) {
  const int rounds = scaled(2000);
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch(1);
    ch.send(1);
    const chan<bool> saw(1);
    runnel::go([ch, saw] { saw.send(select(on_recv(ch), otherwise()) == 0); });
    ch.close();
    (void)ch.recv();
    ASSERT_EQ(saw.recv(), true);
  }
}

MATRIX_TEST(ChanClose, OfTwoClosesExactlyOneThrows_CL12) {
  for (int i = 0; i < scaled(200); ++i) {
    const chan<int> ch;
    std::atomic<int> threw{0};
    wait_group both;
    for (int k = 0; k < 2; ++k)
      both.go([&] {
        try {
          ch.close();
        } catch (const closed_channel&) {
          ++threw;
        }
      });
    both.wait();
    ASSERT_EQ(threw, 1);
  }
}

MATRIX_TEST(ChanClose, LenAndCapMayRunBesideClose_CL13) {
  for (int i = 0; i < scaled(200); ++i) {
    const chan<int> ch(3);
    ch.send(1);
    wait_group other;
    other.go([&] { ch.close(); });
    EXPECT_EQ(ch.len(), 1U);
    EXPECT_EQ(ch.cap(), 3U);
    other.wait();
  }
}

MATRIX_TEST(ChanClose, ATargetIsWrittenOnlyWhenItsCaseIsTaken_CL14) {
  const chan<int> ch;
  std::optional<int> out = 17;
  EXPECT_EQ(select(on_recv(ch, out), otherwise()), 1U);
  EXPECT_EQ(out, 17);
  ch.close();
  EXPECT_EQ(select(on_recv(ch, out), otherwise()), 0U);
  EXPECT_EQ(out, std::nullopt);
  int kept = 17;
  EXPECT_FALSE(ch >> kept);
  EXPECT_EQ(kept, 17);
}

MATRIX_TEST(ChanClose, ARangeOverAClosedChannelRunsLenTimes_CL15) {
  const chan<int> ch(100);
  for (int i = 0; i < 100; ++i) ch.send(i);
  ch.close();
  int expected = 0;
  for (const int v : ch) EXPECT_EQ(v, expected++);
  EXPECT_EQ(expected, 100);
}

}  // namespace
