// runnel tour: the concurrency patterns as programs that run, explained as they go.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "suggest.hpp"
#include "tour_chapter.hpp"

namespace runnel_cli {
namespace {

struct tour_options {
  std::string chapter;
  bool source = false;
};

int list_chapters() {
  std::size_t width = 0;
  for (const tour_chapter& c : tour_chapters()) width = std::max(width, c.name.size());
  std::puts("The chapters of the tour:\n");
  for (const tour_chapter& c : tour_chapters()) {
    std::printf("  %-*s  %s\n", static_cast<int>(width), c.name.data(), c.title.data());
  }
  std::puts(
      "\nrunnel tour CHAPTER           run it, explained as it goes\n"
      "runnel tour CHAPTER --source  print its source");
  return exit_ok;
}

const tour_chapter& find_chapter(const std::string& name) {
  std::vector<std::string> names;
  for (const tour_chapter& c : tour_chapters()) {
    if (c.name == name) return c;
    names.emplace_back(c.name);
  }
  throw usage_error("no chapter '" + name + "'" + did_you_mean(name, names));
}

int run_chapter(const tour_chapter& chapter) {
  std::printf("== %s: %s\n\n", chapter.name.data(), chapter.title.data());
  std::fflush(stdout);
  const int status = chapter.run();
  std::printf("\n== Its source: runnel tour %s --source\n", chapter.name.data());
  return status;
}

int run_tour(const tour_options& options) {
  int status = exit_ok;
  if (options.chapter.empty()) {
    if (options.source) throw usage_error("--source needs a chapter");
    status = list_chapters();
  } else if (const tour_chapter& chapter = find_chapter(options.chapter); options.source) {
    std::fwrite(chapter.source.data(), 1, chapter.source.size(), stdout);
  } else {
    status = run_chapter(chapter);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    std::perror("runnel tour: write error");
    return exit_failed;
  }
  return status;
}

}  // namespace

command add_tour(CLI::App& root) {
  CLI::App* app = root.add_subcommand(
      "tour", "The concurrency patterns as programs that run, explained as they go");
  const auto options = std::make_shared<tour_options>();
  app->add_option("CHAPTER", options->chapter, "What to run (without it: the list of chapters)");
  app->add_flag("--source", options->source, "Print the chapter's source instead of running it");
  return {app, [options] { return run_tour(*options); }};
}

}  // namespace runnel_cli
