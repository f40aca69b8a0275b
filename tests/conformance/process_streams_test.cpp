// The standard streams of processes: pipes in both directions, files, descriptors, and what a child must not have.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/process.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
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

command piped_cat() {
  return {.arguments = {"cat"}, .input = redirect::pipe(), .output = redirect::pipe()};
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

std::string read_to_the_end(const pipe_ends& p) {
  std::string text;
  for (int c = p.take(); c != -1; c = p.take()) {
    if (c != -2)
      text += static_cast<char>(c);
    else
      EXPECT_FALSE(runnel::wait_readable(p.read_end()));
  }
  return text;
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

// -- redirections ----------------------------------------------------------------------------------------------------

MATRIX_TEST(ProcessStreams, Null) {
  command c = piped_shell("cat; echo lost >&2; readlink /proc/self/fd/2");
  c.input = redirect::null();
  c.errors = redirect::null();
  process p = spawn(c);
  EXPECT_EQ(p.output().read_all(), "/dev/null\n");
}

MATRIX_TEST(ProcessStreams, ErrorsGoWhereOutputGoes) {
  command c = piped_shell("echo 1; echo 2 >&2; echo 3");
  c.errors = redirect::to_output();
  EXPECT_EQ(output_of(c), "1\n2\n3\n");
}

MATRIX_TEST(ProcessStreams, Files) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::tmpfile(), &std::fclose);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), &std::fclose);
  ASSERT_TRUE(in && out);
  EXPECT_EQ(::pwrite(::fileno(in.get()), "text", 4, 0), 4);
  command c = shell("cat; echo more >&2");
  c.input = redirect::to(::fileno(in.get()));
  c.output = redirect::to(::fileno(out.get()));
  c.errors = redirect::to(::fileno(out.get()));
  process p = spawn(c);
  EXPECT_FALSE(p.wait());
  std::array<char, 20> room{};
  EXPECT_EQ(::pread(::fileno(out.get()), room.data(), room.size(), 0), 9);
  EXPECT_STREQ(room.data(), "textmore\n");
}

MATRIX_TEST(ProcessStreams, ADescriptorThatIsNotOpenIsAnError) {
  std::error_code failure;
  spawn({.arguments = {"true"}, .input = redirect::to(-1)}, failure);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
  SKIP_WHERE_VFORK_IS_FORK();
  spawn({.arguments = {"true"}, .output = redirect::to(1'000'000)}, failure);
  EXPECT_EQ(failure, std::errc::bad_file_descriptor);
}

/// Standard streams of this process, changed until the end of the object.
class changed_streams {
 public:
  explicit changed_streams(std::vector<int> numbers) : numbers_(std::move(numbers)) {
    std::fflush(stdout);
    for (const int n : numbers_) saved_.push_back(::fcntl(n, F_DUPFD_CLOEXEC, 100));
  }
  changed_streams(const changed_streams&) = delete;
  changed_streams& operator=(const changed_streams&) = delete;
  ~changed_streams() {
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      ::dup2(saved_[i], numbers_[i]);
      ::close(saved_[i]);
    }
  }

 private:
  std::vector<int> numbers_;
  std::vector<int> saved_;
};

MATRIX_TEST(ProcessStreams, OutputAndErrorsChangePlaces) {
  pipe_ends a;
  pipe_ends b;
  {
    const changed_streams changed({1, 2});
    ::dup2(a.write_end(), 1);
    ::dup2(b.write_end(), 2);
    command c = shell("echo out; echo err >&2");
    c.output = redirect::to(2);
    c.errors = redirect::to(1);
    process p = spawn(c);
    EXPECT_FALSE(p.wait());
  }
  a.close_write();
  b.close_write();
  EXPECT_EQ(read_to_the_end(a), "err\n");
  EXPECT_EQ(read_to_the_end(b), "out\n");
}

MATRIX_TEST(ProcessStreams, StandardDescriptorsForEachOther) {
  pipe_ends a;
  {
    const changed_streams changed({0, 1, 2});
    ::dup2(a.write_end(), 0);
    command c = shell("echo err >&2; readlink /proc/self/fd/0");
    c.input = redirect::null();
    c.output = redirect::pipe();
    c.errors = redirect::to(0);
    EXPECT_EQ(output_of(c), "/dev/null\n");
    c = shell("echo out; echo err >&2");
    c.output = redirect::to(0);
    c.errors = redirect::to_output();
    process p = spawn(c);
    EXPECT_FALSE(p.wait());
  }
  a.close_write();
  EXPECT_EQ(read_to_the_end(a), "err\nout\nerr\n");
}

MATRIX_TEST(ProcessStreams, ACloseOnExecStreamIsPassedOnByName) {
  pipe_ends a;
  {
    const changed_streams changed({1});
    ::dup3(a.write_end(), 1, O_CLOEXEC);
    command c = shell("echo out");
    c.output = redirect::to(1);
    process p = spawn(c);
    EXPECT_FALSE(p.wait());
    EXPECT_TRUE(p.status().success());
  }
  a.close_write();
  EXPECT_EQ(read_to_the_end(a), "out\n");
}

// Pipes are then given the numbers of the streams.
MATRIX_TEST(ProcessStreams, StandardDescriptorsThatAreClosed) {
  const changed_streams changed({0, 1, 2});
  for (const int n : {0, 1, 2}) ::close(n);
  command c = piped_shell("cat; echo err >&2");
  c.input = redirect::pipe();
  c.errors = redirect::pipe();
  process p = spawn(c);
  for (const int fd : {p.input().fd(), p.output().fd(), p.errors().fd()}) EXPECT_GT(fd, 2);
  p.input().write_all("text");
  p.input().close();
  EXPECT_EQ(p.output().read_all(), "text");
  EXPECT_EQ(p.errors().read_all(), "err\n");
  EXPECT_FALSE(p.wait());
}

// -- descriptors -----------------------------------------------------------------------------------------------------

// Those that are there at each of some looks: the runtime may be reading a file of /proc during one.
std::vector<int> lasting_descriptors() {
  std::vector<int> lasting = open_descriptors();
  for (int look = 0; look < 5; ++look) {
    runnel::sleep_for(std::chrono::milliseconds(1));
    const std::vector<int> now = open_descriptors();
    std::erase_if(lasting, [&](int fd) { return std::ranges::find(now, fd) == now.end(); });
  }
  return lasting;
}

MATRIX_TEST(ProcessStreams, NoDescriptorIsLeftBehind) {
  const auto once = [] {
    command c = piped_shell("exit 1");
    c.input = redirect::pipe();
    c.errors = redirect::pipe();
    process p = spawn(c);
    (void)p.wait();
    c.output = redirect::to(-1);
    std::error_code failure;
    spawn(c, failure);
    c = {.arguments = {"/no/such/program"}, .output = redirect::pipe()};
    spawn(c, failure);
    c = shell("exec sleep 1000");
    c.input = redirect::pipe();
    spawn(c);
    process detached = spawn(shell("exit 0"));
    (void)detached.wait();
    detached.detach();
  };
  // Opens the poller, which stays: a process that has ended already would be waited for without it.
  process sleeper = spawn(shell("exec sleep 1000"));
  EXPECT_EQ(sleeper.wait(runnel::clock::now() + std::chrono::milliseconds(1)),
            std::errc::timed_out);
  sleeper = {};
  once();
  const std::vector<int> before = lasting_descriptors();
  for (int i = 0; i < 5; ++i) once();
  EXPECT_EQ(lasting_descriptors(), before);
}

MATRIX_TEST(ProcessStreams, AChildHasNoDescriptorOfOurs) {
  const auto kept = open_descriptors();
  std::vector<int> expected{0, 1, 2};
  for (const int fd : kept)
    if (fd > 2 && (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0) expected.push_back(fd);
  process other = spawn(piped_cat());
  command c{.arguments = {"ls", "/proc/self/fd"},
            .input = redirect::pipe(),
            .output = redirect::pipe(),
            .errors = redirect::pipe()};
  process p = spawn(c);
  std::istringstream text(p.output().read_all());
  std::vector<int> found;
  for (int fd = 0; text >> fd;) found.push_back(fd);
  EXPECT_EQ(found.size(), expected.size() + 1) << "those and the one that ls looks with";
  for (const int fd : expected) EXPECT_EQ(std::count(found.begin(), found.end(), fd), 1) << fd;
}

// A child that had another one's pipe would keep the end of its input from it.
MATRIX_TEST(ProcessStreams, EachSeesTheEndOfItsOwnInput) {
  std::vector<process> cats(20);
  wait_group all;
  for (auto& p : cats)
    all.go([&p] {
      p = spawn(piped_cat());
      p.input().write_all("text");
      p.input().close();
      EXPECT_EQ(p.output().read_all(), "text");
    });
  all.wait();
}

}  // namespace
