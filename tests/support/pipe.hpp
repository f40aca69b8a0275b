// Non-blocking pipes and socket pairs for tests of the poller.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace runnel_test {

/// Two descriptors, closed at the end. One end reads what the other writes; a socket pair does both ways.
class pipe_ends {
 public:
  pipe_ends() {
    if (::pipe2(fds_.data(), O_NONBLOCK | O_CLOEXEC) != 0)
      ADD_FAILURE() << "pipe2: errno " << errno;
  }
  static pipe_ends socket_pair() { return pipe_ends(socket_tag{}); }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    close_read();
    close_write();
  }

  int read_end() const { return fds_[0]; }
  int write_end() const { return fds_[1]; }
  void close_read() { close_one(fds_[0]); }
  void close_write() { close_one(fds_[1]); }

  /// The number of the read end stands for `other`'s read end from now on; ours is closed. Done in one step, because
  /// a number that is free for a moment may go to anybody in the process.
  void replace_read(const pipe_ends& other) const {
    if (::dup3(other.read_end(), fds_[0], O_CLOEXEC) != fds_[0])
      ADD_FAILURE() << "dup3: errno " << errno;
  }

  /// take() waits in the kernel from now on.
  void let_reads_block() const { EXPECT_EQ(::fcntl(fds_[0], F_SETFL, 0), 0); }

  void put(char c) const { EXPECT_EQ(::write(fds_[1], &c, 1), 1); }
  /// The next byte; -1: end of file; -2: nothing there.
  int take() const {
    unsigned char c = 0;
    const ssize_t n = ::read(fds_[0], &c, 1);
    return n == 1 ? c : n == 0 ? -1 : -2;
  }
  /// Writes until nothing more fits.
  void fill() const {
    const std::array<char, 4096> block{};
    while (::write(fds_[1], block.data(), block.size()) > 0) {
    }
    while (::write(fds_[1], block.data(), 1) > 0) {
    }
    EXPECT_EQ(errno, EAGAIN);
  }
  /// Reads until nothing is left; how many bytes.
  std::size_t drain() const {
    std::array<char, 4096> block{};
    std::size_t total = 0;
    for (;;) {
      const ssize_t n = ::read(fds_[0], block.data(), block.size());
      if (n <= 0) return total;
      total += static_cast<std::size_t>(n);
    }
  }

 private:
  struct socket_tag {};
  explicit pipe_ends(socket_tag) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds_.data()) != 0)
      ADD_FAILURE() << "socketpair: errno " << errno;
  }
  static void close_one(int& fd) {
    if (fd >= 0) ::close(std::exchange(fd, -1));
  }

  std::array<int, 2> fds_{-1, -1};
};

}  // namespace runnel_test
