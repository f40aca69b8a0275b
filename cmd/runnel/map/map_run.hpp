// One run of `runnel map`, from its first job to its exit status.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <runnel/runnel.hpp>

#include "map/batch.hpp"
#include "map/collector.hpp"
#include "map/command_template.hpp"
#include "map/halt.hpp"
#include "map/joblog.hpp"
#include "map/options.hpp"
#include "map/runner.hpp"
#include "map/start_gate.hpp"
#include "map/worker_numbers.hpp"

namespace runnel_cli {

/// The jobs that the options' input makes, until `stop` is done. Throws usage_error if it cannot be opened.
std::unique_ptr<job_source> open_jobs(const map_options& o, const command_template& command,
                                      const runnel::context& stop);

/// The jobs that --resume and --resume-failed leave out. Throws usage_error if the job log cannot be read.
resumed read_done(const map_options& o);

class map_run {
 public:
  /// Opens what the options name (input, job log, directory of results); throws usage_error where that fails. `options`
  /// and `command` must outlive it.
  map_run(const map_options& options, const command_template& command);

  /// Runs everything and returns the exit status. Blocks.
  int to_end();

 private:
  // What the goroutine that reads shares with the run. It may outlive it, blocked in a read.
  struct reading {
    std::unique_ptr<job_source> source;
    runnel::chan<job> jobs;
    runnel::context stop;
    runnel::error failure;  // written before `jobs` is closed
  };
  static void read_jobs(const std::shared_ptr<reading>& r);

  void run_jobs(runnel::worker_pool& pool);
  void start_jobs(runnel::worker_pool& pool);
  bool start_job(runnel::worker_pool& pool, job next);
  void hear_signals(const runnel::recv_chan<int>& asked, const runnel::context& over);
  void size_pool(runnel::worker_pool& pool, const runnel::context& over);
  void end_at_once(const runnel::context& over);
  void halt(halt_when when);
  void stop_jobs();
  int exit_status();

  const map_options& options_;
  runnel::cancelable_context starts_, jobs_, grace_;
  run_stages stages_;
  std::shared_ptr<reading> reading_;
  bool read_to_end_ = false;
  resumed done_before_;
  start_gate gate_;
  runnel::chan<event> events_;
  runnel::semaphore early_;  // with --keep-order: jobs that may be begun and not yet written
  worker_numbers numbers_;
  halter halt_;
  collector collector_;
  runner runner_;
  std::atomic<int> signal_{0};  // the first that asked to stop
  std::atomic<std::uint64_t> settled_{0};
};

}  // namespace runnel_cli
