#include "map/capture.hpp"

#include <span>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <runnel/poll.hpp>

namespace runnel_cli {
namespace {

constexpr std::size_t longest_line = 1024 * 1024;
// More than a pipe can hold.
constexpr std::uint64_t most_after_end = 1024 * 1024;

bool would_block(const std::error_code& e) {
  return e == std::errc::resource_unavailable_try_again;
}

}  // namespace

capture::~capture() {
  if (copy_ >= 0) ::close(copy_);
}

void capture::note(runnel::error failed) {
  if (failed && !trouble_) trouble_ = std::move(failed);
}

void capture::add(std::string_view bytes) {
  size_ += bytes.size();
  if (copy_ >= 0) note(write_fully(copy_, bytes));
  if (streams_)
    send_lines(bytes);
  else
    note(kept_.add(bytes));
}

void capture::send_lines(std::string_view bytes) {
  line_ += bytes;
  const std::size_t end = line_.rfind('\n');
  if (end == std::string::npos && line_.size() < longest_line) return;
  const std::size_t whole = end == std::string::npos ? line_.size() : end + 1;
  std::string rest = line_.substr(whole);
  line_.resize(whole);
  events_.send(lines{to_errors_, label_, std::exchange(line_, std::move(rest))});
}

void capture::finish() {
  if (!line_.empty()) events_.send(lines{to_errors_, label_, std::exchange(line_, {})});
}

void drain(const runnel::context& ended, runnel::pipe_end& from, capture& into) {
  char buffer[16 * 1024];
  std::uint64_t after_end = 0;
  for (;;) {
    const bool over = static_cast<bool>(ended.err());
    std::error_code failed;
    const std::size_t n = from.try_read(buffer, failed);
    if (n > 0) into.add({buffer, n});
    if (over) after_end += n;
    if (after_end > most_after_end || (n == 0 && !would_block(failed))) return;
    if (n > 0) continue;
    if (over) return;
    // Its end is looked for above.
    static_cast<void>(runnel::wait_readable(ended, from.fd()));
  }
}

std::uint64_t feed(const runnel::context& ended, runnel::pipe_end& to, std::string_view text) {
  std::uint64_t written = 0;
  while (!text.empty()) {
    std::error_code failed;
    const std::size_t n = to.try_write(text, failed);
    written += n;
    text.remove_prefix(n);
    if (failed && !would_block(failed)) break;
    if (failed && runnel::wait_writable(ended, to.fd())) break;
  }
  to.close();
  return written;
}

}  // namespace runnel_cli
