#include "map/collector.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include <unistd.h>

#include "command.hpp"
#include "map/json_line.hpp"
#include "map/shell_quote.hpp"
#include "map/tagged.hpp"
#include "map/units.hpp"

namespace runnel_cli {
namespace {

constexpr std::uint64_t most_failures_told = 100;  // an exit status is a byte

std::string name_of(const job_result& r) {
  return "job " + std::to_string(r.number) + " (" + r.label + ")";
}

// Keeps the progress bar off the terminal while something else is written there.
class pause_bar {
 public:
  explicit pause_bar(progress& bar) : bar_(bar) { bar_.clear(); }
  pause_bar(const pause_bar&) = delete;
  pause_bar& operator=(const pause_bar&) = delete;
  ~pause_bar() { bar_.redraw(); }

 private:
  progress& bar_;
};

}  // namespace

collector::collector(const map_options& options, run_controls controls)
    : options_(options),
      halt_(options.halt),
      controls_(std::move(controls)),
      bar_(STDERR_FILENO, options.progress) {
  if (!options.joblog.empty())
    log_ = joblog::open(options.joblog, options.resume || options.resume_failed);
  if (!options.results.empty()) results_ = results_directory::open(options.results);
  if (!options.timeline.empty()) chart_.emplace();
}

void collector::run(const runnel::recv_chan<event>& events) {
  while (std::optional<event> e = events.recv()) {
    std::visit([this](auto& what) { handle(what); }, *e);
  }
  bar_.close();
  if (chart_) draw_timeline();
}

void collector::handle(started& e) {
  bar_.started();
  if (options_.verbose) say(e.command);
}

void collector::handle(lines& e) {
  const int fd = e.to_errors ? STDERR_FILENO : STDOUT_FILENO;
  write(fd, options_.tag ? tagger(e.label)(e.text) : std::move(e.text));
}

void collector::handle(finished& e) {
  const job_result& r = e.result;
  bar_.finished(is_success(r));
  if (!is_success(r)) ++failed_;
  workers_ = std::max(workers_, r.worker);
  record(e);
  explain(r);
  apply_halt(r);
  settle(r.number, std::move(e));
}

void collector::handle(skipped& e) { settle(e.number, {}); }

// Writes a job's output, or keeps it until those before it have come.
void collector::settle(std::uint64_t number, turn t) {
  if (!options_.keep_order) {
    if (t) print(*t);
    controls_.settled();
    return;
  }
  early_.emplace(number, std::move(t));
  for (auto first = early_.begin(); first != early_.end() && first->first == next_;
       first = early_.erase(first), ++next_) {
    if (first->second) print(*first->second);
    controls_.settled();
  }
}

void collector::print(finished& e) {
  if (broken_) return;
  if (options_.json) {
    write(STDOUT_FILENO, json_line(e.result, e.output.text(), e.errors.text()) + "\n");
    return;
  }
  print_stream(STDOUT_FILENO, e.output, e.result.label);
  print_stream(STDERR_FILENO, e.errors, e.result.label);
}

void collector::print_stream(int fd, const spool& text, std::string_view label) {
  tagger tag(label);
  const runnel::error failed = text.for_each([&](std::string_view piece) {
    write(fd, options_.tag ? std::string_view(tag(piece)) : piece);
    return runnel::error();
  });
  give_up(failed);
}

void collector::write(int fd, std::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  const pause_bar paused(bar_);
  give_up(runnel::wrap(fd == STDOUT_FILENO ? "standard output" : "standard error",
                       write_fully(fd, bytes)));
}

void collector::record(const finished& e) {
  const job_result& r = e.result;
  if (e.trouble) give_up(runnel::wrap(name_of(r), e.trouble));
  // A job that was cut short is not in the log, so that --resume runs it.
  if (r.how != outcome::cancelled) give_up(log_.add(r));
  if (results_) give_up(results_->finish(r));
  if (chart_) chart_->add(r, r.start - start_);
}

// An exit status speaks for itself, as with xargs; what the tool did does not.
void collector::explain(const job_result& r) {
  if (r.how == outcome::not_started) say(name_of(r) + ": " + r.failure);
  if (r.how == outcome::timed_out)
    say(name_of(r) + ": ended after " + format_duration(options_.timeout));
}

void collector::apply_halt(const job_result& r) {
  const bool reached_before = halt_.reached();
  const halt_when now = halt_.after(r);
  if (now == halt_when::never || reached_before) return;
  say(halt_.why());
  if (now == halt_when::now)
    controls_.stop_jobs();
  else
    controls_.stop_starts();
}

void collector::say(const std::string& message) {
  if (options_.quiet) return;
  const pause_bar paused(bar_);
  static_cast<void>(write_fully(STDERR_FILENO, "runnel map: " + message + "\n"));
}

// Nobody takes what the jobs write: more of them would be lost work. Does nothing without an error.
void collector::give_up(const runnel::error& why) {
  if (!why || std::exchange(broken_, true)) return;
  const pause_bar paused(bar_);
  static_cast<void>(
      write_fully(STDERR_FILENO, "runnel map: " + why.message() + "; the run is stopped\n"));
  controls_.stop_jobs();
}

void collector::draw_timeline() {
  const auto elapsed = std::chrono::steady_clock::now() - clock_start_;
  give_up(chart_->write(options_.timeline, elapsed, workers_,
                        "runnel map " + shell_line(options_.command)));
}

int collector::exit_status() const {
  if (broken_) return exit_usage;
  if (halt_.success_reached()) return exit_ok;
  return static_cast<int>(std::min(failed_, most_failures_told + 1));
}

}  // namespace runnel_cli
