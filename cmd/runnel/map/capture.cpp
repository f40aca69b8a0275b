#include "map/capture.hpp"

#include <exception>
#include <system_error>
#include <utility>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

// More than a pipe can hold.
constexpr std::uint64_t most_after_end = 1024 * 1024;

bool would_block(const std::error_code& e) {
  return e == std::errc::resource_unavailable_try_again;
}

// Returns why it could not be done to the end.
runnel::error move_all(const runnel::context& ended, runnel::pipe_end& from, capture& into) {
  char buffer[16 * 1024];
  std::uint64_t after_end = 0;
  for (;;) {
    const bool over = static_cast<bool>(ended.err());
    std::error_code failed;
    const std::size_t n = from.try_read(buffer, failed);
    if (n > 0) into.add({buffer, n});
    if (over) after_end += n;
    if (after_end > most_after_end) return {};
    if (n > 0) continue;
    if (!would_block(failed)) return failed;
    if (over) return {};
    runnel::error no_wait = runnel::wait_readable(ended, from.fd());
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

void drain(const runnel::context& ended, runnel::pipe_end& from, capture& into) {
  try {
    if (runnel::error failed = move_all(ended, from, into)) {
      into.note(std::move(failed));
      from.close();
    }
  } catch (const std::exception&) {
    into.note(runnel::error::current());
    from.close();
  }
}

std::uint64_t feed(const runnel::context& ended, runnel::pipe_end& to, std::string_view text) {
  std::uint64_t written = 0;
  try {
    while (!text.empty()) {
      std::error_code failed;
      const std::size_t n = to.try_write(text, failed);
      written += n;
      text.remove_prefix(n);
      if (failed && !would_block(failed)) break;
      if (failed && runnel::wait_writable(ended, to.fd())) break;
    }
  } catch (const std::exception&) {  // what was written is all that can be told
  }
  to.close();
  return written;
}

}  // namespace runnel_cli
