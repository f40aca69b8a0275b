// What pipe ends have beyond streams.
#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>

#include <runnel/process.hpp>

#include "net/open.hpp"
#include "net/pipe.hpp"

namespace runnel {
namespace {

constexpr std::size_t first_room = std::size_t{16} * 1024;
constexpr std::size_t least_room = 4096;

std::size_t told(const detail::io_result& done, std::error_code& failure) noexcept {
  failure = done.failure;
  return done.bytes;
}

}  // namespace

std::size_t pipe_end::try_read(std::span<char> into, std::error_code& failure) {
  const iovec piece{into.data(), into.size()};
  return told(detail::socket::transfer_at_once(get(),
                                               [&](int fd) {
                                                 return detail::read_pipe(fd, {&piece, 1});
                                               }),
              failure);
}

std::size_t pipe_end::try_write(std::span<const char> from, std::error_code& failure) {
  const iovec piece{const_cast<char*>(from.data()), from.size()};  // is not written to
  return told(detail::socket::transfer_at_once(get(),
                                               [&](int fd) {
                                                 return detail::write_pipe(fd, {&piece, 1});
                                               }),
              failure);
}

std::string pipe_end::read_to_end(const context* ctx, std::error_code& failure) {
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (text.size() - used < least_room) text.resize(std::max(first_room, 2 * text.size()));
    const iovec room{text.data() + used, text.size() - used};
    const std::size_t n = told(detail::read_socket(get(), ctx, {&room, 1}), failure);
    used += n;
    if (n == 0) break;
  }
  text.resize(used);
  return text;
}

std::string pipe_end::read_all(std::error_code& failure) { return read_to_end(nullptr, failure); }
std::string pipe_end::read_all() {
  return detail::or_throw("read",
                          [&](std::error_code& failure) { return read_to_end(nullptr, failure); });
}
std::string pipe_end::read_all(const context& ctx, std::error_code& failure) {
  return read_to_end(&ctx, failure);
}
std::string pipe_end::read_all(const context& ctx) {
  return detail::or_throw("read",
                          [&](std::error_code& failure) { return read_to_end(&ctx, failure); });
}

}  // namespace runnel
