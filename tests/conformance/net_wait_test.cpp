// What ends a wait for a socket beside the socket itself: deadlines, contexts, closing.
#include <gtest/gtest.h>

#include <dirent.h>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/stopwatch.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::context_errc;
using runnel::endpoint;
using runnel::tcp_listener;
using runnel::tcp_stream;
using runnel::wait_group;

constexpr runnel::clock::time_point no_deadline = runnel::clock::time_point::max();

runnel::clock::time_point in(std::chrono::nanoseconds d) { return runnel::clock::now() + d; }

std::error_code read_failure(tcp_stream& s) {
  std::array<char, 8> room{};
  std::error_code failure;
  const std::size_t n = s.read_some(room, failure);
  EXPECT_EQ(n == 0, static_cast<bool>(failure));
  return failure;
}

MATRIX_TEST(NetWait, APastDeadlineWinsOverData_NP04) {
  tcp_pair c;
  c.far.write(std::string("abc"));
  ASSERT_FALSE(runnel::wait_readable(c.near.native_handle()));
  c.near.set_read_deadline(in(-1h));
  EXPECT_EQ(read_failure(c.near), std::errc::timed_out);
  c.near.set_read_deadline(no_deadline);
  EXPECT_EQ(read_failure(c.near), std::error_code());
}

MATRIX_TEST(NetWait, DataThenTheDeadlineWhichStays_NP05) {
  tcp_pair c;
  c.far.write(std::string("abc"));
  const stopwatch watch;
  const auto limit = 50ms * patience;
  c.near.set_deadline(in(limit));
  std::array<char, 2> room{};
  std::error_code failure;
  std::size_t total = 0;
  while (!failure) total += c.near.read_some(room, failure);
  EXPECT_EQ(failure, std::errc::timed_out);
  EXPECT_EQ(total, 3U);
  EXPECT_GE(watch.elapsed(), limit);
  EXPECT_LT(watch.elapsed(), 5s * patience);
  EXPECT_EQ(read_failure(c.near), std::errc::timed_out);
  c.near.write(std::string("x"), failure);
  EXPECT_EQ(failure, std::errc::timed_out) << "both directions";
}

// Where the machine had something else to do, twice as long a wait is measured next: what is late by a part of the
// deadline, and not by a pause of the machine, is late with each of them.
MATRIX_TEST(NetWait, ADeadlineIsHardlyExceeded_NP07) {
  constexpr std::chrono::nanoseconds longest = 4s;
  tcp_pair c;
  for (std::chrono::nanoseconds d = 20ms * patience;; d *= 2) {
    const stopwatch watch;
    c.near.set_read_deadline(in(d));
    EXPECT_EQ(read_failure(c.near), std::errc::timed_out);
    const std::chrono::nanoseconds took = watch.elapsed();
    EXPECT_GE(took, d);
    if (took * 10 <= d * 11) return;
    ASSERT_LT(d, longest) << "took " << took.count() << " ns";
  }
}

MATRIX_TEST(NetWait, AClearedDeadlineDoesNotEndTheWait_NP06) {
  tcp_pair c;
  c.near.set_deadline(in(-1s));
  EXPECT_EQ(read_failure(c.near), std::errc::timed_out);
  c.near.set_deadline(no_deadline);
  wait_group all;
  all.go([&] { EXPECT_EQ(read_failure(c.near), std::errc::bad_file_descriptor); });
  EXPECT_TRUE(until_blocked("IO wait"));
  c.near.close();
  all.wait();
}

MATRIX_TEST(NetWait, ADeadlineSetMeanwhileEndsTheWait) {
  tcp_pair c;
  wait_group all;
  all.go([&] { EXPECT_EQ(read_failure(c.near), std::errc::timed_out); });
  EXPECT_TRUE(until_blocked("IO wait"));
  c.near.set_write_deadline(in(-1s));
  EXPECT_TRUE(until_blocked("IO wait")) << "the other direction's";
  c.near.set_read_deadline(in(1ms));
  all.wait();
}

MATRIX_TEST(NetWait, ADeadlineTakenBackMeanwhileDoesNot) {
  for (int i = 0; i < 5; ++i) {
    tcp_pair c;
    std::error_code failure;
    wait_group all;
    all.go([&] { failure = read_failure(c.near); });
    EXPECT_TRUE(until_blocked("IO wait"));
    const stopwatch watch;
    c.near.set_deadline(in(10ms));
    for (int k = 0; k < i; ++k) runnel::yield();
    c.near.set_deadline(no_deadline);
    const bool in_time = watch.elapsed() < 10ms;
    runnel::sleep_for(20ms);
    c.far.write(std::string("a"));
    all.wait();
    if (in_time) {
      EXPECT_EQ(failure, std::error_code());
    }
  }
}

MATRIX_TEST(NetWait, ShortDeadlinesOfAnEndlessStream_NP08) {
  tcp_pair c;
  wait_group all;
  all.go([&] {
    const std::string block(4096, 'x');
    std::error_code failure;
    while (!failure) c.far.write(block, failure);
  });
  std::vector<char> room(65536);
  for (const auto d : {1ns, std::chrono::nanoseconds(1us), std::chrono::nanoseconds(100us),
                       std::chrono::nanoseconds(5ms), std::chrono::nanoseconds(50ms)}) {
    const stopwatch watch;
    c.near.set_deadline(in(d));
    std::error_code failure;
    while (!failure) c.near.read_some(room, failure);
    EXPECT_EQ(failure, std::errc::timed_out);
    EXPECT_LT(watch.elapsed(), 5s * patience);
  }
  c.near.close();
  all.wait();
}

MATRIX_TEST(NetWait, EverEarlierDeadlinesByMany_NP09) {
  std::vector<std::unique_ptr<tcp_pair>> pairs;
  for (int i = 0; i < 10; ++i) pairs.push_back(std::make_unique<tcp_pair>());
  wait_group readers;
  for (const auto& p : pairs)
    readers.go([&] { EXPECT_EQ(read_failure(p->near), std::errc::timed_out); });
  wait_group setters;
  for (int i = 0; i < 8; ++i) {
    setters.go([&] {
      auto deadline = in(1h);
      for (int k = 0; k < scaled(100); ++k, deadline -= 1s)
        for (const auto& p : pairs) p->near.set_deadline(deadline);
    });
  }
  setters.wait();
  for (const auto& p : pairs) p->near.set_deadline(in(-1s));
  readers.wait();
}

MATRIX_TEST(NetWait, ManyReadersWithShortDeadlines_NP10) {
  tcp_pair c;
  std::atomic<int> got{0};
  std::atomic<bool> over{false};
  wait_group readers;
  for (int i = 0; i < 10; ++i) {
    readers.go([&] {
      while (!over) {
        c.near.set_read_deadline(in(1ms));
        const std::error_code failure = [&] {
          std::array<char, 1> room{};
          std::error_code f;
          if (c.near.read_some(room, f) == 1) ++got;
          return f;
        }();
        EXPECT_TRUE(!failure || failure == std::errc::timed_out) << failure;
      }
    });
  }
  const int bytes = scaled(2000);
  for (int i = 0; i < bytes; ++i) c.far.write(std::string("x"));
  EXPECT_TRUE(eventually([&] { return got == bytes; }));
  over = true;
  readers.wait();
}

MATRIX_TEST(NetWait, AFreshDeadlineBeforeEachCall_NP11) {
  tcp_pair c;
  std::array<char, 1> room{};
  for (int i = 0; i < scaled(1000); ++i) {
    c.near.set_deadline(in(1h));
    c.near.write(std::string("x"));
    c.far.set_deadline(in(1h));
    EXPECT_EQ(c.far.read_some(room), 1U);
  }
}

MATRIX_TEST(NetWait, AWriterWithoutRoomMeetsItsDeadline) {
  tcp_pair c;
  const std::vector<char> much(std::size_t{64} << 20);
  c.near.set_write_deadline(in(100ms * patience));
  std::error_code failure;
  const std::size_t n = c.near.write(much, failure);
  EXPECT_EQ(failure, std::errc::timed_out);
  EXPECT_LT(n, much.size());
  EXPECT_GT(n, 0U);
}

// -- contexts --------------------------------------------------------------------------------------------------------

MATRIX_TEST(NetWait, AContextEndsEachKindOfWait) {
  tcp_pair c;
  tcp_listener listener = runnel::listen(endpoint::loopback(0));
  auto [ctx, cancel] = runnel::with_cancel(background());
  wait_group all;
  all.go([&, &ctx = ctx] {
    std::error_code failure;
    std::array<char, 8> room{};
    EXPECT_EQ(c.near.read_some(ctx, room, failure), 0U);
    EXPECT_EQ(failure, context_errc::canceled);
  });
  all.go([&, &ctx = ctx] {
    std::error_code failure;
    const std::vector<char> much(std::size_t{64} << 20);
    EXPECT_LT(c.near.write(ctx, much, failure), much.size());
    EXPECT_EQ(failure, context_errc::canceled);
  });
  all.go([&, &ctx = ctx] {
    std::error_code failure;
    EXPECT_FALSE(listener.accept(ctx, failure).is_open());
    EXPECT_EQ(failure, context_errc::canceled);
  });
  EXPECT_TRUE(until_blocked("select", 3));
  cancel();
  all.wait();
  std::error_code failure;
  std::array<char, 8> room{};
  c.far.write(std::string("a"));
  EXPECT_EQ(c.near.read_some(ctx, room, failure), 0U) << "done from the start";
  EXPECT_EQ(failure, context_errc::canceled);
  EXPECT_FALSE(runnel::connect(ctx, listener.local_endpoint(), failure).is_open());
  EXPECT_EQ(failure, context_errc::canceled);
  EXPECT_EQ(c.near.read_some(room, failure), 1U) << "the stream goes on";
}

MATRIX_TEST(NetWait, DataComesUnderAContext) {
  tcp_pair c;
  auto [ctx, cancel] = runnel::with_cancel(background());
  wait_group all;
  all.go([&, &ctx = ctx] {
    std::array<char, 1> room{};
    for (int i = 0; i < scaled(500); ++i) {
      ASSERT_EQ(c.near.read_some(ctx, room), 1U);
      c.near.write(ctx, room);
    }
  });
  std::array<char, 1> room{};
  for (int i = 0; i < scaled(500); ++i) {
    c.far.write(std::string("x"));
    ASSERT_EQ(c.far.read_some(background(), room), 1U);
  }
  all.wait();
}

MATRIX_TEST(NetWait, TheSoonerOfContextAndDeadline) {
  tcp_pair c;
  std::array<char, 8> room{};
  std::error_code failure;
  auto [ctx, cancel] = runnel::with_timeout(background(), 10ms);
  c.near.set_deadline(in(1h));
  c.near.read_some(ctx, room, failure);
  EXPECT_EQ(failure, context_errc::deadline_exceeded);
  auto [other, cancel_other] = runnel::with_cancel(background());
  c.near.set_deadline(in(10ms));
  c.near.read_some(other, room, failure);
  EXPECT_EQ(failure, std::errc::timed_out);
  c.near.set_deadline(no_deadline);
  wait_group all;
  all.go([&, &other = other] {
    c.near.read_some(other, room, failure);
    EXPECT_EQ(failure, std::errc::timed_out) << "set meanwhile";
  });
  EXPECT_TRUE(until_blocked("select"));
  c.near.set_deadline(in(1ms));
  all.wait();
}

// -- closing ---------------------------------------------------------------------------------------------------------

MATRIX_TEST(NetWait, ClosingEndsEachKindOfWait) {
  tcp_pair c;
  tcp_listener listener = runnel::listen(endpoint::loopback(0));
  runnel::udp_socket udp = runnel::bind(endpoint::loopback(0));
  auto [ctx, cancel] = runnel::with_cancel(background());
  wait_group all;
  std::atomic<int> ended{0};
  const auto count = [&](const std::error_code& failure) {
    EXPECT_EQ(failure, std::errc::bad_file_descriptor);
    ++ended;
  };
  all.go([&] { count(read_failure(c.near)); });
  all.go([&, &ctx = ctx] {
    std::error_code failure;
    std::array<char, 8> room{};
    c.near.read_some(ctx, room, failure);
    count(failure);
  });
  all.go([&] {
    std::error_code failure;
    c.near.write(std::vector<char>(std::size_t{64} << 20), failure);
    count(failure);
  });
  all.go([&] {
    std::error_code failure;
    listener.accept(failure);
    count(failure);
  });
  all.go([&] {
    std::error_code failure;
    endpoint from;
    std::array<char, 8> room{};
    udp.receive_from(room, from, failure);
    count(failure);
  });
  EXPECT_TRUE(until_blocked("IO wait", 4));
  EXPECT_TRUE(until_blocked("select"));
  c.near.close();
  listener.close();
  udp.close();
  all.wait();
  EXPECT_EQ(ended, 5);
  EXPECT_FALSE(c.near.is_open());
  EXPECT_EQ(read_failure(c.near), std::errc::bad_file_descriptor);
  std::vector<char> room(1 << 20);
  c.far.set_deadline(in(10s));
  while (c.far.read_some(room) != 0) {
  }  // what the writer had written, and the end
}

int open_descriptors() {
  int n = 0;
  DIR* const all = opendir("/proc/self/fd");
  while (readdir(all) != nullptr) ++n;
  closedir(all);
  return n;
}

// A number that was a socket's stands for another file next: nothing of the one may reach the other.
MATRIX_TEST(NetWait, NumbersAreUsedAgain) {
  { const tcp_pair warm; }
  const int before = open_descriptors();
  for (int i = 0; i < scaled(200); ++i) {
    tcp_pair c;
    wait_group all;
    all.go([&] { (void)read_failure(c.near); });
    if (i % 3 != 0) {
      EXPECT_TRUE(until_blocked("IO wait"));
    }
    if (i % 2 == 0) c.far.write(std::string("a"));
    c.near.close();
    c.far.close();
    const pipe_ends p;  // has the numbers now, if nobody else uses them
    EXPECT_TRUE(runnel::wait_readable(p.read_end(), in(100us)).is(std::errc::timed_out));
    p.put('x');
    EXPECT_FALSE(runnel::wait_readable(p.read_end(), in(10s)));
    all.wait();
  }
  EXPECT_EQ(open_descriptors(), before);
}

MATRIX_TEST(NetWait, AStreamMayBeMovedWhileItIsReadAndDroppedSoonAfterItIsClosed) {
  for (int i = 0; i < scaled(100); ++i) {
    auto c = std::make_unique<tcp_pair>();
    runnel::chan<std::error_code> ended(1);
    tcp_stream& near = c->near;
    runnel::go([ended, &near]() mutable { ended.send(read_failure(near)); });
    EXPECT_TRUE(until_blocked("IO wait"));
    {
      tcp_stream moved = std::move(c->near);
      EXPECT_FALSE(c->near.is_open());
      if (i % 2 == 0) moved.close();
    }
    EXPECT_EQ(ended.recv(), std::errc::bad_file_descriptor);
  }
}

}  // namespace
