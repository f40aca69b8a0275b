// The one goroutine that owns standard output, standard error, the job log and the counts.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <runnel/chan.hpp>

#include "map/backlog.hpp"
#include "map/events.hpp"
#include "map/halt.hpp"
#include "map/joblog.hpp"
#include "map/options.hpp"
#include "map/progress.hpp"
#include "map/results.hpp"
#include "map/timeline.hpp"

namespace runnel_cli {

/// What the collector tells the rest of the run.
struct run_controls {
  std::function<void()> stop_jobs;  // and starts
  std::function<void()> settled;    // one job more needs no memory any longer
};

class collector {
 public:
  /// Opens what the options name. Throws usage_error where that fails. `options` and `halt` must outlive it.
  collector(const map_options& options, halter& halt, run_controls controls);

  /// How many jobs there are, where that is known.
  void set_total(std::optional<std::uint64_t> jobs);

  /// Takes events until the channel is closed and drained; then writes what is written at the end.
  void run(const runnel::recv_chan<event>& events);

  /// A line on standard error, unless --quiet. For the goroutine that calls run(), and for others before and after it.
  void say(const std::string& message);
  /// The same also with --quiet.
  void complain(const std::string& message);

  const results_directory& results() const { return results_; }

  /// By what the jobs came to: 0, the number of failed jobs up to 100, 101 for more, 255 if output was lost.
  int exit_status() const;

 private:
  using turn = std::optional<finished>;  // none: a job that was not run

  void handle(started& e);
  void handle(lines& e);
  void handle(finished& e);
  void handle(skipped& e);
  void settle(std::uint64_t number, turn t);

  void print(finished& e);
  void print_json(const finished& e);
  void print_stream(int fd, const spool& text, std::string_view label);
  void record(const finished& e);
  void explain(const job_result& r);
  void write(int fd, std::string_view bytes);
  void give_up(const runnel::error& why);
  void draw_timeline();

  const map_options& options_;
  halter& halt_;
  run_controls controls_;
  joblog log_;
  results_directory results_;
  std::optional<timeline> chart_;
  progress bar_;  // after what may fail to be opened
  std::optional<std::uint64_t> total_;
  backlog aside_;                        // their output
  std::map<std::uint64_t, turn> early_;  // with --keep-order: those whose turn has not come
  std::uint64_t next_ = 1;
  std::uint64_t failed_ = 0;
  int workers_ = 0;      // the highest number seen
  bool broken_ = false;  // output was lost: nothing more is written
  std::chrono::system_clock::time_point start_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point clock_start_ = std::chrono::steady_clock::now();
};

}  // namespace runnel_cli
