#include "map/capture.hpp"

#include <cerrno>
#include <exception>
#include <span>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

// More than a pipe can hold.
constexpr std::uint64_t most_after_end = 1024 * 1024;

bool would_block(const std::error_code& e) {
  return e == std::errc::resource_unavailable_try_again;
}

// 0 without a failure: the end.
std::size_t read_what_is_there(const owned_fd& from, std::span<char> into,
                               std::error_code& failed) {
  const ssize_t n = read_some(from.get(), into.data(), into.size());
  failed = n < 0 ? std::error_code(errno, std::generic_category()) : std::error_code();
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

// Returns why it could not be done to the end.
runnel::error move_all(const runnel::context& ended, const owned_fd& from, capture& into) {
  char buffer[16 * 1024];
  std::uint64_t after_end = 0;
  for (;;) {
    const bool over = static_cast<bool>(ended.err());
    std::error_code failed;
    const std::size_t n = read_what_is_there(from, buffer, failed);
    if (n > 0) into.add({buffer, n});
    if (into.trouble()) return into.trouble();
    if (over) after_end += n;
    if (after_end > most_after_end) return {};
    if (n > 0) continue;
    if (!would_block(failed)) return failed;
    if (over) return {};
    runnel::error no_wait = runnel::wait_readable(ended, from.get());
    if (no_wait && !ended.err()) return no_wait;
  }
}

}  // namespace

void capture::note(runnel::error failed) {
  if (failed && !trouble_) trouble_ = std::move(failed);
}

void capture::add(std::string_view bytes) {
  size_ += bytes.size();
  if (trouble_) return;
  note(copy(bytes));
  note(streams_ ? send_lines(bytes) : kept_.add(bytes));
}

runnel::error capture::copy(std::string_view bytes) {
  return copy_ ? write_all(copy_.get(), bytes) : runnel::error();
}

runnel::error capture::send_lines(std::string_view bytes) {
  const std::size_t whole = bytes.rfind('\n') + 1;  // none: npos + 1 is 0
  if (whole > 0) {
    if (runnel::error failed = line_.add(bytes.substr(0, whole))) return failed;
    events_.send(lines{to_errors_, label_, std::exchange(line_, {})});
  }
  return line_.add(bytes.substr(whole));
}

void capture::finish() {
  if (line_.empty() || trouble_) return;
  note(line_.add("\n"));  // what comes next is another job's
  events_.send(lines{to_errors_, label_, std::exchange(line_, {})});
}

void drain(const runnel::context& ended, owned_fd& from, capture& into) {
  try {
    if (runnel::error failed = move_all(ended, from, into)) {
      into.note(std::move(failed));
      from = owned_fd();
    }
  } catch (const std::exception&) {
    into.note(runnel::error::current());
    from = owned_fd();
  }
}

std::uint64_t feed(const runnel::context& ended, runnel::pipe_end& to, std::string_view text) {
  std::uint64_t written = 0;
  try {
    std::error_code failed;  // what was written is all that can be told
    written = to.write(ended, text, failed);
  } catch (const std::exception&) {  // nor is it known how much
  }
  to.close();
  return written;
}

}  // namespace runnel_cli
