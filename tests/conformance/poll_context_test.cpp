// Descriptors with contexts and in selects: what ends a wait, and that one that is given up leaves nothing behind.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/stopwatch.hpp"

namespace {

using namespace runnel_test;
using runnel::context_errc;
using runnel::on_readable;
using runnel::on_recv;
using runnel::on_timeout;
using runnel::on_writable;
using runnel::otherwise;
using runnel::select;
using runnel::wait_group;
using runnel::wait_readable;
using runnel::wait_writable;

MATRIX_TEST(PollContext, InputEndsTheWait) {
  const pipe_ends p;
  runnel::chan<int> got;
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  wait_group all;
  all.go([&, &ctx = ctx] {
    for (int i = 0; i < 5; ++i) {
      EXPECT_FALSE(wait_readable(ctx, p.read_end()));
      got.send(p.take());
    }
  });
  for (char c = 'a'; c <= 'e'; ++c) {
    EXPECT_TRUE(until_blocked("select"));
    p.put(c);
    EXPECT_EQ(got.recv(), c);
  }
  all.wait();
}

MATRIX_TEST(PollContext, CancellingEndsTheWait) {
  const pipe_ends p;
  p.fill();
  const pipe_ends empty;
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  wait_group all;
  all.go([&, &ctx = ctx] {
    const runnel::error e = wait_readable(ctx, empty.read_end());
    EXPECT_TRUE(e.is(context_errc::canceled)) << e.message();
    EXPECT_TRUE(e == ctx.err());
  });
  all.go([&, &ctx = ctx] {
    EXPECT_TRUE(wait_writable(ctx, p.write_end()).is(context_errc::canceled));
  });
  EXPECT_TRUE(until_blocked("select", 2));
  cancel();
  all.wait();
}

MATRIX_TEST(PollContext, ADeadlineEndsTheWait) {
  const pipe_ends p;
  const stopwatch watch;
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 10ms);
  EXPECT_TRUE(wait_readable(ctx, p.read_end()).is(context_errc::deadline_exceeded));
  EXPECT_GE(watch.elapsed(), 10ms);
}

MATRIX_TEST(PollContext, ADoneContextComesBeforeInput) {
  const pipe_ends p;
  p.put('a');
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  cancel();
  EXPECT_TRUE(wait_readable(ctx, p.read_end()).is(context_errc::canceled));
  EXPECT_TRUE(wait_writable(ctx, p.write_end()).is(context_errc::canceled));
  EXPECT_EQ(p.take(), 'a');
}

MATRIX_TEST(PollContext, ReadyDescriptorsReturnAtOnce) {
  const pipe_ends p;
  p.put('a');
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 10s);
  EXPECT_FALSE(wait_readable(ctx, p.read_end()));
  EXPECT_FALSE(wait_writable(ctx, p.write_end()));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_TRUE(file);
  EXPECT_FALSE(wait_readable(ctx, ::fileno(file.get())));
}

MATRIX_TEST(PollContext, TheBackgroundContextNeverEndsIt) {
  const pipe_ends p;
  wait_group all;
  all.go([&] { EXPECT_FALSE(wait_readable(runnel::background(), p.read_end())); });
  EXPECT_TRUE(until_blocked("IO wait"));
  p.put('a');
  all.wait();
}

MATRIX_TEST(PollContext, BadDescriptorsAreReported) {
  auto [ctx, cancel] = runnel::with_cancel(runnel::background());
  for (const int fd : {-1, -7, 1'000'000}) {
    EXPECT_TRUE(wait_readable(ctx, fd).is(std::errc::bad_file_descriptor)) << fd;
    EXPECT_TRUE(wait_writable(ctx, fd).is(std::errc::bad_file_descriptor)) << fd;
  }
}

MATRIX_TEST_THREAD(PollContext, WorksOnAPlainThread) {
  const pipe_ends p;
  auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 5ms);
  EXPECT_TRUE(wait_readable(ctx, p.read_end()).is(context_errc::deadline_exceeded));
  auto [longer, cancel_longer] = runnel::with_timeout(runnel::background(), 10s);
  wait_group all;
  all.go([&] { p.put('a'); });
  EXPECT_FALSE(wait_readable(longer, p.read_end()));
  all.wait();
}

// Input and the end of the context meet.
MATRIX_TEST(PollContext, InputAndCancellationAtOnceGiveOneOfThem) {
  const pipe_ends p;
  for (int i = 0; i < scaled(500); ++i) {
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    wait_group all;
    all.go([&] { p.put('x'); });
    all.go([&cancel = cancel] { cancel(); });
    const runnel::error e = wait_readable(ctx, p.read_end());
    EXPECT_TRUE(!e || e.is(context_errc::canceled)) << e.message();
    all.wait();
    EXPECT_EQ(p.take(), 'x');
  }
}

MATRIX_TEST(PollSelect, BothDirectionsOfOneDescriptor) {
  const pipe_ends s = pipe_ends::socket_pair();
  EXPECT_EQ(select(on_readable(s.write_end()), on_writable(s.write_end())), 1U);
  s.fill();
  EXPECT_EQ(select(on_readable(s.write_end()), on_writable(s.write_end()), otherwise()), 2U);
  wait_group all;
  for (const std::size_t expected : {1U, 0U}) {
    all.go([&, expected] {
      EXPECT_EQ(select(on_readable(s.write_end()), on_writable(s.write_end())), expected);
    });
    EXPECT_TRUE(until_blocked("select"));
    if (expected == 1) {
      EXPECT_GT(s.drain(), 0U);
    } else {
      EXPECT_EQ(::send(s.read_end(), "x", 1, 0), 1);
    }
    all.wait();
    s.fill();
  }
}

MATRIX_TEST(PollSelect, TheSameDescriptorTwice) {
  const pipe_ends p;
  wait_group all;
  all.go([&] { EXPECT_LT(select(on_readable(p.read_end()), on_readable(p.read_end())), 2U); });
  EXPECT_TRUE(until_blocked("select"));
  p.put('a');
  all.wait();
}

MATRIX_TEST(PollSelect, TheDescriptorThatIsReadyOfSeveral) {
  const pipe_ends pipes[4];
  for (int i = 0; i < scaled(200); ++i) {
    const int ready = i % 4;
    wait_group all;
    all.go([&] { pipes[ready].put('a'); });
    EXPECT_EQ(select(on_readable(pipes[0].read_end()), on_readable(pipes[1].read_end()),
                     on_readable(pipes[2].read_end()), on_readable(pipes[3].read_end()),
                     on_timeout(10s, [] {})),
              static_cast<std::size_t>(ready));
    EXPECT_EQ(pipes[ready].take(), 'a');
    all.wait();
  }
}

MATRIX_TEST(PollSelect, WaitsOutsideAndInSelectsAllWake) {
  const pipe_ends p;
  wait_group all;
  for (int i = 0; i < 3; ++i) {
    all.go([&] { EXPECT_FALSE(wait_readable(p.read_end())); });
    all.go([&] { EXPECT_EQ(select(on_timeout(1h, [] {}), on_readable(p.read_end())), 1U); });
  }
  EXPECT_TRUE(until_blocked("IO wait", 3));
  EXPECT_TRUE(until_blocked("select", 3));
  p.put('a');
  all.wait();
}

MATRIX_TEST(PollSelect, BadDescriptorsAndFilesGoAhead) {
  runnel::chan<int> never;
  EXPECT_EQ(select(on_recv(never), on_readable(-1)), 1U);
  EXPECT_EQ(select(on_recv(never), on_writable(1'000'000)), 1U);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_TRUE(file);
  EXPECT_EQ(select(on_recv(never), on_readable(::fileno(file.get()))), 1U);
}

// Nobody is told when a descriptor is closed; but who waits for the next file of that number finds out that those
// before him waited for another.
MATRIX_TEST(Poll, ANewFileOfTheNumberEndsOldWaits) {
  const pipe_ends old;
  const int number = old.read_end();
  wait_group before;
  before.go([number] { EXPECT_TRUE(wait_readable(number).is(std::errc::bad_file_descriptor)); });
  before.go([number] {
    auto [ctx, cancel] = runnel::with_cancel(runnel::background());
    EXPECT_TRUE(wait_readable(ctx, number).is(std::errc::bad_file_descriptor));
  });
  EXPECT_TRUE(until_blocked("IO wait"));
  EXPECT_TRUE(until_blocked("select"));
  const pipe_ends fresh;
  old.replace_read(fresh);
  wait_group after;
  after.go([&] { EXPECT_FALSE(wait_readable(number, runnel::clock::now() + 10s)); });
  before.wait();
  EXPECT_TRUE(until_blocked("IO wait"));
  fresh.put('a');
  after.wait();
}

}  // namespace
