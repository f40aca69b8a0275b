// --progress: how far the run is, in one line that is drawn again and again on a terminal.
//
// Jobs only count in atomics; a goroutine of the bar's own draws, at most ten times a second. Whoever
// writes to the same terminal puts clear() before and redraw() after it. Invariant: while a clear() is
// without its redraw(), no line is shown and none is drawn.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <runnel/chan.hpp>
#include <runnel/mutex.hpp>
#include <runnel/wait_group.hpp>

namespace runnel_cli {

struct progress_state {
  std::uint64_t done = 0;  // failed ones included
  std::uint64_t failed = 0;
  std::uint64_t running = 0;
  std::optional<std::uint64_t> total{};  // none while the input is still read
  double rate = 0;                       // jobs per second; 0: not known
  std::chrono::nanoseconds elapsed{};
};

/// The line for a terminal: bar, percentage, done/total, rate, ETA, running and failed. At most `width`
/// columns: the bar shrinks and goes first, then the less important parts. Printable ASCII only, so a
/// byte is a column and a cut never splits a character.
std::string render(const progress_state& state, int width);

/// The line for a file: all parts but the bar, and the time that has passed; no line break.
std::string render_plain(const progress_state& state);

/// The rate of jobs, smoothed: older jobs count ever less, over a time that grows with the run (10
/// seconds, or a fifth of it), so that long jobs do not make it jump. For one goroutine at a time.
class rate_meter {
 public:
  /// `done` jobs had ended at `at` since the start. Times and counts that fall are ignored.
  void sample(std::chrono::nanoseconds at, std::uint64_t done);
  /// Jobs per second; 0 before anything is known.
  double per_second() const { return weight_ > 0 ? smoothed_ / weight_ : 0; }

 private:
  std::chrono::nanoseconds at_{};
  std::uint64_t done_ = 0;
  double smoothed_ = 0;
  double weight_ = 0;  // of all samples together: towards 1
};

struct progress_timing {
  std::chrono::nanoseconds frame = std::chrono::milliseconds(100);  // between drawings
  std::chrono::nanoseconds line = std::chrono::seconds(10);         // between lines, if no terminal
};

/// Draws on `fd`, which stays the caller's. On a terminal it is one line, removed at the end; nothing
/// is drawn while the process is in the background. On anything else (and on a dumb terminal) it is a
/// plain line every 10 seconds and one at the end, without control characters. A descriptor that
/// cannot be written is left alone from then on: a run does not fail for its bar.
///
/// All members may be called from many goroutines at once. They park, never the thread, except that a
/// terminal that takes no output holds up whoever draws, clear() and close() included.
class progress {
 public:
  /// Does nothing at all unless `on`. If `on`, it is made, used and closed in goroutines.
  progress(int fd, bool on, progress_timing timing = {});
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  /// Closes it.
  ~progress();

  /// A job has started. Does not block.
  void started() noexcept { started_.fetch_add(1); }
  /// A job has ended for good. Does not block.
  void finished(bool success) noexcept {
    if (!success) failed_.fetch_add(1);
    done_.fetch_add(1);
  }
  /// How many jobs there are in all; none: not known yet. Does not block.
  void set_total(std::optional<std::uint64_t> total) noexcept { total_ = total.value_or(no_total); }

  /// Removes the line and keeps it away until redraw() has been called as often as clear().
  void clear();
  /// Ends one clear(). The line comes back at once, or with the next frame if it was drawn lately.
  void redraw();

  /// Stops drawing, removes the line or writes the last plain one. From the second time on: nothing.
  void close();

  /// What is drawn now.
  progress_state state() const;

  /// Whether it is wanted without --progress: standard error is a terminal, standard output is not.
  static bool wanted_by_default();

 private:
  static constexpr std::uint64_t no_total = UINT64_MAX;
  using clock = std::chrono::steady_clock;

  void draw_until_closed();
  void draw_if_due();                   // mu_ held
  void erase();                         // mu_ held
  void write(const std::string& text);  // mu_ held

  const int fd_;
  const bool on_;
  const bool live_;  // a terminal that can move its cursor
  const progress_timing timing_;
  const clock::time_point start_ = clock::now();

  std::atomic<std::uint64_t> started_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> total_ = no_total;
  std::atomic<bool> closed_ = false;

  runnel::mutex mu_;
  rate_meter meter_;          // guarded by mu_
  clock::time_point last_;    // guarded by mu_; when a line was last drawn
  std::string shown_;         // guarded by mu_; what stands on the terminal; empty: nothing
  std::uint64_t hidden_ = 0;  // guarded by mu_; clear()s without their redraw()
  bool broken_ = false;       // guarded by mu_; a write has failed

  runnel::chan<void> stop_;  // closed to end the goroutine
  runnel::wait_group drawing_;
};

}  // namespace runnel_cli
