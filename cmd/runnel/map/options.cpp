#include "map/options.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <runnel/go.hpp>

#include "command.hpp"
#include "map/progress.hpp"
#include "map/units.hpp"

namespace runnel_cli {
namespace {

constexpr int most_items = 1'000'000;
constexpr int most_retries = 1000;
constexpr const char* default_block = "1M";

void refuse_both(bool one, const char* name, bool other, const char* other_name, const char* why) {
  if (one && other) throw usage_error(std::string(name) + " and " + other_name + ": " + why);
}

// Most often a variable of a script that is not set.
void refuse_empty(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const std::vector<std::string>& values = option->results();
    const bool takes_value = option->get_items_expected_min() > 0;
    if (takes_value && std::ranges::find(values, std::string()) != values.end())
      throw usage_error(option->get_name() + ": the value is empty");
  }
}

}  // namespace

struct map_arguments::texts {
  bool nul = false;
  std::vector<std::string> files;
  std::string jobs = "100%", min_jobs, max_jobs;
  std::string max_items;
  bool fit = false, shell = false;
  bool keep_order = false, whole = false, line_buffer = false, ungroup = false, tag = false;
  std::string timeout, grace = "10s", retries = "0", backoff = "100ms";
  std::string rate, halt = "never", load, memfree;
  bool progress = false, json = false, dry_run = false, quiet = false, verbose = false;
  std::string joblog, results, timeline;
  bool resume = false, resume_failed = false;
  bool pipe = false;
  std::string block;

  void add_input(CLI::App& app);
  void add_control(CLI::App& app);
  void add_output(CLI::App& app);
  void check() const;
  void fill_jobs(map_options& o) const;
  void fill_limits(map_options& o) const;
  void fill_output(map_options& o) const;
};

void map_arguments::texts::add_input(CLI::App& app) {
  const char* const input = "Input";
  app.add_flag("-0,--null", nul, "Items end with NUL, not with a line end")->group(input);
  app.add_option("-a,--arg-file", files, "Read items from FILE (several: all combinations)")
      ->type_name("FILE")
      ->take_all()
      ->expected(1)
      ->group(input);
  app.add_option("-n,--max-args", max_items, "Items per command")->type_name("N")->group(input);
  app.add_flag("-X", fit, "As many items per command as fit")->group(input);
  app.add_flag("-s,--shell", shell, "Run through sh -c; items are quoted")->group(input);
  app.add_flag("--pipe", pipe, "Cut the input into blocks and feed each to a job")->group(input);
  app.add_option("--block", block, "Size of such a block (default: 1M)")
      ->type_name("SIZE")
      ->group(input);
}

void map_arguments::texts::add_control(CLI::App& app) {
  const char* const control = "Control";
  app.add_option("-j,--jobs", jobs, "Workers: N, N% of the CPUs, or auto (default: the CPUs)")
      ->type_name("N|N%|auto")
      ->group(control);
  app.add_option("--min-jobs", min_jobs, "Fewest workers with -j auto")
      ->type_name("N")
      ->group(control);
  app.add_option("--max-jobs", max_jobs, "Most workers with -j auto")
      ->type_name("N")
      ->group(control);
  app.add_option("--timeout", timeout, "End a job (SIGTERM to its process group) after DUR")
      ->type_name("DUR")
      ->group(control);
  app.add_option("--grace", grace, "SIGKILL so much later (default: 10s)")
      ->type_name("DUR")
      ->group(control);
  app.add_option("--retries", retries, "Run a failed job again, so many times")
      ->type_name("N")
      ->group(control);
  app.add_option("--backoff", backoff, "Before the first time, doubled each time (default: 100ms)")
      ->type_name("DUR")
      ->group(control);
  app.add_option("--rate", rate, "At most so many starts")->type_name("N/s|N/m")->group(control);
  app.add_option("--halt", halt, "never, soon or now[,fail=N|success=N|done=N; N% too]")
      ->type_name("WHEN")
      ->group(control);
  app.add_option("--load", load, "Start no job above that load")->type_name("MAX")->group(control);
  app.add_option("--memfree", memfree, "Start no job with less memory free")
      ->type_name("SIZE")
      ->group(control);
}

void map_arguments::texts::add_output(CLI::App& app) {
  const char* const output = "Output";
  app.add_flag("-k,--keep-order", keep_order, "Results in the order of the input")->group(output);
  app.add_flag("--group", whole, "A job's output as a whole, when it ends (default)")
      ->group(output);
  app.add_flag("--line-buffer", line_buffer, "Each line once it is complete")->group(output);
  app.add_flag("--ungroup", ungroup, "Jobs write by themselves")->group(output);
  app.add_flag("--tag", tag, "Put the item before each line")->group(output);
  app.add_flag("--json", json, "One JSON object per job")->group(output);
  app.add_flag("--progress", progress,
               "Show progress (default: if standard error is a terminal and output is not)")
      ->group(output);
  app.add_option("--joblog", joblog, "Write one line per job")->type_name("FILE")->group(output);
  app.add_flag("--resume", resume, "Leave out the jobs that are in the job log")->group(output);
  app.add_flag("--resume-failed", resume_failed, "Leave out those that succeeded")->group(output);
  app.add_option("--results", results, "Keep output and status of each job in files")
      ->type_name("DIR")
      ->group(output);
  app.add_option("--timeline", timeline, "Draw which worker did what when")
      ->type_name("FILE.html")
      ->group(output);
  app.add_flag("--dry-run", dry_run, "Print the commands, run none")->group(output);
  app.add_flag("--quiet", quiet, "No messages about jobs, no progress")->group(output);
  app.add_flag("--verbose", verbose, "Name each command on standard error before it is run")
      ->group(output);
}

void map_arguments::texts::check() const {
  refuse_both(line_buffer, "--line-buffer", ungroup, "--ungroup", "only one of them");
  refuse_both(whole, "--group", line_buffer || ungroup, "--line-buffer or --ungroup",
              "only one of them");
  const char* const untouched = "the output of jobs that write by themselves cannot be changed";
  refuse_both(ungroup, "--ungroup", keep_order, "--keep-order", untouched);
  refuse_both(ungroup, "--ungroup", tag, "--tag", untouched);
  refuse_both(ungroup, "--ungroup", json, "--json", untouched);
  refuse_both(ungroup, "--ungroup", !results.empty(), "--results", untouched);
  refuse_both(json, "--json", tag, "--tag", "an object has the item already");
  refuse_both(json, "--json", line_buffer, "--line-buffer",
              "an object is written when its job ends");
  refuse_both(quiet, "--quiet", verbose, "--verbose", "only one of them");
  refuse_both(quiet, "--quiet", progress, "--progress", "only one of them");
  if ((resume || resume_failed) && joblog.empty())
    throw usage_error(std::string(resume ? "--resume" : "--resume-failed") +
                      " needs the job log to continue: --joblog FILE");
  if (!block.empty() && !pipe) throw usage_error("--block needs --pipe");
  refuse_both(pipe, "--pipe", !files.empty(), "--arg-file", "blocks come from standard input");
  refuse_both(pipe, "--pipe", fit || !max_items.empty(), "-n or -X", "a block has no items");
}

void map_arguments::texts::fill_jobs(map_options& o) const {
  const int cpus = runnel::max_procs();
  o.auto_jobs = jobs == "auto";
  if (!o.auto_jobs) {
    if (!min_jobs.empty() || !max_jobs.empty())
      throw usage_error("--min-jobs and --max-jobs need --jobs auto");
    o.jobs = o.min_jobs = o.max_jobs = parse_jobs("--jobs", jobs, cpus);
    return;
  }
  constexpr int most_by_default = 16;
  o.min_jobs = min_jobs.empty() ? 1 : parse_jobs("--min-jobs", min_jobs, cpus);
  o.max_jobs = max_jobs.empty() ? std::max(o.min_jobs, most_by_default * cpus)
                                : parse_jobs("--max-jobs", max_jobs, cpus);
  if (o.min_jobs > o.max_jobs)
    throw usage_error("--min-jobs " + std::to_string(o.min_jobs) + " is more than --max-jobs " +
                      std::to_string(o.max_jobs));
  o.jobs = std::clamp(cpus, o.min_jobs, o.max_jobs);
}

void map_arguments::texts::fill_limits(map_options& o) const {
  if (!timeout.empty()) o.timeout = parse_duration("--timeout", timeout);
  if (o.timeout <= std::chrono::nanoseconds::zero())
    throw usage_error("--timeout: a job needs some time; leave the option out for no limit");
  o.grace = parse_duration("--grace", grace);
  o.backoff = parse_duration("--backoff", backoff);
  o.retries = parse_count("--retries", retries, 0, most_retries);
  o.halt = halt_policy::parse(halt);
  if (!rate.empty()) o.gate.rate = parse_rate("--rate", rate);
  if (!load.empty()) o.gate.max_load = parse_load("--load", load, runnel::max_procs());
  if (!memfree.empty()) o.gate.min_free = parse_size("--memfree", memfree);
}

void map_arguments::texts::fill_output(map_options& o) const {
  o.group = ungroup ? grouping::none : line_buffer ? grouping::lines : grouping::whole;
  o.keep_order = keep_order;
  o.tag = tag;
  o.json = json;
  o.progress = progress || (!quiet && !dry_run && progress::wanted_by_default());
  o.dry_run = dry_run;
  o.quiet = quiet;
  o.verbose = verbose;
  o.joblog = joblog;
  o.resume = resume;
  o.resume_failed = resume_failed;
  o.results = results;
  o.timeline = timeline;
}

map_arguments::map_arguments(CLI::App& app) : app_(&app), texts_(std::make_shared<texts>()) {
  // As with other tools, so that an alias can be overruled.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  texts_->add_input(app);
  texts_->add_control(app);
  texts_->add_output(app);
}

map_options map_arguments::parsed(const std::vector<std::string>& rest) const {
  refuse_empty(*app_);
  texts_->check();
  map_options o;
  o.items.nul = texts_->nul;
  o.items.files = texts_->files;
  o.command = split_lists(rest, o.items.lists);
  if (texts_->pipe && !o.items.lists.empty())
    throw usage_error("--pipe and ':::': blocks come from standard input");
  o.fit = texts_->fit;
  o.max_items = o.fit ? most_items : 1;
  if (!texts_->max_items.empty())
    o.max_items =
        static_cast<std::size_t>(parse_count("--max-args", texts_->max_items, 1, most_items));
  o.shell = texts_->shell;
  o.pipe = texts_->pipe;
  o.block_size = parse_size("--block", texts_->block.empty() ? default_block : texts_->block);
  if (o.block_size == 0) throw usage_error("--block: a block has at least one byte");
  texts_->fill_jobs(o);
  texts_->fill_limits(o);
  texts_->fill_output(o);
  return o;
}

}  // namespace runnel_cli
