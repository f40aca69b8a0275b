// Unbounded channels: sends never block.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <malloc.h>

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
using runnel::unbounded;
using runnel::wait_group;

static_assert(!std::is_convertible_v<runnel::unbounded_t, chan<int>>);

MATRIX_TEST(ChanUnbounded, SendsNeverBlock) {
  const chan<int> ch{unbounded};
  EXPECT_EQ(ch.cap(), std::numeric_limits<std::size_t>::max());
  const int n = scaled(100'000);
  for (int i = 0; i < n; ++i) ch.send(i);
  EXPECT_EQ(ch.len(), static_cast<std::size_t>(n));
  EXPECT_TRUE(ch.try_send(n));
  EXPECT_EQ(runnel::select(runnel::on_send(ch, n + 1), runnel::otherwise()), 0U);
  ch.close();
  int expected = 0;
  for (const int v : ch) ASSERT_EQ(v, expected++);
  EXPECT_EQ(expected, n + 2);
  EXPECT_EQ(message_of<closed_channel>([&] { ch.send(1); }), "send on closed channel");
}

MATRIX_TEST(ChanUnbounded, ReceiversWait) {
  const chan<std::string> ch{unbounded};
  wait_group receivers;
  for (int i = 0; i < 3; ++i) receivers.go([&] { EXPECT_EQ(ch.recv(), "a value"); });
  ASSERT_TRUE(until_blocked("chan receive", 3));
  for (int i = 0; i < 3; ++i) ch.send("a value");
  receivers.wait();
  EXPECT_EQ(ch.len(), 0U);
  EXPECT_TRUE(ch.try_recv().empty());
  EXPECT_TRUE(ch.recv_for(1ms).timed_out());
}

MATRIX_TEST(ChanUnbounded, Events) {
  const chan<void> ch{unbounded};
  for (int i = 0; i < 1000; ++i) ch.send();
  EXPECT_EQ(ch.len(), 1000U);
  ch.close();
  int n = 0;
  while (ch.recv()) ++n;
  EXPECT_EQ(n, 1000);
}

MATRIX_TEST(ChanUnbounded, NothingIsLostBetweenManyUsers) {
  const chan<int> ch{unbounded};
  const int each = scaled(5000);
  wait_group producers;
  for (int p = 0; p < 4; ++p)
    producers.go([&] {
      for (int i = 0; i < each; ++i) ch.send(i);
    });
  std::vector<long long> sums(3);
  wait_group consumers;
  for (auto& sum : sums)
    consumers.go([&] {
      for (const int v : ch) sum += v + 1;
    });
  producers.wait();
  ch.close();
  consumers.wait();
  EXPECT_EQ(sums[0] + sums[1] + sums[2], 4LL * each * (each + 1) / 2);
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // their allocators do not count for mallinfo
MATRIX_TEST(ChanUnbounded, MemoryIsGivenBackAsItDrains) {
  const auto in_use = [] {
    const auto m = ::mallinfo2();
    return m.uordblks + m.hblkhd;
  };
  struct block {
    char bytes[1024];
  };
  const chan<block> ch{unbounded};
  const std::size_t before = in_use();
  for (int i = 0; i < 10'000; ++i) ch.send(block{});
  EXPECT_GT(in_use(), before + 10'000 * sizeof(block) / 2);  // else the test measures nothing
  for (int i = 0; i < 10'000; ++i) (void)ch.recv();
  EXPECT_LT(in_use(), before + 1'000'000);
}
#endif

}  // namespace
