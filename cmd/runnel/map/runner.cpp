#include "map/runner.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "files.hpp"
#include "map/on_leaving.hpp"
#include "map/pause.hpp"
#include "map/process_table.hpp"

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

constexpr int status_not_found = 127;  // as a shell says
constexpr int status_not_executable = 126;
constexpr auto longest_backoff = 60s;

std::string label_of(const job& j) {
  std::string label;
  for (const item& i : j.items) {
    for (const std::string& field : i.fields) label += (label.empty() ? "" : " ") + field;
  }
  return j.items.empty() ? "block " + std::to_string(j.number) : label;
}

// A command with blanks in its name was most likely meant for a shell.
std::string start_failure(const std::string& program, const std::error_code& failed) {
  std::string text = program + ": " + failed.message();
  if (failed == std::errc::no_such_file_or_directory &&
      program.find_first_of(" |;&<>$") != std::string::npos)
    text += " (a command line for a shell needs --shell)";
  return text;
}

void refuse(job_result& r, const runnel::error& why) {
  r.how = outcome::not_started;
  r.failure = why.message();
  r.exit_code = status_not_executable;
  r.signal = 0;
  r.start = std::chrono::system_clock::now();
}

void forget_attempt(job_result& r) {
  r.failure.clear();
  r.exit_code = r.signal = 0;
  r.runtime = r.user_time = r.system_time = {};
  r.bytes_in = r.bytes_out = 0;
}

void fill_usage(job_result& r, const runnel::exit_status& status) {
  r.exit_code = status.code;
  r.signal = status.signal;
  r.user_time = status.user_time;
  r.system_time = status.system_time;
}

// Any two numbers give a third that looks unrelated (the finalizer of SplitMix64).
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9e3779b97f4a7c15U + b;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// Doubles with each attempt; up to half of it is left out, so that jobs that failed together do not come back together.
std::chrono::nanoseconds pause_after(const job_result& r, std::chrono::nanoseconds first) {
  std::chrono::nanoseconds pause = first;
  for (int i = 1; i < r.attempts && pause < longest_backoff; ++i) pause *= 2;
  pause = std::min<std::chrono::nanoseconds>(pause, longest_backoff);
  const auto share = static_cast<int>(mix(r.number, static_cast<std::uint64_t>(r.attempts)) % 512);
  return pause - pause * share / 1024;
}

// Where the system would find the program `name` for execution; empty: nowhere, or its name says where.
std::string find_program(const std::string& name) {
  const char* const path = std::getenv("PATH");
  if (path == nullptr || name.empty() || name.find('/') != std::string::npos) return {};
  std::istringstream directories(path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const std::filesystem::path file =
        std::filesystem::path(directory.empty() ? "." : directory) / name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0)
      return file;
  }
  return {};
}

}  // namespace

runner::runner(const map_options& options, const command_template& command,
               const run_stages& stages, start_gate& gate, halter& halt,
               const results_directory& results)
    : options_(options),
      command_(command),
      program_(options.shell ? "sh" : options.command.front()),
      program_path_(find_program(program_)),
      stages_(stages),
      gate_(gate),
      halt_(halt),
      results_(results) {}

void runner::run(const job& j, int worker, const runnel::send_chan<event>& events) {
  finished done;
  job_result& r = done.result;
  r.number = j.number;
  r.worker = worker;
  r.label = label_of(j);
  r.attempts = 0;
  try {
    run_attempts(j, done, events);
  } catch (const std::exception& e) {
    refuse(r, e.what());
    done.trouble = e.what();
    r.attempts = std::max(r.attempts, 1);
  }
  if (r.attempts == 0) {
    events.send(skipped{.number = j.number});
    return;
  }
  done.halted = halt_.job_ended(r);
  events.send(std::move(done));
}

// No attempt: the run is being stopped.
void runner::run_attempts(const job& j, finished& done, const runnel::send_chan<event>& events) {
  job_result& r = done.result;
  const int worker = r.worker;
  const std::string trouble = trouble_of(j);
  const std::vector<std::string> argv = command_.expand(j.items, {j.number, worker});
  r.command = command_.line(j.items, {j.number, worker});
  do {
    if (r.attempts > 0 && !pause_before_next(r)) break;
    const runnel::error closed = gate_.wait(stages_.starts);
    if (stages_.starts.err()) break;
    if (++r.attempts == 1) events.send(started{options_.verbose ? r.command : std::string()});
    if (closed)
      refuse(r, closed);
    else if (!trouble.empty())
      refuse(r, trouble);
    else
      try_once(j, argv, done, events);
  } while (trouble.empty() && may_try_again(done));
}

// False: the run is being stopped.
bool runner::pause_before_next(const job_result& r) const {
  return sleep_unless(stages_.starts, pause_after(r, options_.backoff));
}

bool runner::may_try_again(const finished& done) const {
  const job_result& r = done.result;
  return !done.trouble && r.attempts <= options_.retries &&
         (r.how == outcome::failed || r.how == outcome::timed_out ||
          r.how == outcome::not_started) &&
         !stages_.starts.err();
}

// Runs the command and keeps the output of this attempt alone.
void runner::try_once(const job& j, const std::vector<std::string>& argv, finished& done,
                      const runnel::send_chan<event>& events) {
  job_result& r = done.result;
  const bool stream = options_.group == grouping::lines && !options_.json && !options_.keep_order;
  capture output = stream ? capture(events, r.label, false) : capture();
  capture errors = stream ? capture(events, r.label, true) : capture();
  owned_fd output_copy;
  owned_fd errors_copy;
  done.trouble = results_.begin(j.number, output_copy, errors_copy);
  output.copy_to(std::move(output_copy));
  errors.copy_to(std::move(errors_copy));
  if (done.trouble)
    refuse(r, done.trouble);
  else
    execute(j, argv, r, output, errors);
  output.finish();
  errors.finish();
  if (!done.trouble) done.trouble = output.trouble() ? output.trouble() : errors.trouble();
  r.bytes_out = output.size();
  done.output = output.take();
  done.errors = errors.take();
}

runnel::process runner::start(const std::vector<std::string>& argv, job_pipe& output,
                              job_pipe& errors, std::error_code& failed) const {
  runnel::command c;
  c.arguments = argv;
  if (argv.front() == program_) c.program = program_path_;
  c.input = options_.pipe ? runnel::redirect::pipe() : runnel::redirect::null();
  c.new_group = true;
  if (captures()) {
    failed = output.open();
    if (!failed) failed = errors.open();
    if (failed) return {};
    c.output = output.redirect();
    c.errors = errors.redirect();
  }
  try {
    runnel::process p = runnel::spawn(c, failed);
    if (failed != std::errc::executable_format_error) return p;
    // A script that does not say what it is for, as execvp(3) would run it.
    c.arguments.insert(c.arguments.begin(), "/bin/sh");
    if (!c.program.empty()) c.arguments[1] = std::exchange(c.program, {});
    return runnel::spawn(c, failed);
  } catch (const std::bad_alloc&) {  // the system has no room for one more process
    failed = make_error_code(std::errc::not_enough_memory);
    return {};
  }
}

// The system may allow fewer processes than the jobs that were asked for. As xargs(1) does, one waits then for others to
// end; nobody tells of it, for they need not be ours. With none of ours there is little hope.
bool runner::wait_for_room(const std::error_code& failed, std::chrono::milliseconds& pause) const {
  if (failed != std::errc::resource_unavailable_try_again) return false;
  if (running_ == 0 && pause >= 64ms) return false;
  return sleep_unless(stages_.starts, std::exchange(pause, std::min(2 * pause, 100ms)));
}

void runner::execute(const job& j, const std::vector<std::string>& argv, job_result& r,
                     capture& output, capture& errors) {
  forget_attempt(r);
  std::error_code failed;
  job_pipe output_pipe;
  job_pipe errors_pipe;
  runnel::process p;
  std::chrono::steady_clock::time_point begin;
  auto pause = 1ms;
  do {
    r.start = std::chrono::system_clock::now();
    begin = std::chrono::steady_clock::now();
    running_.fetch_add(1);
    p = start(argv, output_pipe, errors_pipe, failed);
    if (failed) running_.fetch_sub(1);
  } while (failed && wait_for_room(failed, pause));
  if (failed) {
    refuse(r, start_failure(argv.front(), failed));
    if (failed == std::errc::no_such_file_or_directory) r.exit_code = status_not_found;
    return;
  }
  const on_leaving count([this] { running_.fetch_sub(1); });

  restore_limit(p);
  {
    auto [ended, say_ended] = runnel::with_cancel(runnel::background());
    auto [lost, say_lost] = runnel::with_cancel(runnel::background());
    runnel::wait_group streams;
    const on_leaving join([&streams, &say_ended = say_ended] {
      say_ended();
      streams.wait();
    });
    if (captures()) {
      const auto take = [&ended = ended, &say_lost = say_lost](owned_fd& from, capture& into) {
        drain(ended, from, into);
        if (into.trouble()) say_lost();
      };
      streams.go([&, take] { take(output_pipe.reader(), output); });
      streams.go([&, take] { take(errors_pipe.reader(), errors); });
    }
    if (options_.pipe)
      streams.go([&, &ended = ended] { r.bytes_in = feed(ended, p.input(), j.block); });
    r.how = wait_for_end(p, lost);
    r.runtime = std::chrono::steady_clock::now() - begin;
  }
  fill_usage(r, p.status());
}

// The tool may have raised its own. In the job's first moments it still has that.
void runner::restore_limit(const runnel::process& p) const {
  if (!options_.descriptors) return;
  ::prlimit(p.id(), RLIMIT_NOFILE, &*options_.descriptors, nullptr);
}

// Once its output is lost it works for nothing, and the run will be stopped.
outcome runner::wait_for_end(runnel::process& p, const runnel::context& lost) const {
  enum : std::size_t { by_itself, in_time };
  const std::size_t what = runnel::select(runnel::on_exit(p), runnel::on_timeout(options_.timeout),
                                          runnel::on_done(stages_.jobs), runnel::on_done(lost));
  if (what == by_itself) return p.status().success() ? outcome::succeeded : outcome::failed;
  end_group(p);
  return what == in_time ? outcome::timed_out : outcome::cancelled;
}

// SIGTERM to the whole group, SIGKILL to what is left of it after the grace. A stopped job must go on to see the
// first. While `p` stands for it, the group's number is given to nobody else.
void runner::end_group(runnel::process& p) const {
  const auto until = std::chrono::steady_clock::now() + options_.grace;
  static_cast<void>(p.kill_group(SIGTERM));
  static_cast<void>(p.kill_group(SIGCONT));
  runnel::select(runnel::on_exit(p), runnel::on_done(stages_.grace),
                 runnel::on_timeout(options_.grace));
  // Its other members send no word of their end.
  for (auto pause = 1ms; p.ended() && group_lives(p.id()); pause = std::min(2 * pause, 100ms)) {
    if (std::chrono::steady_clock::now() >= until || !sleep_unless(stages_.grace, pause)) break;
  }
  static_cast<void>(p.kill_group(SIGKILL));
  static_cast<void>(p.wait());
}

}  // namespace runnel_cli
