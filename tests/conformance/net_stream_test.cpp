// TCP streams and listeners: what is read, what is written, and how it ends. Deadlines, contexts and closing are in
// net_wait_test.cpp.
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::endpoint;
using runnel::shut;
using runnel::tcp_listener;
using runnel::tcp_stream;
using runnel::wait_group;

std::string take(runnel::stream& s, std::size_t room = 4096) {
  std::string text(room, '?');
  text.resize(s.read_some(text));
  return text;
}

void echo(tcp_stream s) {
  std::array<char, 512> buffer{};
  while (const std::size_t n = s.read_some(buffer)) s.write(std::span(buffer).first(n));
}

void echo_over_many_connections() {
  tcp_listener listener = runnel::listen(endpoint::loopback(0));
  const endpoint where = listener.local_endpoint();
  const int clients = scaled(100);
  wait_group all;
  all.go([&] {
    for (int i = 0; i < clients; ++i)
      all.go([s = listener.accept()]() mutable { echo(std::move(s)); });
  });
  for (int i = 0; i < clients; ++i) {
    all.go([&, i] {
      tcp_stream s = runnel::connect(background(), where);
      for (int round = 0; round < 20; ++round) {
        const std::string text = std::to_string(i) + ':' + std::to_string(round);
        s.write(text);
        std::string answer(text.size(), '?');
        ASSERT_EQ(s.read(answer), text.size());
        ASSERT_EQ(answer, text);
      }
    });
  }
  all.wait();
}

MATRIX_TEST(NetStream, EchoOverManyConnections) { echo_over_many_connections(); }
MATRIX_TEST_THREAD(NetStream, EchoFromAPlainThread) { echo_over_many_connections(); }

MATRIX_TEST(NetStream, ARoomyReadGivesWhatIsThere) {
  tcp_pair c;
  c.far.write(std::string("abc"));
  EXPECT_EQ(take(c.near), "abc");
  c.far.write(std::string("de"));
  EXPECT_EQ(take(c.near), "de");
}

MATRIX_TEST(NetStream, WhatDoesNotFitStaysForTheNextRead) {
  tcp_pair c;
  c.far.write(std::string("0123456789"));
  EXPECT_EQ(take(c.near, 4), "0123");
  EXPECT_EQ(take(c.near, 4), "4567");
  EXPECT_EQ(take(c.near, 4), "89");
}

MATRIX_TEST(NetStream, AReaderParkedBeforeTheDataIsWokenEachTime) {
  tcp_pair c;
  runnel::chan<std::string> got;
  wait_group all;
  all.go([&] {
    for (int i = 0; i < 5; ++i) got.send(take(c.near));
  });
  for (char x = 'a'; x < 'a' + 5; ++x) {
    EXPECT_TRUE(until_blocked("IO wait"));
    c.far.write(std::string(1, x));
    EXPECT_EQ(got.recv(), std::string(1, x));
  }
  all.wait();
}

// The report of the end may come with the data or before it is read: the read that empties the stream must not make the
// next one wait for another report.
MATRIX_TEST(NetStream, TheEndBehindUnreadDataIsSeen) {
  for (int i = 0; i < scaled(200); ++i) {
    tcp_pair c;
    wait_group all;
    if (i % 2 == 0) {
      all.go([&] {
        EXPECT_EQ(take(c.near), "abc");
        EXPECT_EQ(take(c.near), "");
        EXPECT_EQ(take(c.near), "") << "and again";
      });
    }
    if (i % 4 == 0) runnel::yield();
    c.far.write(std::string("abc"));
    c.far.close();
    if (i % 2 != 0) {
      EXPECT_EQ(take(c.near), "abc");
      EXPECT_EQ(take(c.near), "");
    }
    all.wait();
  }
}

MATRIX_TEST(NetStream, AShutDownHalfLeavesTheOther) {
  tcp_pair c;
  c.near.shutdown(shut::write);
  EXPECT_EQ(take(c.far), "");
  c.far.write(std::string("still"));
  EXPECT_EQ(take(c.near), "still");
  std::error_code failure;
  c.near.write(std::string("x"), failure);
  EXPECT_EQ(failure, std::errc::broken_pipe);
}

// A read stops short of what follows an urgent byte, and no report comes for that.
MATRIX_TEST(NetStream, UrgentDataHidesNothing) {
  for (int i = 0; i < 20; ++i) {
    tcp_pair c;
    wait_group all;
    std::string got;
    if (i % 2 == 0) {
      all.go([&] {
        while (got.find("def") == std::string::npos) got += take(c.near);
      });
      EXPECT_TRUE(until_blocked("IO wait"));
    }
    c.far.write(std::string("abc"));
    ASSERT_EQ(::send(c.far.native_handle(), "!", 1, MSG_OOB), 1);
    c.far.write(std::string("def"));
    all.wait();
    c.near.set_deadline(runnel::clock::now() + 10s);
    while (got.find("def") == std::string::npos) got += take(c.near);
    EXPECT_EQ(got, "abcdef");
  }
}

MATRIX_TEST(NetStream, NothingToReadIntoDoesNotBlock) {
  tcp_pair c;
  EXPECT_EQ(c.near.read_some(std::span<char>()), 0U);
  EXPECT_EQ(c.near.write_some(std::string()), 0U);
  EXPECT_EQ(c.near.read(std::vector<std::span<char>>()), 0U);
}

MATRIX_TEST(NetStream, AWriterWaitsForRoom) {
  tcp_pair c;
  constexpr std::size_t size = std::size_t{8} << 20;
  std::vector<unsigned char> sent(size);
  std::iota(sent.begin(), sent.end(), static_cast<unsigned char>(7));
  wait_group all;
  all.go([&] {
    EXPECT_EQ(c.near.write(sent), size);
    c.near.shutdown(shut::write);
  });
  EXPECT_TRUE(until_blocked("IO wait"));
  std::vector<unsigned char> got(size + 1);
  EXPECT_EQ(c.far.read(got), size) << "fewer than asked for: the end";
  got.resize(size);
  EXPECT_TRUE(got == sent);
  all.wait();
}

// Chunks and rooms of any size, both ways at once: whether a read came short is told rightly in all of them.
MATRIX_TEST(NetStream, ChunksOfAllSizesBothWays) {
  tcp_pair c;
  constexpr std::size_t total = 1 << 20;
  const auto send = [&](tcp_stream& s, unsigned seed) {
    std::minstd_rand random(seed);
    std::vector<unsigned char> chunk;
    for (std::size_t sent = 0; sent < total;) {
      chunk.resize(std::min<std::size_t>(total - sent, 1 + random() % 20'000));
      for (unsigned char& x : chunk) x = static_cast<unsigned char>(sent++ * 31 + seed);
      s.write(chunk);
      if (random() % 4 == 0) runnel::yield();
    }
  };
  const auto receive = [&](tcp_stream& s, unsigned seed) {
    std::minstd_rand random(seed + 100);
    std::vector<unsigned char> room;
    std::size_t wrong = 0;
    for (std::size_t got = 0; got < total;) {
      room.resize(1 + random() % 20'000);
      const std::size_t n = s.read_some(room);
      ASSERT_GT(n, 0U);
      for (std::size_t i = 0; i < n; ++i, ++got)
        wrong += room[i] != static_cast<unsigned char>(got * 31 + seed) ? 1 : 0;
    }
    EXPECT_EQ(wrong, 0U);
  };
  wait_group all;
  all.go([&] { send(c.near, 1); });
  all.go([&] { send(c.far, 2); });
  all.go([&] { receive(c.far, 1); });
  all.go([&] { receive(c.near, 2); });
  all.wait();
}

MATRIX_TEST(NetStream, SequencesOfBuffers) {
  tcp_pair c;
  const std::vector<std::string> pieces = {"ab", "", "cde", "f"};
  EXPECT_EQ(c.far.write(pieces), 6U);
  std::array<char, 2> first{};
  std::array<char, 4> second{};
  const std::array<std::span<char>, 2> rooms = {std::span<char>(first), std::span<char>(second)};
  EXPECT_EQ(c.near.read(rooms), 6U);
  EXPECT_EQ(std::string(first.data(), 2) + std::string(second.data(), 4), "abcdef");

  std::vector<std::string> many;
  std::string whole;
  for (int i = 0; i < 100; ++i) whole += many.emplace_back(std::to_string(i));
  EXPECT_EQ(c.far.write(many), whole.size()) << "more pieces than one call takes";
  std::string got(whole.size(), '?');
  EXPECT_EQ(c.near.read(got), whole.size());
  EXPECT_EQ(got, whole);
}

MATRIX_TEST(NetStream, NobodyReadsAnyMore) {
  tcp_pair c;
  c.far.close();
  std::error_code failure;
  EXPECT_TRUE(eventually([&] {
    c.near.write(std::string("x"), failure);
    return static_cast<bool>(failure);
  })) << "and no signal";
  EXPECT_TRUE(failure == std::errc::broken_pipe || failure == std::errc::connection_reset)
      << failure;
}

MATRIX_TEST(NetStream, EachConnectionIsAcceptedOnce) {
  tcp_listener listener = runnel::listen(endpoint::loopback(0));
  const endpoint where = listener.local_endpoint();
  const int connections = scaled(200);
  std::atomic<int> accepted{0};
  wait_group acceptors;
  for (int i = 0; i < 4; ++i) {
    acceptors.go([&] {
      std::error_code failure;
      for (;;) {
        tcp_stream s = listener.accept(failure);
        if (failure) break;
        ++accepted;
        s.write(std::string("hello"));
      }
      EXPECT_EQ(failure, std::errc::bad_file_descriptor);
    });
  }
  EXPECT_TRUE(until_blocked("IO wait", 4));
  wait_group clients;
  for (int i = 0; i < connections; ++i) {
    clients.go([&] {
      tcp_stream s = runnel::connect(background(), where);
      std::string text(6, '?');
      EXPECT_EQ(s.read(text), 5U);
    });
  }
  clients.wait();
  listener.close();
  acceptors.wait();
  EXPECT_EQ(accepted, connections);
}

MATRIX_TEST(NetStream, BothEndsKnowWhereTheyAre) {
  tcp_pair c;
  EXPECT_EQ(c.near.local_endpoint(), c.far.remote_endpoint());
  EXPECT_EQ(c.near.remote_endpoint(), c.far.local_endpoint());
  EXPECT_EQ(c.near.local_endpoint().address(), "127.0.0.1");
}

MATRIX_TEST(NetStream, ConnectingToNobodyIsRefused) {
  tcp_listener listener = runnel::listen(endpoint::loopback(0));
  const endpoint where = listener.local_endpoint();
  listener.close();
  std::error_code failure;
  const tcp_stream s = runnel::connect(background(), where, failure);
  EXPECT_EQ(failure, std::errc::connection_refused);
  EXPECT_FALSE(s.is_open());
  try {
    runnel::connect(background(), where);
    ADD_FAILURE() << "no exception";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::connection_refused);
    EXPECT_NE(std::string(e.what()).find(where.to_string()), std::string::npos) << e.what();
  }
}

MATRIX_TEST(NetStream, AnAddressHasOneListener) {
  const tcp_listener listener = runnel::listen(endpoint::loopback(0));
  std::error_code failure;
  EXPECT_FALSE(runnel::listen(listener.local_endpoint(), failure).is_open());
  EXPECT_EQ(failure, std::errc::address_in_use);
}

MATRIX_TEST(NetStream, AnyAddressTakesIPv4) {
  tcp_listener listener = runnel::listen(endpoint::any(0));
  const endpoint where = endpoint::loopback(listener.local_endpoint().port());
  tcp_stream near = runnel::connect(background(), where);
  tcp_stream far = listener.accept();
  EXPECT_EQ(far.remote_endpoint(), near.local_endpoint()) << "not in the form of IPv6";
}

// Ours is registered edge-triggered; whoever waits by the number still gets what wait_readable() promises.
MATRIX_TEST(NetStream, TheNumberCanBeWaitedForLevelTriggered) {
  tcp_pair c;
  const int fd = c.near.native_handle();
  const auto soon = [] { return runnel::clock::now() + 5ms; };
  EXPECT_TRUE(wait_readable(fd, soon()).is(std::errc::timed_out));
  wait_group all;
  all.go([&] { EXPECT_FALSE(runnel::wait_readable(fd)); });
  EXPECT_TRUE(until_blocked("IO wait"));
  c.far.write(std::string("ab"));
  all.wait();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(wait_readable(fd, soon())) << "still there";
  EXPECT_EQ(runnel::select(runnel::on_readable(fd), runnel::on_timeout(10s)), 0U);
  EXPECT_EQ(take(c.near, 1), "a");
  EXPECT_FALSE(wait_readable(fd, soon()));
  EXPECT_EQ(take(c.near, 10), "b");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(wait_readable(fd, soon()).is(std::errc::timed_out));
  EXPECT_EQ(runnel::select(runnel::on_readable(fd), runnel::on_timeout(5ms)), 1U);
  all.go([&] { EXPECT_EQ(runnel::select(runnel::on_readable(fd)), 0U); });
  all.go([&] { EXPECT_EQ(take(c.near), "c"); });
  EXPECT_TRUE(until_blocked("IO wait"));
  EXPECT_TRUE(until_blocked("select"));
  c.far.write(std::string("c"));
  all.wait();
  EXPECT_FALSE(runnel::wait_writable(fd));
}

TEST(NetStreamClosed, WhatIsNotOpenSaysSo) {
  tcp_stream s;
  EXPECT_FALSE(s.is_open());
  EXPECT_EQ(s.native_handle(), -1);
  std::error_code failure;
  std::string room(4, '?');
  EXPECT_EQ(s.read_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_EQ(s.write(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  s.shutdown(shut::both, failure);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  (void)s.local_endpoint(failure);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_THROW(s.read_some(room), std::system_error);
  tcp_listener none;
  EXPECT_FALSE(none.accept(failure).is_open());
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  s.close();
  s.set_deadline(runnel::clock::now());
}

}  // namespace
