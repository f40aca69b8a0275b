// Reading from and writing to a process.
#include <pthread.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/process.hpp>

namespace runnel {
namespace {

constexpr std::size_t first_room = std::size_t{16} * 1024;
constexpr std::size_t least_room = 4096;

std::error_code system_code(int number) noexcept { return {number, std::system_category()}; }

bool is_would_block(const std::error_code& e) noexcept {
  return e == std::errc::resource_unavailable_try_again;
}

std::error_code code_of(const error& e) {
  try {
    e.rethrow();
  } catch (const std::system_error& s) {
    return s.code();
  }
  return {};
}

// While it exists, a SIGPIPE that this thread brings upon itself is neither delivered nor left pending. One that was
// pending before stays. The thread must not change meanwhile: nothing in between may park.
class without_sigpipe {
 public:
  without_sigpipe() noexcept {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before_);
    if (sigismember(&before_, SIGPIPE) == 0) return;
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) != 0;
  }
  without_sigpipe(const without_sigpipe&) = delete;
  without_sigpipe& operator=(const without_sigpipe&) = delete;
  ~without_sigpipe() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  /// A write gave EPIPE.
  void take_signal() const noexcept {
    if (was_pending_) return;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const timespec at_once{0, 0};
    while (sigtimedwait(&pipe, nullptr, &at_once) < 0 && errno == EINTR) {
    }
  }

 private:
  sigset_t before_;
  bool was_pending_ = false;
};

ssize_t write_quietly(int fd, std::span<const char> from) noexcept {
  const without_sigpipe quiet;
  const ssize_t n = ::write(fd, from.data(), from.size());
  const int e = errno;
  if (n < 0 && e == EPIPE) quiet.take_signal();
  errno = e;
  return n;
}

void throw_if(const std::error_code& failure, const char* what) {
  if (failure) throw std::system_error(failure, what);
}

}  // namespace

void pipe_end::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::size_t pipe_end::try_read(std::span<char> into, std::error_code& failure) {
  failure.clear();
  ssize_t n = 0;
  do {
    n = ::read(fd_, into.data(), into.size());
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return static_cast<std::size_t>(n);
  failure = system_code(errno);
  return 0;
}

std::size_t pipe_end::read_some(std::span<char> into, std::error_code& failure) {
  for (;;) {
    const std::size_t n = try_read(into, failure);
    if (!is_would_block(failure)) return n;
    if (const error e = wait_readable(fd_)) {
      failure = code_of(e);
      return 0;
    }
  }
}

std::size_t pipe_end::try_write(std::span<const char> from, std::error_code& failure) {
  failure.clear();
  ssize_t n = 0;
  do {
    n = write_quietly(fd_, from);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return static_cast<std::size_t>(n);
  failure = system_code(errno);
  return 0;
}

std::size_t pipe_end::write_some(std::span<const char> from, std::error_code& failure) {
  for (;;) {
    const std::size_t n = try_write(from, failure);
    if (!is_would_block(failure)) return n;
    if (const error e = wait_writable(fd_)) {
      failure = code_of(e);
      return 0;
    }
  }
}

std::string pipe_end::read_all(std::error_code& failure) {
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (text.size() - used < least_room) text.resize(std::max(first_room, 2 * text.size()));
    const std::size_t n = read_some(std::span(text).subspan(used), failure);
    used += n;
    if (n == 0) break;
  }
  text.resize(used);
  return text;
}

void pipe_end::write_all(std::string_view text, std::error_code& failure) {
  failure.clear();
  while (!text.empty() && !failure) text.remove_prefix(write_some(text, failure));
}

std::size_t pipe_end::read_some(std::span<char> into) {
  std::error_code failure;
  const std::size_t n = read_some(into, failure);
  throw_if(failure, "read from a process");
  return n;
}

std::size_t pipe_end::write_some(std::span<const char> from) {
  std::error_code failure;
  const std::size_t n = write_some(from, failure);
  throw_if(failure, "write to a process");
  return n;
}

std::string pipe_end::read_all() {
  std::error_code failure;
  std::string text = read_all(failure);
  throw_if(failure, "read from a process");
  return text;
}

void pipe_end::write_all(std::string_view text) {
  std::error_code failure;
  write_all(text, failure);
  throw_if(failure, "write to a process");
}

}  // namespace runnel
