// Sockets used by many at once: readers, writers, deadlines and closing from all sides. What was written and not
// cut off comes, in order, and every call ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::wait_group;

unsigned char byte_at(std::uint64_t i, unsigned seed) {
  return static_cast<unsigned char>(i * 2654435761U >> 8 ^ seed);
}

// Writes until it fails or `total` bytes are written; how many.
std::uint64_t write_pattern(runnel::stream& s, std::uint64_t total, unsigned seed) {
  std::minstd_rand random(seed + 1);
  std::vector<unsigned char> chunk;
  std::error_code failure;
  std::uint64_t written = 0;
  while (written < total && !failure) {
    chunk.resize(std::min<std::uint64_t>(total - written, 1 + random() % 3000));
    for (std::size_t i = 0; i < chunk.size(); ++i) chunk[i] = byte_at(written + i, seed);
    written += s.write(chunk, failure);
  }
  return written;
}

// Reads up to the end or a failure that is no deadline, which it takes back; how many bytes, all of them right.
std::uint64_t read_pattern(runnel::stream& s, unsigned seed) {
  std::minstd_rand random(seed + 2);
  std::vector<unsigned char> room;
  std::uint64_t got = 0;
  for (;;) {
    room.resize(1 + random() % 5000);
    std::error_code failure;
    const std::size_t n = s.read_some(room, failure);
    for (std::size_t i = 0; i < n; ++i)
      if (room[i] != byte_at(got + i, seed)) ADD_FAILURE() << "at " << got + i;
    got += n;
    if (failure == std::errc::timed_out) {
      s.set_read_deadline(runnel::clock::now() + std::chrono::microseconds(random() % 300));
      continue;
    }
    if (n == 0) return got;
  }
}

// Each way its own pattern, while the readers' deadlines come all the time.
MATRIX_TEST(NetStress, NothingIsLostUnderDeadlines) {
  const int pairs = 8;
  const std::uint64_t total = scaled(4'000'000);
  wait_group all;
  for (int i = 0; i < pairs; ++i) {
    all.go([=] {
      tcp_pair c;
      const auto seed = static_cast<unsigned>(i);
      wait_group sides;
      c.near.set_read_deadline(runnel::clock::now());
      for (runnel::tcp_stream* s : {&c.near, &c.far}) {
        sides.go([=] {
          EXPECT_EQ(write_pattern(*s, total, seed), total);
          s->shutdown(runnel::shut::write);
        });
        sides.go([=] { EXPECT_EQ(read_pattern(*s, seed), total); });
      }
      sides.wait();
    });
  }
  all.wait();
}

// Either side closes at any moment, while both read and write and somebody else sets deadlines.
MATRIX_TEST(NetStress, ClosingAtAnyMoment) {
  wait_group all;
  const int rounds = scaled(300);
  for (int worker = 0; worker < 4; ++worker) {
    all.go([=] {
      std::minstd_rand random(static_cast<unsigned>(worker) + 7);
      for (int i = 0; i < rounds; ++i) {
        tcp_pair c;
        const auto seed = static_cast<unsigned>(i);
        std::atomic<std::uint64_t> sent{0};
        std::atomic<std::uint64_t> received{0};
        wait_group sides;
        sides.go([&] { sent = write_pattern(c.far, 1 << 20, seed); });
        sides.go([&] { received = read_pattern(c.near, seed); });
        sides.go([&] { (void)read_pattern(c.far, seed); });
        sides.go([&] {
          for (int k = 0; k < 5; ++k) {
            c.near.set_write_deadline(runnel::clock::now());
            runnel::yield();
          }
        });
        for (auto turns = random() % 20; turns > 0; --turns) runnel::yield();
        (random() % 2 == 0 ? c.near : c.far).close();
        if (random() % 2 == 0) c.near.close();
        sides.wait();
        EXPECT_LE(received, 1U << 20);
      }
    });
  }
  all.wait();
}

// Calls with a context that ends about when the data comes: a byte is either read or still there.
MATRIX_TEST(NetStress, ACancelledReadTakesNothing) {
  wait_group all;
  for (int worker = 0; worker < 4; ++worker) {
    all.go([=] {
      tcp_pair c;
      std::minstd_rand random(static_cast<unsigned>(worker) + 3);
      int got = 0;
      const int bytes = scaled(10'000);
      wait_group sides;
      sides.go([&] {
        for (int i = 0; i < bytes; ++i) {
          const auto x = static_cast<char>(i);
          c.far.write(std::span(&x, 1));
          for (auto turns = i % 3; turns > 0; --turns) runnel::yield();
        }
      });
      while (got < bytes) {
        auto [ctx, cancel] =
            runnel::with_timeout(background(), std::chrono::microseconds(random() % 100));
        std::array<char, 1> room{};
        std::error_code failure;
        if (c.near.read_some(ctx, room, failure) == 1)
          EXPECT_EQ(room[0], static_cast<char>(got++));
        else
          EXPECT_EQ(failure, runnel::context_errc::deadline_exceeded);
      }
      sides.wait();
    });
  }
  all.wait();
}

// Connections that come and go while several accept.
MATRIX_TEST(NetStress, ConnectionsComeAndGo) {
  runnel::tcp_listener listener = runnel::listen(runnel::endpoint::loopback(0));
  const runnel::endpoint where = listener.local_endpoint();
  std::atomic<int> served{0};
  wait_group servers;
  for (int i = 0; i < 3; ++i) {
    servers.go([&] {
      std::error_code failure;
      for (;;) {
        runnel::tcp_stream s = listener.accept(failure);
        if (failure) return;
        servers.go([&, s = std::move(s)]() mutable {
          std::array<char, 64> room{};
          std::error_code ignored;
          while (const std::size_t n = s.read_some(room, ignored))
            s.write(std::span(room).first(n), ignored);
          ++served;
        });
      }
    });
  }
  wait_group clients;
  const int connections = scaled(2000);
  for (int i = 0; i < 8; ++i) {
    clients.go([&, i] {
      for (int k = i; k < connections; k += 8) {
        runnel::tcp_stream s = runnel::connect(background(), where);
        std::array<int, 4> sent = {k, k + 1, k + 2, k + 3};
        std::array<int, 4> got{};
        for (int round = 0; round < 3; ++round) {
          s.write(std::as_bytes(std::span(sent)));
          EXPECT_EQ(s.read(std::as_writable_bytes(std::span(got))), sizeof got);
          EXPECT_EQ(got, sent);
        }
      }
    });
  }
  clients.wait();
  listener.close();
  servers.wait();
  EXPECT_EQ(served, connections);
}

}  // namespace
