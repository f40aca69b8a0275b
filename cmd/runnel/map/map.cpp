// runnel map: a command for every item of the input, so many at a time.
//
//   reader --> jobs --> main loop --> worker_pool --> events --> collector --> standard output, job log, ...
//
// Every channel is bounded and the pool has no queue: items are read when a worker is free to take them, and a worker
// waits where its output is not taken. What is kept of a job that has ended is what --keep-order holds back, and that
// is bounded by `most_early`.
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
#include "map/map_run.hpp"
#include "map/options.hpp"

namespace runnel_cli {
namespace {

int print_commands(const command_template& command, job_source& source) {
  while (const std::optional<job> next = source.next()) {
    std::printf("%s\n", command.line(next->items, {next->number, 1}).c_str());
    if (std::ferror(stdout) != 0) break;  // errno says why
  }
  if (std::ferror(stdout) == 0 && std::fflush(stdout) == 0) return exit_ok;
  std::perror("runnel map: write error");
  return exit_usage;
}

// Raises the soft limit if the jobs need that; a job has two pipes, its process's descriptor, perhaps temporary files
// and files of --results, and while it is started the other ends of its pipes.
void provide_descriptors(int jobs) {
  constexpr rlim_t own = 32;
  constexpr rlim_t per_job = 10;
  const rlim_t needed = own + per_job * static_cast<rlim_t>(jobs);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed)
    throw usage_error(std::to_string(jobs) + " jobs at a time need " + std::to_string(needed) +
                      " descriptors, and the limit is " + std::to_string(limit.rlim_max) +
                      " (ulimit -n)");
  limit.rlim_cur = needed;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int map(const map_options& options) {
  const command_template command(options.command, options.shell);
  if (options.pipe && command.has_placeholder())
    throw usage_error("--pipe and a placeholder: a block is the job's input and has no items");
  if (options.dry_run) return print_commands(command, *open_jobs(options, command, {}));
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
      "or an error of the tool, 130: interrupted. The first SIGINT ends the jobs, the second "
      "kills\n"
      "them; none outlives the tool.");
  const auto rest = std::make_shared<std::vector<std::string>>();
  return {.app = app,
          .run =
              [arguments, rest] {
                const map_options options = arguments.parsed(*rest);
                provide_descriptors(options.max_jobs);
                ::signal(SIGPIPE, SIG_IGN);  // a closed output is an error of its write
                return runnel::run([&] { return map(options); });
              },
          .rest = rest,
          .supervised = true};
}

}  // namespace runnel_cli
