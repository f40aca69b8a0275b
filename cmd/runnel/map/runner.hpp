// Runs one job: starts its process, takes its output, ends it when its time is up or the run is cancelled.
#pragma once
#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/process.hpp>

#include "map/capture.hpp"
#include "map/command_template.hpp"
#include "map/events.hpp"
#include "map/halt.hpp"
#include "map/job.hpp"
#include "map/job_pipe.hpp"
#include "map/options.hpp"
#include "map/results.hpp"
#include "map/start_gate.hpp"

namespace runnel_cli {

/// How a run is stopped, each stage at least as strict as the one before.
struct run_stages {
  runnel::context starts;  // done: no job is begun any more, and none is tried again
  runnel::context
      jobs;  // done: those that run are asked to end (SIGTERM), and killed after the grace
  runnel::context grace;  // done: they are killed at once
};

class runner {
 public:
  /// All must outlive it.
  runner(const map_options& options, const command_template& command, const run_stages& stages,
         start_gate& gate, halter& halt, const results_directory& results);

  /// Blocks until the job has ended, its last attempt included, and tells what came of it.
  void run(const job& j, int worker, const runnel::send_chan<event>& events);

 private:
  void run_attempts(const job& j, finished& done, const runnel::send_chan<event>& events);
  void try_once(const job& j, const std::vector<std::string>& argv, finished& done,
                const runnel::send_chan<event>& events);
  bool pause_before_next(const job_result& r) const;
  bool may_try_again(const finished& done) const;
  void execute(const job& j, const std::vector<std::string>& argv, job_result& r, capture& output,
               capture& errors);
  bool wait_for_room(const std::error_code& failed, std::chrono::milliseconds& pause) const;
  runnel::process start(const std::vector<std::string>& argv, job_pipe& output, job_pipe& errors,
                        std::error_code& failed) const;
  void restore_limit(const runnel::process& p) const;
  outcome wait_for_end(runnel::process& p, const runnel::context& lost) const;
  void end_group(runnel::process& p) const;
  bool captures() const { return options_.group != grouping::none; }

  const map_options& options_;
  const command_template& command_;
  // Looked up once, for a PATH of a dozen directories costs each job as many calls of the kernel.
  const std::string program_;
  const std::string program_path_;  // empty: leave it to the system
  const run_stages& stages_;
  start_gate& gate_;
  halter& halt_;
  const results_directory& results_;
  std::atomic<int> running_{0};  // processes, those that are being started included
};

}  // namespace runnel_cli
