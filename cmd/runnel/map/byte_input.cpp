#include "map/byte_input.hpp"

#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

constexpr std::size_t buffer_size = std::size_t{64} * 1024;

}  // namespace

byte_input::byte_input(int fd, ownership owner, std::string name, runnel::context ctx)
    : fd_(fd),
      owner_(owner),
      name_(std::move(name)),
      ctx_(std::move(ctx)),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_size)) {}

byte_input::~byte_input() {
  if (owner_ == ownership::owned) ::close(fd_);
}

std::string_view byte_input::read() {
  for (;;) {
    const runnel::error failure = runnel::wait_readable(ctx_, fd_);
    if (ctx_.err()) throw input_cancelled{};
    if (failure) throw std::runtime_error(name_ + ": " + failure.message());
    const ssize_t n = ::read(fd_, buffer_.get(), buffer_size);
    if (n >= 0) return {buffer_.get(), static_cast<std::size_t>(n)};
    // EAGAIN: somebody made the descriptor non-blocking, and another reader was faster.
    if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) continue;
    throw std::runtime_error(name_ + ": " + std::generic_category().message(errno));
  }
}

}  // namespace runnel_cli
