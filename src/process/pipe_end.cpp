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

#include <runnel/context.hpp>
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

error wait(const context* ctx, int fd, detail::poll_direction direction) {
  if (ctx == nullptr) return detail::wait_descriptor(fd, direction, detail::never);
  return direction == detail::poll_direction::read ? wait_readable(*ctx, fd)
                                                   : wait_writable(*ctx, fd);
}

// Calls `attempt`, which does not block, until it gives anything but EAGAIN. Without a context where `ctx` is null.
template <class F>
std::size_t in_time(const context* ctx, int fd, detail::poll_direction direction,
                    std::error_code& failure, F attempt) {
  for (;;) {
    if (ctx != nullptr && detail::context_access::done(*ctx)) {
      failure = code_of(ctx->err());
      return 0;
    }
    const std::size_t n = attempt();
    if (!is_would_block(failure)) return n;
    if (const error e = wait(ctx, fd, direction)) {
      failure = code_of(e);
      return 0;
    }
  }
}

constexpr const char* reading = "read from a process";
constexpr const char* writing = "write to a process";

template <class F>
auto or_throw(const char* what, F call) {
  std::error_code failure;
  auto done = call(failure);
  if (failure) throw std::system_error(failure, what);
  return done;
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

std::size_t pipe_end::read(const context* ctx, std::span<char> into, std::error_code& failure) {
  return in_time(ctx, fd_, detail::poll_direction::read, failure,
                 [&] { return try_read(into, failure); });
}

std::size_t pipe_end::write(const context* ctx, std::span<const char> from,
                            std::error_code& failure) {
  return in_time(ctx, fd_, detail::poll_direction::write, failure,
                 [&] { return try_write(from, failure); });
}

std::string pipe_end::read_to_end(const context* ctx, std::error_code& failure) {
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (text.size() - used < least_room) text.resize(std::max(first_room, 2 * text.size()));
    const std::size_t n = read(ctx, std::span(text).subspan(used), failure);
    used += n;
    if (n == 0) break;
  }
  text.resize(used);
  return text;
}

std::size_t pipe_end::write_whole(const context* ctx, std::string_view text,
                                  std::error_code& failure) {
  std::size_t written = 0;
  failure.clear();
  while (written < text.size() && !failure) written += write(ctx, text.substr(written), failure);
  return written;
}

std::size_t pipe_end::read_some(std::span<char> into, std::error_code& failure) {
  return read(nullptr, into, failure);
}
std::size_t pipe_end::read_some(std::span<char> into) {
  return or_throw(reading, [&](std::error_code& failure) { return read(nullptr, into, failure); });
}
std::size_t pipe_end::read_some(const context& ctx, std::span<char> into,
                                std::error_code& failure) {
  return read(&ctx, into, failure);
}
std::size_t pipe_end::read_some(const context& ctx, std::span<char> into) {
  return or_throw(reading, [&](std::error_code& failure) { return read(&ctx, into, failure); });
}

std::size_t pipe_end::write_some(std::span<const char> from, std::error_code& failure) {
  return write(nullptr, from, failure);
}
std::size_t pipe_end::write_some(std::span<const char> from) {
  return or_throw(writing, [&](std::error_code& failure) { return write(nullptr, from, failure); });
}
std::size_t pipe_end::write_some(const context& ctx, std::span<const char> from,
                                 std::error_code& failure) {
  return write(&ctx, from, failure);
}
std::size_t pipe_end::write_some(const context& ctx, std::span<const char> from) {
  return or_throw(writing, [&](std::error_code& failure) { return write(&ctx, from, failure); });
}

std::string pipe_end::read_all(std::error_code& failure) { return read_to_end(nullptr, failure); }
std::string pipe_end::read_all() {
  return or_throw(reading, [&](std::error_code& failure) { return read_to_end(nullptr, failure); });
}
std::string pipe_end::read_all(const context& ctx, std::error_code& failure) {
  return read_to_end(&ctx, failure);
}
std::string pipe_end::read_all(const context& ctx) {
  return or_throw(reading, [&](std::error_code& failure) { return read_to_end(&ctx, failure); });
}

void pipe_end::write_all(std::string_view text, std::error_code& failure) {
  (void)write_whole(nullptr, text, failure);
}
void pipe_end::write_all(std::string_view text) {
  (void)or_throw(writing,
                 [&](std::error_code& failure) { return write_whole(nullptr, text, failure); });
}
void pipe_end::write_all(const context& ctx, std::string_view text, std::error_code& failure) {
  (void)write_whole(&ctx, text, failure);
}
void pipe_end::write_all(const context& ctx, std::string_view text) {
  (void)or_throw(writing,
                 [&](std::error_code& failure) { return write_whole(&ctx, text, failure); });
}

}  // namespace runnel
