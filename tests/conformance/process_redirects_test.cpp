// Where the standard streams of processes lead: files, descriptors, each other; and what a child must not have.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <runnel/poll.hpp>
#include <runnel/process.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "../support/pipe.hpp"
#include "../support/process.hpp"

namespace {

using namespace runnel_test;
using runnel::command;
using runnel::process;
using runnel::redirect;
using runnel::spawn;
using runnel::wait_group;

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

MATRIX_TEST(ProcessRedirects, Null) {
  command c = piped_shell("cat; echo lost >&2; readlink /proc/self/fd/2");
  c.input = redirect::null();
  c.errors = redirect::null();
  process p = spawn(c);
  EXPECT_EQ(p.output().read_all(), "/dev/null\n");
}

MATRIX_TEST(ProcessRedirects, ErrorsGoWhereOutputGoes) {
  command c = piped_shell("echo 1; echo 2 >&2; echo 3");
  c.errors = redirect::to_output();
  EXPECT_EQ(output_of(c), "1\n2\n3\n");
}

MATRIX_TEST(ProcessRedirects, Files) {
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

MATRIX_TEST(ProcessRedirects, ADescriptorThatIsNotOpenIsAnError) {
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

MATRIX_TEST(ProcessRedirects, OutputAndErrorsChangePlaces) {
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

MATRIX_TEST(ProcessRedirects, StandardDescriptorsForEachOther) {
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

MATRIX_TEST(ProcessRedirects, ACloseOnExecStreamIsPassedOnByName) {
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
MATRIX_TEST(ProcessRedirects, StandardDescriptorsThatAreClosed) {
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

MATRIX_TEST(ProcessRedirects, NoDescriptorIsLeftBehind) {
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

MATRIX_TEST(ProcessRedirects, AChildHasNoDescriptorOfOurs) {
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
MATRIX_TEST(ProcessRedirects, EachSeesTheEndOfItsOwnInput) {
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
