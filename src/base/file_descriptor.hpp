// A descriptor that is closed at the end of a scope.
#pragma once
#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace runnel::detail {

class file_descriptor {
 public:
  file_descriptor() noexcept = default;
  explicit file_descriptor(int fd) noexcept : fd_(fd) {}
  file_descriptor(file_descriptor&& other) noexcept : fd_(other.release()) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = other.release();
    }
    return *this;
  }
  ~file_descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

  /// Gives it a number above those of the standard streams, which are free where a program has closed them: what
  /// stands there would be taken for the stream. An errno, or zero.
  int leave_standard_numbers() noexcept {
    constexpr int first_free = 3;
    if (fd_ < 0 || fd_ >= first_free) return 0;
    const int moved = fcntl(fd_, F_DUPFD_CLOEXEC, first_free);
    if (moved < 0) return errno;
    *this = file_descriptor(moved);
    return 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace runnel::detail
