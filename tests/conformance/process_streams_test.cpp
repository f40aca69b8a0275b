// The pipes to and from processes.
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/poll.hpp>
#include <runnel/process.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/process.hpp"

namespace {

using namespace runnel_test;
using runnel::command;
using runnel::pipe_end;
using runnel::process;
using runnel::redirect;
using runnel::spawn;
using runnel::wait_group;

constexpr std::size_t large = 4 * 1024 * 1024;  // a pipe holds 64 KiB

std::string pattern(std::size_t n) {
  std::string text(n, ' ');
  for (std::size_t i = 0; i < n; ++i) text[i] = static_cast<char>('a' + i * i % 23);
  return text;
}

template <class F>
std::error_code failure_of(F call) {
  try {
    call();
  } catch (const std::system_error& e) {
    return e.code();
  }
  return {};
}

MATRIX_TEST(ProcessStreams, OutputAndErrorsAreReadApart) {
  command c = piped_shell("echo out; echo err >&2");
  c.errors = redirect::pipe();
  process p = spawn(c);
  EXPECT_EQ(p.output().read_all(), "out\n");
  EXPECT_EQ(p.errors().read_all(), "err\n");
  EXPECT_FALSE(p.input().is_open());
  EXPECT_FALSE(p.wait());
}

MATRIX_TEST(ProcessStreams, AContextEndsWhatWaits) {
  process cat = spawn(piped_cat());
  const auto [ctx, stop] = runnel::with_cancel(runnel::background());
  const auto too_late = make_error_code(runnel::context_errc::deadline_exceeded);
  std::array<char, 4> room{};
  std::error_code failure;
  cat.input().write_all(ctx, "ab", failure);
  EXPECT_FALSE(failure);
  EXPECT_EQ(cat.output().read_some(ctx, room), 2U);
  const auto [late, cancel] = runnel::with_timeout(runnel::background(), 20ms);
  EXPECT_EQ(cat.output().read_some(late, room, failure), 0U);
  EXPECT_EQ(failure, too_late);
  // From now on it is done from the start, whatever there is to read or room.
  cat.input().write_all("cd");
  EXPECT_FALSE(runnel::wait_readable(cat.output().fd()));
  EXPECT_EQ(failure_of([&] { (void)cat.output().read_some(late, room); }), too_late);
  EXPECT_EQ(failure_of([&] { (void)cat.output().read_all(late); }), too_late);
  EXPECT_EQ(failure_of([&] { (void)cat.input().write_some(late, room); }), too_late);
  EXPECT_EQ(failure_of([&] { cat.input().write_all(late, "x"); }), too_late);

  // What came before the end stays.
  std::string text;
  wait_group reader;
  reader.go([&] { text = cat.output().read_all(ctx, failure); });
  ASSERT_TRUE(until_blocked("select"));
  stop();
  reader.wait();
  EXPECT_EQ(text, "cd");
  EXPECT_EQ(failure, make_error_code(runnel::context_errc::canceled));

  // A writer that nobody reads from.
  const auto [brief, end] = runnel::with_timeout(runnel::background(), 20ms);
  EXPECT_EQ(failure_of([&] { cat.input().write_all(brief, pattern(large)); }), too_late);
  cat.kill(SIGKILL);
  (void)cat.wait();
}

MATRIX_TEST(ProcessStreams, MoreThanAPipeHoldsInBothDirections) {
  const std::string text = pattern(scaled(large));
  process p = spawn(piped_cat());
  wait_group all;
  all.go([&] {
    p.input().write_all(text);
    p.input().close();
  });
  EXPECT_TRUE(p.output().read_all() == text);
  all.wait();
  EXPECT_FALSE(p.wait());
  EXPECT_TRUE(p.status().success());
}

MATRIX_TEST(ProcessStreams, MuchOnBothOutputs) {
  const std::string n = std::to_string(scaled(large));
  command c = piped_shell("head -c " + n + " /dev/zero & head -c " + n + " /dev/zero >&2; wait");
  c.errors = redirect::pipe();
  process p = spawn(c);
  wait_group all;
  std::size_t errors = 0;
  all.go([&] { errors = p.errors().read_all().size(); });
  EXPECT_EQ(p.output().read_all().size(), scaled(large));
  all.wait();
  EXPECT_EQ(errors, scaled(large));
}

MATRIX_TEST(ProcessStreams, AReadBlocksTheGoroutineUntilSomethingIsThere) {
  process p = spawn(piped_cat());
  std::string seen;
  wait_group all;
  all.go([&] {
    std::array<char, 100> room{};
    for (std::size_t n = 1; n != 0;) {
      n = p.output().read_some(room);
      seen.append(room.data(), n);
    }
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(until_blocked("IO wait"));
    p.input().write_all("line\n");
  }
  p.input().close();
  all.wait();
  EXPECT_EQ(seen, "line\nline\nline\n");
}

MATRIX_TEST(ProcessStreams, TryingDoesNotBlock) {
  process p = spawn(piped_cat());
  std::array<char, 10> room{};
  std::error_code failure;
  EXPECT_EQ(p.output().try_read(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::resource_unavailable_try_again);
  EXPECT_EQ(p.input().try_write(std::string("ab"), failure), 2U);
  EXPECT_FALSE(failure);
  EXPECT_FALSE(runnel::wait_readable(p.output().fd()));
  EXPECT_EQ(p.output().try_read(room, failure), 2U);
  EXPECT_FALSE(failure);
  p.input().close();
  EXPECT_FALSE(runnel::wait_readable(p.output().fd()));
  EXPECT_EQ(p.output().try_read(room, failure), 0U);
  EXPECT_FALSE(failure) << "the end";
}

MATRIX_TEST(ProcessStreams, TryingToWriteFindsAFullPipe) {
  command c{.arguments = {"sleep", "1000"}, .input = redirect::pipe()};
  process p = spawn(c);
  const std::string block = pattern(10'000);
  std::error_code failure;
  std::size_t written = 0;
  while (!failure) written += p.input().try_write(block, failure);
  EXPECT_EQ(failure, std::errc::resource_unavailable_try_again);
  EXPECT_GT(written, 1000U);
}

// SIGPIPE has its default disposition here: it would end the process.
MATRIX_TEST(ProcessStreams, WritingToWhoDoesNotReadIsAnErrorOnly) {
  command c{.arguments = {"true"}, .input = redirect::pipe()};
  process p = spawn(c);
  EXPECT_FALSE(p.wait());
  std::error_code failure;
  EXPECT_EQ(p.input().write_some(std::string("text"), failure), 0U);
  EXPECT_EQ(failure, std::errc::broken_pipe);
  EXPECT_EQ(p.input().try_write(std::string("text"), failure), 0U);
  EXPECT_EQ(failure, std::errc::broken_pipe);
  p.input().write_all("text", failure);
  EXPECT_EQ(failure, std::errc::broken_pipe);
  EXPECT_THROW(p.input().write_all("text"), std::system_error);
}

MATRIX_TEST(ProcessStreams, AWriterThatIsBlockedHearsThatNobodyReads) {
  command c{.arguments = {"sleep", "1000"}, .input = redirect::pipe()};
  process p = spawn(c);
  std::error_code failure;
  wait_group all;
  all.go([&] { p.input().write_all(pattern(large), failure); });
  EXPECT_TRUE(until_blocked("IO wait"));
  EXPECT_FALSE(p.kill());
  all.wait();
  EXPECT_EQ(failure, std::errc::broken_pipe);
}

MATRIX_TEST_THREAD(ProcessStreams, ASigpipeThatWasPendingStaysSo) {
  command c{.arguments = {"true"}, .input = redirect::pipe()};
  process p = spawn(c);
  EXPECT_FALSE(p.wait());
  sigset_t pipe;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  std::error_code failure;
  p.input().write_some(std::string("text"), failure);
  ::sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0) << "what the write brought is gone";
  ::raise(SIGPIPE);
  p.input().write_some(std::string("text"), failure);
  ::sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 1);
  int number = 0;
  ::sigwait(&pipe, &number);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

MATRIX_TEST(ProcessStreams, AClosedEnd) {
  pipe_end closed;
  std::array<char, 4> room{};
  std::error_code failure;
  EXPECT_FALSE(closed.is_open());
  EXPECT_EQ(closed.fd(), -1);
  EXPECT_EQ(closed.read_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_EQ(closed.write_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_EQ(closed.read_all(failure), "");
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_THROW(closed.read_some(room), std::system_error);
  EXPECT_THROW(closed.write_some(room), std::system_error);
  EXPECT_THROW(closed.read_all(), std::system_error);
  closed.close();
}

MATRIX_TEST(ProcessStreams, ClosingAnEndEndsTheCallsThatWaitForIt) {
  command c{.arguments = {"sleep", "1000"},
            .input = redirect::pipe(),
            .output = redirect::pipe(),
            .errors = redirect::pipe()};
  process p = spawn(c);
  std::error_code read;
  std::error_code read_in_context;
  std::error_code written;
  wait_group all;
  all.go([&] { p.output().read_all(read); });
  all.go([&] { p.errors().read_all(runnel::background(), read_in_context); });
  all.go([&] { p.input().write_all(pattern(large), written); });
  ASSERT_TRUE(until_blocked("IO wait", 3));
  p.output().close();
  p.errors().close();
  p.input().close();
  all.wait();
  for (const auto& failure : {read, read_in_context, written})
    EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_FALSE(p.output().is_open());
  EXPECT_EQ(p.output().fd(), -1);
}

// The number is free for others only when no call is under way.
MATRIX_TEST(ProcessStreams, ManyReadAndWriteWhileOneCloses) {
  for (int i = 0; i < scaled(20); ++i) {
    process p = spawn(piped_cat());
    wait_group all;
    for (int k = 0; k < 4; ++k) {
      all.go([&] {
        std::error_code failure;
        while (!failure) p.input().write_some(std::string(1000, 'x'), failure);
        EXPECT_EQ(failure, std::errc::bad_file_descriptor);
      });
      all.go([&] {
        std::error_code failure;
        std::array<char, 700> room{};
        while (p.output().read_some(room, failure) > 0) EXPECT_EQ(room[0], 'x');
        EXPECT_FALSE(failure) << failure;
      });
    }
    runnel::sleep_for(1ms);
    p.input().close();
    all.wait();
    EXPECT_FALSE(p.wait());
    EXPECT_TRUE(p.status().success());
  }
}

MATRIX_TEST(ProcessStreams, DeadlinesAsOfSockets) {
  process cat = spawn(piped_cat());
  std::array<char, 4> room{};
  std::error_code failure;
  cat.output().set_read_deadline(runnel::clock::now() + 20ms);
  EXPECT_EQ(cat.output().read_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::timed_out);
  cat.input().write_all("ab");
  EXPECT_FALSE(runnel::wait_readable(cat.output().fd()));
  EXPECT_EQ(cat.output().read_some(room, failure), 0U) << "also what would not have to wait";
  EXPECT_EQ(failure, std::errc::timed_out);
  EXPECT_EQ(cat.output().try_read(std::span(room).first(1), failure), 1U);
  EXPECT_FALSE(failure);
  cat.output().set_read_deadline(runnel::clock::time_point::max());
  EXPECT_EQ(cat.output().read_some(room, failure), 1U);
  EXPECT_FALSE(failure);

  cat.input().set_deadline(runnel::clock::now() + 20ms);
  cat.input().write_all(pattern(large), failure);
  EXPECT_EQ(failure, std::errc::timed_out);
}

MATRIX_TEST(ProcessStreams, BuffersInPieces) {
  process cat = spawn(piped_cat());
  const std::vector<std::string> said{"one ", "", "two ", "three"};
  EXPECT_EQ(cat.input().write(said), 13U);
  cat.input().close();
  std::string head(4, ' ');
  std::string tail(20, ' ');
  const std::vector<std::span<char>> room{head, tail};
  EXPECT_EQ(cat.output().read(room), 13U);
  EXPECT_EQ(head + tail.substr(0, 9), "one two three");
}

MATRIX_TEST(ProcessStreams, AnEndOfTheOtherDirection) {
  process cat = spawn(piped_cat());
  std::array<char, 4> room{};
  std::error_code failure;
  EXPECT_EQ(cat.input().read_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  EXPECT_EQ(cat.output().write_some(room, failure), 0U);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
}

}  // namespace
