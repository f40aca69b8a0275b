#include "map/collector.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include <poll.h>
#include <unistd.h>

#include "command.hpp"
#include "files.hpp"
#include "map/json_line.hpp"
#include "map/shell_quote.hpp"
#include "map/tagged.hpp"
#include "map/units.hpp"

namespace runnel_cli {
namespace {

constexpr std::uint64_t most_failures_told = 100;  // an exit status is a byte

std::string name_of(const job_result& r) {
  constexpr std::size_t longest = 200;
  const bool cut = r.label.size() > longest;
  return "job " + std::to_string(r.number) + " (" + r.label.substr(0, longest) +
         (cut ? "...)" : ")");
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

// Jobs that write by themselves find out; the tool does not.
bool nobody_reads(int fd) {
  pollfd p{fd, 0, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & POLLERR) != 0;
}

// The page is written at the end: too late to learn that it has no place.
void check_timeline(const map_options& o) {
  if (o.timeline.empty()) return;
  const std::filesystem::path file(o.timeline);
  const std::filesystem::path parent = file.parent_path();
  std::error_code ignored;
  if (file.filename().empty() || std::filesystem::is_directory(file, ignored))
    errno = EISDIR;
  else if (::access(parent.empty() ? "." : parent.c_str(), W_OK | X_OK) == 0)
    return;
  throw usage_error("timeline '" + o.timeline + "': " + errno_error().message());
}

joblog open_log(const map_options& o) {
  return o.joblog.empty() ? joblog() : joblog::open(o.joblog, o.resume || o.resume_failed);
}

results_directory open_results(const map_options& o) {
  return o.results.empty() ? results_directory() : results_directory::open(o.results);
}

}  // namespace

collector::collector(const map_options& options, halter& halt, run_controls controls)
    : options_(options),
      halt_(halt),
      controls_(std::move(controls)),
      log_(open_log(options)),
      results_(open_results(options)),
      bar_(STDERR_FILENO, options.progress) {
  check_timeline(options);
  if (!options.timeline.empty()) chart_.emplace();
}

void collector::set_total(std::optional<std::uint64_t> jobs) {
  total_ = jobs;
  bar_.set_total(jobs);
  if (jobs) halt_.set_total(*jobs);
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
  print_stream(e.to_errors ? STDERR_FILENO : STDOUT_FILENO, e.text, e.label);
}

void collector::handle(finished& e) {
  const job_result& r = e.result;
  // What was cut short has neither succeeded nor failed.
  const bool failed = !is_success(r) && r.how != outcome::cancelled;
  bar_.finished(!failed);
  if (failed) ++failed_;
  workers_ = std::max(workers_, r.worker);
  record(e);
  explain(r);
  if (!e.halted.empty()) say(e.halted);
  settle(r.number, std::move(e));
}

void collector::handle(skipped& e) {
  if (e.done_before && total_) set_total(*total_ - 1);
  settle(e.number, {});
}

// Writes a job's output, or keeps it until those before it have come.
void collector::settle(std::uint64_t number, turn t) {
  if (!options_.keep_order) {
    if (t) print(*t);
    controls_.settled();
    return;
  }
  if (t && number != next_) {
    give_up(aside_.put_aside(t->output));
    give_up(aside_.put_aside(t->errors));
    // With -X each may be as long as a command can be.
    if (!options_.json && options_.joblog.empty()) free_memory(t->result.command);
    if (!options_.json && !options_.tag) free_memory(t->result.label);
  }
  early_.emplace(number, std::move(t));
  for (auto first = early_.begin(); first != early_.end() && first->first == next_;
       first = early_.erase(first), ++next_) {
    if (first->second) print(*first->second);
    controls_.settled();
  }
}

// A job is in the log once its output has been written, so that --resume gives what was lost; and not if it was cut
// short.
void collector::print(finished& e) {
  if (options_.json) {
    print_json(e);
  } else {
    print_stream(STDOUT_FILENO, e.output, e.result.label);
    print_stream(STDERR_FILENO, e.errors, e.result.label);
  }
  if (!broken_ && e.result.how != outcome::cancelled) give_up(log_.add(e.result));
}

void collector::print_json(const finished& e) {
  if (broken_) return;
  try {
    write(STDOUT_FILENO, json_line(e.result, e.output.text(), e.errors.text()) + "\n");
  } catch (const std::exception&) {  // it cannot be read back, or does not fit into memory
    give_up(runnel::error::current());
  }
}

void collector::print_stream(int fd, const spool& text, std::string_view label) {
  tagger tag(label);
  const runnel::error failed = text.for_each([&](std::string_view piece) {
    write(fd, options_.tag ? std::string_view(tag(piece)) : piece);
    return runnel::error();
  });
  give_up(failed);
  if (options_.tag && !tag.at_line_start()) write(fd, "\n");  // the next line is another job's
}

void collector::write(int fd, std::string_view bytes) {
  if (broken_ || bytes.empty()) return;
  const pause_bar paused(bar_);
  give_up(runnel::wrap(fd == STDOUT_FILENO ? "standard output" : "standard error",
                       write_all(fd, bytes)));
}

void collector::record(const finished& e) {
  const job_result& r = e.result;
  if (options_.group == grouping::none && r.signal == SIGPIPE && nobody_reads(STDOUT_FILENO))
    give_up(runnel::wrap("standard output", std::errc::broken_pipe));
  if (e.trouble) give_up(runnel::wrap(name_of(r), e.trouble));
  if (!e.trouble) give_up(results_.finish(r));
  if (chart_) chart_->add(r, r.start - start_);
}

// An exit status speaks for itself, as with xargs; what the tool did does not.
void collector::explain(const job_result& r) {
  if (r.how == outcome::not_started) say(name_of(r) + ": " + r.failure);
  if (r.how == outcome::timed_out)
    say(name_of(r) + ": ended after " + format_duration(options_.timeout));
}

void collector::say(const std::string& message) {
  if (!options_.quiet) complain(message);
}

void collector::complain(const std::string& message) {
  const pause_bar paused(bar_);
  static_cast<void>(write_all(STDERR_FILENO, "runnel map: " + message + "\n"));
}

// Nobody takes what the jobs write: more of them would be lost work. Does nothing without an error.
void collector::give_up(const runnel::error& why) {
  if (!why || std::exchange(broken_, true)) return;
  complain(why.message() + "; the run is stopped");
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
