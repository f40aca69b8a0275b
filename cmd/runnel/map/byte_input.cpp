#include "map/byte_input.hpp"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <runnel/poll.hpp>

#include "map/pause.hpp"
#include "map/process_table.hpp"
#include "map/supervise.hpp"

namespace runnel_cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{64} * 1024;
// Nothing tells when a process comes to the foreground.
constexpr auto between_looks = std::chrono::milliseconds(100);

}  // namespace

byte_input::byte_input(owned_fd fd, std::string name, runnel::context ctx)
    : byte_input(fd.get(), std::move(name), std::move(ctx)) {
  owned_ = std::move(fd);
}

byte_input::byte_input(int fd, std::string name, runnel::context ctx)
    : fd_(fd),
      terminal_(::isatty(fd) == 1),
      name_(std::move(name)),
      ctx_(std::move(ctx)),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_size)) {}

// A session of its own keeps the kernel from stopping a reader in the background (SIGTTIN).
bool byte_input::must_not_read() const { return terminal_ && in_background(user_process(), fd_); }

std::string_view byte_input::read() {
  for (;;) {
    const runnel::error failure = runnel::wait_readable(ctx_, fd_);
    if (ctx_.err()) throw input_cancelled{};
    if (failure) throw std::runtime_error(name_ + ": " + failure.message());
    if (must_not_read()) {
      if (!sleep_unless(ctx_, between_looks)) throw input_cancelled{};
      continue;
    }
    const ssize_t n = ::read(fd_, buffer_.get(), buffer_size);
    if (n >= 0) return {buffer_.get(), static_cast<std::size_t>(n)};
    // EAGAIN: somebody made the descriptor non-blocking, and another reader was faster.
    if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) continue;
    throw std::runtime_error(name_ + ": " + std::generic_category().message(errno));
  }
}

}  // namespace runnel_cli
