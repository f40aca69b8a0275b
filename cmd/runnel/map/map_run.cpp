#include "map/map_run.hpp"

#include <csignal>
#include <exception>
#include <utility>

#include <unistd.h>

#include <runnel/signal.hpp>

#include "command.hpp"
#include "map/auto_size.hpp"
#include "map/on_leaving.hpp"
#include "map/pause.hpp"

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

constexpr int most_early = 10'000;  // with --keep-order
constexpr auto sizing_window = 1s;

}  // namespace

resumed read_done(const map_options& o) {
  if (!o.resume && !o.resume_failed) return {};
  return read_joblog(o.joblog, o.resume_failed);
}

std::unique_ptr<job_source> open_jobs(const map_options& o, const command_template& command,
                                      const runnel::context& stop) {
  if (o.pipe) return blocks(STDIN_FILENO, o.block_size, o.items.nul ? '\0' : '\n', stop);
  const std::size_t most_bytes = o.fit ? command.item_space(argument_space()) : 0;
  return one_or_more(open_items(o.items, stop), o.max_items, most_bytes, command.fixed_bytes());
}

map_run::map_run(const map_options& options, const command_template& command)
    : options_(options),
      starts_(runnel::with_cancel(runnel::background())),
      jobs_(runnel::with_cancel(runnel::background())),
      grace_(runnel::with_cancel(runnel::background())),
      stages_{starts_.ctx, jobs_.ctx, grace_.ctx},
      reading_(std::make_shared<reading>()),
      done_before_(read_done(options)),
      gate_(options.gate),
      events_(most_waiting_events),
      early_(most_early),
      halt_(options.halt, [this](halt_when when) { halt(when); }),
      collector_(options, halt_,
                 {.stop_jobs = [this] { stop_jobs(); },
                  .settled =
                      [this] {
                        settled_.fetch_add(1);
                        if (options_.keep_order) early_.release();
                      }}),
      runner_(options, command, stages_, gate_, halt_, collector_.results()) {
  reading_->source = open_jobs(options, command, starts_.ctx);
  reading_->stop = starts_.ctx;
  collector_.set_total(reading_->source->total());
}

// The order of the end: jobs, then the collector, who may still be writing what they left, then the ear for signals.
// On every way out, for all of them use this object.
int map_run::to_end() {
  // Before any job runs, so that no job is ended by a signal that nobody heard.
  const runnel::signal_subscription asked = runnel::notify({SIGINT, SIGTERM, SIGHUP});
  auto [over, end] = runnel::with_cancel(runnel::background());
  runnel::worker_pool pool({.size = options_.jobs, .name = "map"});
  runnel::wait_group helpers;
  const on_leaving stop_helpers([&helpers, &end = end] {
    end();
    helpers.wait();
  });
  helpers.go([&, &over = over] { hear_signals(asked.chan(), over); });
  if (options_.auto_jobs) helpers.go([&, &over = over] { size_pool(pool, over); });
  run_jobs(pool);
  return exit_status();
}

void map_run::run_jobs(runnel::worker_pool& pool) {
  runnel::wait_group collecting;
  const on_leaving stop_collecting([&] {
    events_.close();
    collecting.wait();
  });
  collecting.go([&] { collector_.run(events_); });
  try {
    runnel::go([r = reading_] { read_jobs(r); });
    pool.run();
    start_jobs(pool);
  } catch (...) {
    stop_jobs();
    static_cast<void>(pool.wait());
    throw;
  }
  static_cast<void>(pool.wait());  // what failed is in the events
}

void map_run::halt(halt_when when) {
  if (when == halt_when::now)
    stop_jobs();
  else
    starts_.cancel();
}

void map_run::stop_jobs() {
  starts_.cancel();
  jobs_.cancel();
}

void map_run::read_jobs(const std::shared_ptr<reading>& r) {
  try {
    bool taken = true;
    while (taken) {
      std::optional<job> next = r->source->next();
      if (!next) break;
      taken =
          runnel::select(runnel::on_send(r->jobs, std::move(*next)), runnel::on_done(r->stop)) == 0;
    }
  } catch (const std::exception& e) {
    r->failure = e.what();
  }
  r->jobs.close();
}

void map_run::start_jobs(runnel::worker_pool& pool) {
  std::optional<job> next;
  const auto received = [&](std::optional<job> j) { next = std::move(j); };
  for (;;) {
    const std::size_t what =
        runnel::select(runnel::on_recv(reading_->jobs, received), runnel::on_done(stages_.starts));
    if (what != 0) return;
    read_to_end_ = !next;
    if (read_to_end_) return;
    if (options_.keep_order && early_.acquire(stages_.starts)) return;
    const std::uint64_t number = next->number;
    const bool done_before = done_before_.skip(number);
    if (done_before || !start_job(pool, std::move(*next)))
      events_.send(skipped{.number = number, .done_before = done_before});
  }
}

// Blocks until a worker has it; false: the run is being stopped.
bool map_run::start_job(runnel::worker_pool& pool, job next) {
  return !pool.add_task(stages_.starts, [this, j = std::move(next)] {
    const int worker = numbers_.take();
    runner_.run(j, worker, events_);
    numbers_.give_back(worker);
  });
}

void map_run::hear_signals(const runnel::recv_chan<int>& asked, const runnel::context& over) {
  int which = 0;
  const auto received = [&](std::optional<int> number) { which = number.value_or(0); };
  while (runnel::select(runnel::on_recv(asked, received), runnel::on_done(over)) == 0) {
    int none = 0;
    if (signal_.compare_exchange_strong(none, which))
      stop_jobs();
    else
      end_at_once(over);
  }
}

// Kills the jobs. If the run does not end by that, because nobody takes its output, this process does; its supervisor
// sees to what is left.
void map_run::end_at_once(const runnel::context& over) {
  grace_.cancel();
  if (sleep_unless(over, 1s)) ::_exit(exit_by_signal + signal_.load());
}

// --jobs auto: more workers as long as that ends more jobs.
void map_run::size_pool(runnel::worker_pool& pool, const runnel::context& over) {
  size_controller size(options_.min_jobs, options_.max_jobs, options_.jobs);
  std::uint64_t before = settled_.load();
  auto start = std::chrono::steady_clock::now();
  while (sleep_unless(over, sizing_window)) {
    const std::uint64_t now = settled_.load();
    const auto end = std::chrono::steady_clock::now();
    const std::chrono::duration<double> seconds = end - start;
    const double rate = static_cast<double>(now - before) / seconds.count();
    pool.resize(size.next(rate, pool.stats().idle == 0));
    before = now;
    start = end;
  }
}

int map_run::exit_status() {
  if (const int signal = signal_.load(); signal != 0) {
    collector_.say("interrupted");
    return exit_by_signal + signal;
  }
  if (read_to_end_ && reading_->failure) {
    collector_.complain(reading_->failure.message());
    return exit_usage;
  }
  return collector_.exit_status();
}

}  // namespace runnel_cli
