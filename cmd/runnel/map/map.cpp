// runnel map: a command for every item of the input, so many at a time.
//
//   reader --> jobs --> main loop --> worker_pool --> events --> collector --> standard output, job log, ...
//
// Every channel is bounded and the pool has no queue: items are read when a worker is free to take them, and a worker
// waits where its output is not taken. What is kept of a job that has ended is what --keep-order holds back, and that
// is bounded by `most_early`.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include <runnel/runnel.hpp>

#include "command.hpp"
#include "map/batch.hpp"
#include "map/command_template.hpp"
#include "map/events.hpp"
#include "map/map_run.hpp"
#include "map/options.hpp"
#include "map/units.hpp"

namespace runnel_cli {
namespace {

int print_commands(const command_template& command, const resumed& done_before,
                   job_source& source) {
  while (const std::optional<job> next = source.next()) {
    if (done_before.skip(next->number)) continue;
    if (const std::string trouble = trouble_of(*next); !trouble.empty()) {
      std::fprintf(stderr, "runnel map: job %llu: %s\n",
                   static_cast<unsigned long long>(next->number), trouble.c_str());
      continue;
    }
    std::printf("%s\n", command.line(next->items, {next->number, 1}).c_str());
    if (std::ferror(stdout) != 0) break;  // errno says why
  }
  if (std::ferror(stdout) == 0 && std::fflush(stdout) == 0) return exit_ok;
  std::perror("runnel map: write error");
  return exit_usage;
}

// Raises the soft limit of descriptors if so many jobs need that, and lowers the number of jobs to what the hard limit
// allows. A job that runs has both ends of two pipes and its process's descriptor, one more is for starting it, and what it
// writes may be in two temporary files; so may be what waits to be written (most_waiting_events).
void provide_descriptors(map_options& o) {
  constexpr rlim_t own = 16 + 2 * most_waiting_events;
  const rlim_t per_job = rlim_t{8} + (o.results.empty() ? 0 : 2) + (o.pipe ? 1 : 0);
  rlimit limit{};
  if (o.group == grouping::none || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t needed = own + per_job * static_cast<rlim_t>(o.max_jobs);
  if (limit.rlim_cur >= needed) return;
  o.descriptors = limit;
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t room = limit.rlim_cur > own ? (limit.rlim_cur - own) / per_job : 0;
  const int most = std::max(1, static_cast<int>(std::min<rlim_t>(room, most_jobs)));
  if (most >= o.max_jobs) return;
  if (!o.quiet && most < o.jobs)
    std::fprintf(stderr,
                 "runnel map: the limit of descriptors (ulimit -n) allows %d job%s at a time\n",
                 most, most == 1 ? "" : "s");
  o.max_jobs = most;
  o.jobs = std::min(o.jobs, most);
  o.min_jobs = std::min(o.min_jobs, most);
}

int map(const map_options& options) {
  const command_template command(options.command, options.shell);
  if (options.pipe && command.places_items())
    throw usage_error("--pipe and a placeholder: a block is the job's input and has no items");
  if (options.dry_run)
    return print_commands(command, read_done(options), *open_jobs(options, command, {}));
  map_run run(options, command);
  return run.to_end();
}

}  // namespace

command add_map(CLI::App& root) {
  CLI::App* app =
      root.add_subcommand("map",
                          "Run a command for every item of the input:\n"
                          "runnel map [OPTION...] [--] COMMAND [ARG...] [::: ITEM...]...");
  const map_arguments arguments(*app);
  app->footer(
      "Items are the lines of standard input, of FILE, or what follows ':::' (several: all\n"
      "combinations; ':::+': in step with the list before). In COMMAND and its arguments {} stands "
      "for\n"
      "the item, {.} for it without extension, {/} its base name, {//} its directory, {/.} its "
      "base\n"
      "name without extension, {#} the job's number, {%} the worker's, {1} {2} ... the values of "
      "the\n"
      "sources. Without any of them the item is appended. No shell is involved without --shell.\n"
      "\n"
      "Exit status: 0 if all jobs succeeded, 1 to 100: so many failed, 101: more did, 255: bad "
      "usage\n"
      "or an error of the tool, 128 plus its number: ended by a signal. The first SIGINT ends the\n"
      "jobs, the second kills them; none outlives the tool.");
  const auto rest = std::make_shared<std::vector<std::string>>();
  return {.app = app,
          .run =
              [arguments, rest] {
                map_options options = arguments.parsed(*rest);
                if (!options.dry_run) provide_descriptors(options);
                for (const int number : {SIGPIPE, SIGXFSZ})
                  ::signal(number, SIG_IGN);  // these are errors of a write
                return runnel::run([&] { return map(options); });
              },
          .rest = rest,
          .supervised = true};
}

}  // namespace runnel_cli
