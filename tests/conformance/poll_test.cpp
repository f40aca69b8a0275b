// wait_readable and wait_writable: foreign descriptors, level-triggered, armed for one wait. The forms with a
// context are in the context tests.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::wait_group;
using runnel::wait_readable;
using runnel::wait_writable;

MATRIX_TEST(Poll, AReaderParkedOnAPipeIsWokenForEachLine_NP01) {
  pipe_ends p;
  runnel::chan<int> got;
  wait_group all;
  all.go([&] {
    for (;;) {
      const int c = p.take();
      if (c == -2) {
        EXPECT_FALSE(wait_readable(p.read_end()));
        continue;
      }
      got.send(c);
      if (c == -1) return;
    }
  });
  for (char c = 'a'; c <= 'e'; ++c) {
    EXPECT_TRUE(until_blocked("IO wait"));
    p.put(c);
    EXPECT_EQ(got.recv(), c);
  }
  EXPECT_TRUE(until_blocked("IO wait"));
  p.close_write();
  EXPECT_EQ(got.recv(), -1);
  all.wait();
}

MATRIX_TEST(Poll, IsLevelTriggered) {
  const pipe_ends p;
  p.put('x');
  p.put('y');
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(wait_readable(p.read_end()));
  EXPECT_EQ(p.take(), 'x');
  EXPECT_FALSE(wait_readable(p.read_end(), runnel::clock::now() + 10s))
      << "one byte is still there";
  EXPECT_EQ(p.take(), 'y');
  EXPECT_TRUE(wait_readable(p.read_end(), runnel::clock::now() + 5ms).is(std::errc::timed_out));
}

MATRIX_TEST(Poll, WritableMeansThereIsRoom) {
  const pipe_ends p;
  EXPECT_FALSE(wait_writable(p.write_end()));
  p.fill();
  EXPECT_TRUE(wait_writable(p.write_end(), runnel::clock::now() + 5ms).is(std::errc::timed_out));
  wait_group all;
  all.go([&] { EXPECT_FALSE(wait_writable(p.write_end())); });
  EXPECT_TRUE(until_blocked("IO wait"));
  EXPECT_GT(p.drain(), 0U);
  all.wait();
}

MATRIX_TEST(Poll, DeadlinesAreKept_NP04_NP05_NP07) {
  const pipe_ends p;
  const stopwatch watch;
  const runnel::error e = wait_readable(p.read_end(), runnel::clock::now() + 20ms);
  EXPECT_GE(watch.elapsed(), 20ms);
  EXPECT_LT(watch.elapsed(), 5s * patience);
  EXPECT_TRUE(e.is(std::errc::timed_out));
  EXPECT_TRUE(wait_readable(p.read_end(), runnel::clock::now() - 1h).is(std::errc::timed_out));
  EXPECT_TRUE(
      wait_readable(p.read_end(), std::chrono::steady_clock::now() + 1ms).is(std::errc::timed_out));
  p.put('a');
  EXPECT_FALSE(wait_readable(p.read_end(), runnel::clock::now() + 10s));
}

// "A wait that finds both its value and its timeout ready takes the value."
MATRIX_TEST(Poll, ReadinessWinsOverAPastDeadline) {
  const pipe_ends p;
  p.put('a');
  EXPECT_FALSE(wait_readable(p.read_end(), runnel::clock::now() - 1h));
}

MATRIX_TEST(Poll, ManyShortDeadlinesLeaveNothingBehind_NP08_NP11) {
  const pipe_ends p;
  for (int i = 0; i < scaled(500); ++i)
    EXPECT_TRUE(
        wait_readable(p.read_end(), runnel::clock::now() + std::chrono::microseconds(i % 50))
            .is(std::errc::timed_out));
  for (int i = 0; i < scaled(1000); ++i) {
    p.put('a');
    EXPECT_FALSE(wait_readable(p.read_end(), runnel::clock::now() + 1h));
    EXPECT_EQ(p.take(), 'a');
  }
}

MATRIX_TEST(Poll, EverEarlierDeadlinesOnManyDescriptorsFromMany) {
  const std::array<pipe_ends, 10> pipes;
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([&] {
      for (int left = 20; left > 0; --left)
        for (const auto& p : pipes) {
          const auto limit = left * std::chrono::microseconds(scaled(20));
          const auto why = wait_readable(p.read_end(), runnel::clock::now() + limit);
          EXPECT_TRUE(why.is(std::errc::timed_out)) << why;
        }
    });
  all.wait();
  for (const auto& p : pipes) {
    p.put('a');
    EXPECT_FALSE(wait_readable(p.read_end(), runnel::clock::now() + 1h));
  }
}

MATRIX_TEST(Poll, BothDirectionsOfASocketAtOnce) {
  const pipe_ends s = pipe_ends::socket_pair();
  s.fill();  // read_end() has input now, write_end() no room; nothing has gone the other way
  wait_group all;
  std::atomic<bool> readable{false};
  std::atomic<bool> writable{false};
  all.go([&] {
    EXPECT_FALSE(wait_readable(s.write_end()));
    readable = true;
  });
  all.go([&] {
    EXPECT_FALSE(wait_writable(s.write_end()));
    writable = true;
  });
  EXPECT_TRUE(until_blocked("IO wait", 2));
  EXPECT_EQ(::send(s.read_end(), "x", 1, 0), 1);
  EXPECT_TRUE(eventually([&] { return readable.load(); }));
  EXPECT_FALSE(writable);
  EXPECT_GT(s.drain(), 0U);
  all.wait();
}

MATRIX_TEST(Poll, SeveralWaitersOnOneDescriptorAllWake_NP10) {
  const pipe_ends p;
  wait_group all;
  for (int i = 0; i < 5; ++i) all.go([&] { EXPECT_FALSE(wait_readable(p.read_end())); });
  EXPECT_TRUE(until_blocked("IO wait", 5));
  p.put('a');
  all.wait();
}

MATRIX_TEST(Poll, SharedReadersSeeOnlyDataOrTimeouts_NP10) {
  const pipe_ends p;
  std::atomic<bool> stop{false};
  std::atomic<int> taken{0};
  wait_group readers;
  for (int i = 0; i < 10; ++i)
    readers.go([&] {
      while (!stop) {
        const runnel::error e = wait_readable(p.read_end(), runnel::clock::now() + 1ms);
        EXPECT_TRUE(!e || e.is(std::errc::timed_out)) << e.message();
        if (!e && p.take() == 'z') ++taken;
      }
    });
  const int n = scaled(200);
  for (int i = 0; i < n; ++i) {
    p.put('z');
    if (i % 10 == 0) runnel::sleep_for(200us);
  }
  EXPECT_TRUE(eventually([&] { return taken == n; }));
  stop = true;
  readers.wait();
}

MATRIX_TEST(Poll, HangUpWakesReadersAndWriters) {
  pipe_ends a;
  wait_group all;
  all.go([&] { EXPECT_FALSE(wait_readable(a.read_end())); });
  EXPECT_TRUE(until_blocked("IO wait"));
  a.close_write();
  all.wait();
  EXPECT_EQ(a.take(), -1);
  pipe_ends b;
  b.fill();
  all.go([&] { EXPECT_FALSE(wait_writable(b.write_end())); });
  EXPECT_TRUE(until_blocked("IO wait"));
  b.close_read();
  all.wait();
}

MATRIX_TEST(Poll, BadDescriptorsAreReported) {
  EXPECT_TRUE(wait_readable(-1).is(std::errc::bad_file_descriptor));
  EXPECT_TRUE(wait_writable(-1).is(std::errc::bad_file_descriptor));
  EXPECT_TRUE(wait_readable(1'000'000).is(std::errc::bad_file_descriptor));
  EXPECT_TRUE(wait_writable(-7, runnel::clock::now() + 1h).is(std::errc::bad_file_descriptor));
  const pipe_ends p;
  // A number that nobody else in the process is given meanwhile: the kernel gives out the lowest.
  const int gone = ::fcntl(p.read_end(), F_DUPFD_CLOEXEC, 500);
  ::close(gone);
  EXPECT_TRUE(wait_readable(gone, runnel::clock::now() + 1h).is(std::errc::bad_file_descriptor));
}

MATRIX_TEST(Poll, ARegularFileIsAlwaysReady_NP12) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_TRUE(file);
  const int fd = ::fileno(file.get());
  const stopwatch watch;
  EXPECT_FALSE(wait_readable(fd));
  EXPECT_FALSE(wait_writable(fd));
  EXPECT_FALSE(wait_readable(fd, runnel::clock::now() + 1h));
  EXPECT_LT(watch.elapsed(), 10s);
}

// The number of a closed descriptor is given out again; what was known about the old one must not stick.
MATRIX_TEST(Poll, AReusedNumberIsANewDescriptor) {
  for (int i = 0; i < scaled(300); ++i) {
    const pipe_ends first;
    const int number = first.read_end();
    if (i % 2 == 0) {
      EXPECT_TRUE(wait_readable(number, runnel::clock::now() + 100us).is(std::errc::timed_out));
    } else {
      first.put('a');
      EXPECT_FALSE(wait_readable(number));
    }
    const pipe_ends second;
    first.replace_read(second);
    EXPECT_TRUE(wait_readable(number, runnel::clock::now() + 100us).is(std::errc::timed_out));
    wait_group all;
    all.go([&] { EXPECT_FALSE(wait_readable(number, runnel::clock::now() + 10s)); });
    runnel::yield();
    second.put('b');
    all.wait();
    EXPECT_EQ(second.take(), 'b');
  }
}

// A duplicate of the descriptor keeps the old registration alive inside the kernel.
MATRIX_TEST(Poll, AReusedNumberWhoseFileLivesOnInADuplicate) {
  for (int i = 0; i < 20; ++i) {
    const pipe_ends first;
    const int number = first.read_end();
    const int duplicate = ::dup(number);
    EXPECT_TRUE(wait_readable(number, runnel::clock::now() + 100us).is(std::errc::timed_out));
    const pipe_ends second;
    first.replace_read(second);
    first.put('a');
    EXPECT_TRUE(wait_readable(number, runnel::clock::now() + 1ms).is(std::errc::timed_out));
    EXPECT_FALSE(wait_readable(duplicate, runnel::clock::now() + 10s));
    second.put('b');
    EXPECT_FALSE(wait_readable(number, runnel::clock::now() + 10s));
    ::close(duplicate);
  }
}

// Closed while waited on: nothing can be said about the waiter but that its deadline still holds and that nobody
// else is disturbed.
MATRIX_TEST(Poll, ClosedWhileWaitedOnTheDeadlineStillHolds_NP02) {
  pipe_ends p;
  const int number = p.read_end();
  wait_group all;
  all.go([&, number] {
    wait_readable(number, runnel::clock::now() + 1s);
  });  // the first dump reads symbols
  EXPECT_TRUE(until_blocked("IO wait"));
  p.close_read();
  const pipe_ends other;
  other.put('a');
  EXPECT_FALSE(wait_readable(other.read_end(), runnel::clock::now() + 10s));
  all.wait();
}

MATRIX_TEST_THREAD(Poll, WorksOnAPlainThread) {
  const pipe_ends p;
  const stopwatch watch;
  EXPECT_TRUE(wait_readable(p.read_end(), runnel::clock::now() + 10ms).is(std::errc::timed_out));
  EXPECT_GE(watch.elapsed(), 10ms);
  wait_group all;
  all.go([&] { p.put('a'); });
  EXPECT_FALSE(wait_readable(p.read_end()));
  all.wait();
  EXPECT_TRUE(wait_readable(-1).is(std::errc::bad_file_descriptor));
}

// The one that waits in the poller for ten seconds is woken for what a plain thread starts.
MATRIX_TEST_THREAD(Poll, WhoSleepsInThePollerIsWokenForWork_NP15) {
  const pipe_ends p;
  wait_group all;
  all.go([&] {
    const auto later = runnel::clock::now() + 10s;
    EXPECT_FALSE(wait_readable(p.read_end(), later));
  });
  ASSERT_TRUE(until_blocked("IO wait"));
  for (int i = 0; i < 5; ++i) {
    runnel::sleep_for(2ms);  // so that all have gone to sleep
    const stopwatch watch;
    EXPECT_TRUE(runnel::async([] { return true; }).get());
    EXPECT_LT(watch.elapsed(), 5s);
  }
  p.put('x');
  all.wait();
}

MATRIX_TEST(Poll, ManyPipesInARing) {
  constexpr std::size_t n = 50;
  std::vector<std::unique_ptr<pipe_ends>> pipes;
  for (std::size_t i = 0; i < n; ++i) pipes.push_back(std::make_unique<pipe_ends>());
  const int laps = scaled(40);
  wait_group all;
  for (std::size_t i = 0; i < n; ++i)
    all.go([&, i] {
      for (int lap = 0; lap < laps; ++lap) {
        EXPECT_FALSE(wait_readable(pipes[i]->read_end()));
        EXPECT_EQ(pipes[i]->take(), 'r');
        if (i + 1 < n || lap + 1 < laps) pipes[(i + 1) % n]->put('r');
      }
    });
  pipes[0]->put('r');
  all.wait();
}

MATRIX_TEST(Poll, AnEventDescriptorIsReset) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  wait_group all;
  all.go([&] { EXPECT_FALSE(wait_readable(fd)); });
  EXPECT_TRUE(until_blocked("IO wait"));
  const std::uint64_t one = 1;
  EXPECT_EQ(::write(fd, &one, sizeof one), static_cast<ssize_t>(sizeof one));
  all.wait();
  std::uint64_t value = 0;
  EXPECT_EQ(::read(fd, &value, sizeof value), static_cast<ssize_t>(sizeof value));
  EXPECT_TRUE(wait_readable(fd, runnel::clock::now() + 1ms).is(std::errc::timed_out));
  ::close(fd);
}

}  // namespace
