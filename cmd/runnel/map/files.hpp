// Descriptors with an owner, and files that appear whole or not at all.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <runnel/error.hpp>

namespace runnel_cli {

/// A descriptor that is closed when its owner goes; -1: none.
class owned_fd {
 public:
  owned_fd() = default;
  explicit owned_fd(int fd) : fd_(fd) {}
  owned_fd(owned_fd&& other) noexcept : fd_(other.release()) {}
  owned_fd& operator=(owned_fd&& other) noexcept {
    owned_fd taken(std::move(other));
    std::swap(fd_, taken.fd_);
    return *this;
  }
  ~owned_fd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// The descriptor, which the caller owns from then on.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// What `errno` says.
runnel::error errno_error();

/// Writes all of `text` to `fd`; `written` says how much of it got there, also on failure. Blocks in
/// the kernel. Returns the error of write(2), but for EINTR.
runnel::error write_all(int fd, std::string_view text, std::size_t& written);

/// A file that is written under another name beside its own and takes its place when it is complete,
/// so that no reader sees a part of it, and a failure leaves what was there before. What is not a
/// regular file (a device, a pipe) is not replaced but written to. Every member blocks in the kernel.
/// For one goroutine at a time.
class replaced_file {
 public:
  replaced_file() = default;
  replaced_file(const replaced_file&) = delete;
  replaced_file& operator=(const replaced_file&) = delete;
  /// Without a commit, nothing is left but what was there before.
  ~replaced_file();

  /// Starts the file `path`, which is relative to the directory that `directory` is open on (or
  /// AT_FDCWD). To be called once. Returns the error of open(2).
  runnel::error open(int directory, std::string path);
  /// Adds `text`. Returns the error of write(2).
  runnel::error write(std::string_view text);
  /// Puts the file in its place. Returns the error of close(2) or rename(2).
  runnel::error commit();

 private:
  int directory_ = -1;
  std::string path_;
  std::string partial_;  // the name it is written under; empty: written in place, or committed
  owned_fd fd_;
};

}  // namespace runnel_cli
