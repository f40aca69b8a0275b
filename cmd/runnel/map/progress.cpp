#include "map/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "files.hpp"
#include "map/process_table.hpp"
#include "map/supervise.hpp"

namespace runnel_cli {
namespace {

constexpr int usual_width = 80;
constexpr const char* erase_line = "\r\033[K";

bool is_live(int fd) {
  const char* const term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

// Drawing then would spoil somebody else's screen. A terminal that does not control the process has
// no background. The process that the user started counts: a supervised one has a session of its own.
bool is_in_background(int fd) { return in_background(user_process(), fd); }

// One column stays free: a full line makes some terminals wrap.
int usable_width(int fd) {
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : usual_width) - 1;
}

}  // namespace

progress::progress(int fd, bool on, progress_timing timing)
    : fd_(fd), on_(on), live_(on && is_live(fd)), timing_(timing), last_(start_) {
  if (on_) drawing_.go([this] { draw_until_closed(); });
}

progress::~progress() { close(); }

void progress::clear() {
  if (!on_) return;
  const std::lock_guard lock(mu_);
  ++hidden_;
  erase();
}

void progress::redraw() {
  if (!on_) return;
  const std::lock_guard lock(mu_);
  if (hidden_ > 0) --hidden_;
  if (live_ && !closed_) draw_if_due();
}

void progress::close() {
  if (!on_ || closed_.exchange(true)) return;
  stop_.close();
  drawing_.wait();
  const std::lock_guard lock(mu_);
  erase();
  if (live_) return;
  progress_state last = state();
  const double seconds = std::chrono::duration<double>(last.elapsed).count();
  last.rate = seconds > 0 ? static_cast<double>(last.done) / seconds : 0;
  write(render_plain(last) + "\n");
}

progress_state progress::state() const {
  progress_state now;
  now.failed = failed_;  // before done_, of which it is a part
  now.done = done_;
  now.running = started_ - std::min<std::uint64_t>(started_, now.done);
  if (const std::uint64_t total = total_; total != no_total) now.total = total;
  now.elapsed = clock::now() - start_;
  return now;
}

bool progress::wanted_by_default() {
  return is_live(STDERR_FILENO) && ::isatty(STDOUT_FILENO) != 1;
}

void progress::draw_until_closed() {
  // A file's rate is sampled as often as a terminal's: its lines are too far apart for that.
  while (runnel::select(runnel::on_recv(stop_), runnel::on_timeout(timing_.frame)) != 0) {
    const std::lock_guard lock(mu_);
    meter_.sample(clock::now() - start_, done_);
    draw_if_due();
  }
}

void progress::draw_if_due() {
  const clock::time_point now = clock::now();
  if (hidden_ > 0 || broken_ || now - last_ < (live_ ? timing_.frame : timing_.line)) return;
  progress_state current = state();
  current.rate = meter_.per_second();
  if (!live_) {
    last_ = now;
    write(render_plain(current) + "\n");
    return;
  }
  if (is_in_background(fd_)) return;
  std::string line = render(current, usable_width(fd_));
  if (line == shown_) return;
  last_ = now;
  write("\r" + line + "\033[K");
  shown_ = std::move(line);
}

void progress::erase() {
  if (shown_.empty()) return;
  shown_.clear();
  if (!is_in_background(fd_)) write(erase_line);
}

// Parks whoever waits for mu_ meanwhile: all of them want to write to the same place.
void progress::write(const std::string& text) {
  if (!broken_) broken_ = static_cast<bool>(runnel::blocking([&] { return write_all(fd_, text); }));
}

}  // namespace runnel_cli
