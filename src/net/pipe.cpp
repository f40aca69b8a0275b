#include "net/pipe.hpp"

#include <pthread.h>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace runnel::detail {
namespace {

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

}  // namespace

ssize_t read_pipe(int fd, std::span<const iovec> into) noexcept {
  return ::readv(fd, into.data(), static_cast<int>(into.size()));
}

ssize_t write_pipe(int fd, std::span<const iovec> from) noexcept {
  const without_sigpipe quiet;
  const ssize_t n = ::writev(fd, from.data(), static_cast<int>(from.size()));
  const int e = errno;
  if (n < 0 && e == EPIPE) quiet.take_signal();
  errno = e;
  return n;
}

}  // namespace runnel::detail
