// The nil channel (behaviours NC).
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_recv;
using runnel::on_send;
using runnel::otherwise;
using runnel::recv_chan;
using runnel::select;
using runnel::send_chan;

/// `f` blocks for ever, in `state`: its goroutine stays for the life of the process. Whoever wakes it wrongly fails the
/// test, or that of somebody else.
template <class F>
void expect_blocks_for_ever(const std::string& state, F f) {
  const std::size_t before = count_in_state(state);
  runnel::go([f] {
    f();
    ADD_FAILURE() << "an operation on nil channels returned";
  });
  EXPECT_TRUE(until_blocked(state, before + 1)) << state;
}

TEST(ChanNil, SendBlocksForEver_NC01) {
  runnel::run([] {
    expect_blocks_for_ever("chan send (nil chan)", [] { chan<int>(nullptr).send(1); });
    expect_blocks_for_ever("chan send (nil chan)", [] { send_chan<int>().send(1); });
    expect_blocks_for_ever("chan send (nil chan)", [] { chan<void>(nullptr).send(); });
    expect_blocks_for_ever("chan send (nil chan)", [] { chan<int>(nullptr) << 1; });
  });
}

TEST(ChanNil, ReceiveBlocksForEver_NC02_RG06) {
  runnel::run([] {
    expect_blocks_for_ever("chan receive (nil chan)", [] { (void)chan<int>(nullptr).recv(); });
    expect_blocks_for_ever("chan receive (nil chan)", [] { (void)recv_chan<int>().recv(); });
    expect_blocks_for_ever("chan receive (nil chan)", [] { (void)chan<void>(nullptr).recv(); });
    expect_blocks_for_ever("chan receive (nil chan)", [] {
      int v = 0;
      (void)(chan<int>(nullptr) >> v);
    });
    expect_blocks_for_ever("chan receive (nil chan)", [] {
      for (const int v : recv_chan<int>()) (void)v;
    });
    expect_blocks_for_ever("chan receive (nil chan)", [] {
      std::vector<int> v;
      chan<int>(nullptr).recv_many(std::back_inserter(v), 3);
    });
  });
}

MATRIX_TEST(ChanNil, TimedOperationsTimeOut_NC01_NC02) {
  const chan<int> nil(nullptr);
  const stopwatch watch;
  EXPECT_FALSE(nil.send_for(1, 5ms));
  EXPECT_GE(watch.elapsed(), 5ms);
  EXPECT_TRUE(nil.recv_for(5ms).timed_out());
  EXPECT_GE(watch.elapsed(), 10ms);
  EXPECT_FALSE(nil.send_until(1, std::chrono::steady_clock::now() + 5ms));
  EXPECT_TRUE(nil.recv_until(runnel::clock::now() + 5ms).timed_out());
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_FALSE(chan<void>(nullptr).send_for(1ms));
  EXPECT_TRUE(chan<void>(nullptr).recv_for(1ms).timed_out());
}

MATRIX_TEST_THREAD(ChanNilThread, TimedOperationsTimeOut_NC01_NC02) {
  const chan<int> nil(nullptr);
  const stopwatch watch;
  EXPECT_FALSE(nil.send_for(1, 5ms));
  EXPECT_TRUE(nil.recv_for(5ms).timed_out());
  EXPECT_GE(watch.elapsed(), 10ms);
}

MATRIX_TEST(ChanNil, IsNeverChosenOverOtherwise_NC03) {
  const chan<int> nil(nullptr);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(select(on_recv(nil), otherwise()), 1U);
    EXPECT_EQ(select(on_send(nil, 1), otherwise()), 1U);
    EXPECT_EQ(select(on_recv(nil), on_send(nil, 1), otherwise(), on_recv(recv_chan<int>())), 2U);
  }
  EXPECT_FALSE(nil.try_send(1));
  EXPECT_TRUE(nil.try_recv().empty());
  EXPECT_FALSE(chan<void>(nullptr).try_send());
  EXPECT_TRUE(chan<void>(nullptr).try_recv().empty());
}

TEST(ChanNil, ASelectOfNilChannelsBlocksForEver_NC04) {
  runnel::run([] {
    expect_blocks_for_ever("select", [] { select(on_recv(chan<int>(nullptr))); });
    expect_blocks_for_ever(
        "select", [] { select(on_recv(chan<int>(nullptr)), on_send(chan<int>(nullptr), 1)); });
  });
}

MATRIX_TEST(ChanNil, ASelectOfNilChannelsTimesOut_NC04) {
  const stopwatch watch;
  EXPECT_EQ(
      select(on_recv(chan<int>(nullptr)), on_send(chan<int>(nullptr), 1), runnel::on_timeout(5ms)),
      2U);
  EXPECT_GE(watch.elapsed(), 5ms);
}

TEST(ChanNil, LenAndCapAreZero_NC05) {
  const chan<int> nil(nullptr);
  EXPECT_EQ(nil.len(), 0U);
  EXPECT_EQ(nil.cap(), 0U);
  EXPECT_FALSE(nil);
  EXPECT_FALSE(send_chan<int>());
  EXPECT_FALSE(recv_chan<int>());
  EXPECT_EQ(recv_chan<int>().len(), 0U);
  EXPECT_TRUE(chan<int>());
}

MATRIX_TEST(ChanNil, SettingAChannelToNilSwitchesItsCaseOff_NC06) {
  chan<int> a;
  chan<int> b;
  const auto feed = [](chan<int> c, int from) {
    runnel::go([c, from] {
      for (int i = 0; i < 10; ++i) c.send(from + i);
      c.close();
    });
  };
  feed(a, 0);
  feed(b, 100);
  std::vector<int> got;
  while (a || b) {
    const auto from = [&](chan<int>& c) {
      return on_recv(c, [&](std::optional<int> v) {
        if (v)
          got.push_back(*v);
        else
          c = nullptr;
      });
    };
    select(from(a), from(b));
  }
  EXPECT_EQ(got.size(), 20U);
  std::sort(got.begin(), got.end());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(got[static_cast<std::size_t>(i) + 10], 100 + i);
  }
}

MATRIX_TEST(ChanNil, TheValueOfANilSendIsStillEvaluated_NC07) {
  int evaluated = 0;
  const auto value = [&] { return ++evaluated; };
  for (int i = 0; i < 10; ++i) select(on_send(chan<int>(nullptr), value()), otherwise());
  EXPECT_EQ(evaluated, 10);
}

}  // namespace
