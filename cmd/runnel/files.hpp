// Descriptors with an owner, files that appear whole or not at all, and files without a name.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
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

/// Writes all of `text` to `fd`, over as many calls as that takes; `*written` says how much of it got
/// there, also on failure. Where a non-blocking descriptor has no room the goroutine waits; any other
/// blocks in the kernel. Returns the error of write(2), but for EINTR and EAGAIN, or of that wait.
runnel::error write_all(int fd, std::string_view text, std::size_t* written = nullptr);

/// As read(2), but begins again where a signal interrupts it.
ssize_t read_some(int fd, void* into, std::size_t size);

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

/// A file without a name, in $TMPDIR or else /tmp, that goes with its owner. Every member blocks in
/// the kernel. Errors begin with "temporary file: ". For one goroutine at a time.
class temporary_file {
 public:
  /// To be called once, before anything else.
  runnel::error open();
  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }

  /// Puts `text` at `offset`. On failure, some of it may be there.
  runnel::error write(std::uint64_t offset, std::string_view text);
  /// Calls `use` with [offset, offset + size), piece by piece, until it returns an error; that error,
  /// or that of reading.
  runnel::error read(std::uint64_t offset, std::uint64_t size,
                     const std::function<runnel::error(std::string_view)>& use) const;

 private:
  owned_fd fd_;
};

}  // namespace runnel_cli
