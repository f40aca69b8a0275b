// runnel hash: SHA-256 of every file of a tree, computed by a bounded pipeline.
//
//   walker --> todo --> N hashers --+
//      |                            | each answers on the job's own channel
//      +-----> in_order ----------> printer
//
// Both channels are bounded: a walker that runs ahead waits, so memory does not depend on how many
// files there are. The printer takes the jobs in the order they were found and waits for each
// one's answer, so the output is in that order whichever hasher is done first.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "backslashed.hpp"
#include "command.hpp"
#include "digest.hpp"
#include "walk.hpp"

namespace runnel_cli {
namespace {

struct hash_options {
  std::vector<std::string> roots;
  std::string jobs_text;
  walk_options walk;
};

struct job {
  std::string path;
  runnel::chan<file_digest> answer{1};  // room for the answer: a hasher never waits for the printer
};

struct totals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  bool failed = false;
};

// As sha256sum: a name with a line break or a backslash is escaped, and its line starts with one.
std::string digest_line(const std::string& hex, const std::string& path) {
  const std::string name = backslashed(path, "\n\r\\");
  return (name == path ? "" : "\\") + hex + "  " + name + "\n";
}

void complain(const std::string& path, const runnel::error& why) {
  std::fflush(stdout);  // so that the complaint stands after the lines before it
  std::fprintf(stderr, "runnel hash: %s: %s\n", path.c_str(), why.message().c_str());
}

// Standard output; remembers the first failure (a full disk), after which nothing is written.
class printer {
 public:
  void write(const std::string& text) {
    if (failure_) return;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      failure_ = std::error_code(errno, std::generic_category());
    }
  }
  const runnel::error& flush() {
    if (!failure_ && std::fflush(stdout) != 0) {
      failure_ = std::error_code(errno, std::generic_category());
    }
    return failure_;
  }
  bool failed() const { return static_cast<bool>(failure_); }

 private:
  runnel::error failure_;
};

void find_files(const hash_options& options, const std::atomic<bool>& stop,
                const runnel::send_chan<job>& todo, const runnel::send_chan<job>& in_order) {
  const walk_visitor visitor{
      .file =
          [&](std::string path) {
            const job found{std::move(path)};
            in_order.send(found);
            todo.send(found);
            return !stop;
          },
      .failure =
          [&](std::string path, runnel::error why) {
            const job found{std::move(path)};
            found.answer.send(file_digest{.hex = {}, .bytes = 0, .failure = std::move(why)});
            in_order.send(found);
            return !stop;
          },
  };
  for (const std::string& root : options.roots) {
    if (!walk(root, options.walk, visitor)) break;
  }
  todo.close();
  in_order.close();
}

void hash_files(const runnel::recv_chan<job>& todo, digester& digest) {
  for (const job& next : todo) next.answer.send(digest(next.path));
}

totals print_digests(const runnel::recv_chan<job>& in_order, printer& out,
                     std::atomic<bool>& stop) {
  totals sum;
  for (const job& next : in_order) {
    const file_digest answer = *next.answer.recv();
    if (answer.failure) {
      complain(next.path, answer.failure);
      sum.failed = true;
      continue;
    }
    out.write(digest_line(answer.hex, next.path));
    if (out.failed()) stop = true;  // go on taking jobs, so that the walker sees it and ends
    ++sum.files;
    sum.bytes += answer.bytes;
  }
  return sum;
}

std::string summary(const totals& sum, std::chrono::duration<double> took, int hashers) {
  char line[160];
  std::snprintf(line, sizeof line, "%llu files, %llu bytes, %.3f seconds, %d %s, %d %s\n",
                static_cast<unsigned long long>(sum.files),
                static_cast<unsigned long long>(sum.bytes), took.count(), hashers,
                hashers == 1 ? "goroutine" : "goroutines", runnel::max_procs(),
                runnel::max_procs() == 1 ? "processor" : "processors");
  return line;
}

int hash_trees(const hash_options& options, int hashers) {
  const auto start = std::chrono::steady_clock::now();
  const runnel::chan<job> todo(hashers);
  const runnel::chan<job> in_order(hashers * 4);
  std::atomic<bool> stop = false;
  printer out;

  // Made before any goroutine, so that a libcrypto without SHA-256 is an error and not a panic.
  std::vector<digester> digesters(static_cast<std::size_t>(hashers));
  runnel::wait_group workers;
  workers.go([&] { find_files(options, stop, todo, in_order); });
  for (digester& digest : digesters) {
    workers.go([&] { hash_files(todo, digest); });
  }
  const totals sum = print_digests(in_order, out, stop);
  workers.wait();

  out.write(summary(sum, std::chrono::steady_clock::now() - start, hashers));
  if (const runnel::error failure = out.flush()) {
    std::fprintf(stderr, "runnel hash: write error: %s\n", failure.message().c_str());
    return exit_failed;
  }
  return sum.failed ? exit_failed : exit_ok;
}

}  // namespace

command add_hash(CLI::App& root) {
  CLI::App* app =
      root.add_subcommand("hash", "Print the SHA-256 of every file of a tree, as sha256sum does");
  const auto options = std::make_shared<hash_options>();
  app->add_option("DIR", options->roots, "Directories or files (default: the current directory)");
  app->add_option("-j,--jobs", options->jobs_text,
                  "Goroutines that hash (default: two for each processor)")
      ->type_name("N");
  app->add_flag("--all", options->walk.all, "Go into .git and into directories called build, too");
  app->footer(
      "Files come in byte order of their paths; symbolic links are not followed. Exit status: 0,\n"
      "or 1 if anything could not be read, or 255 for bad usage.");
  return {app, [options] {
            constexpr int most_jobs = 10'000;
            const int hashers = options->jobs_text.empty()
                                    ? 2 * runnel::max_procs()
                                    : parse_count("--jobs", options->jobs_text, 1, most_jobs);
            if (options->roots.empty()) options->roots.push_back(".");
            return runnel::run([&] { return hash_trees(*options, hashers); });
          }};
}

}  // namespace runnel_cli
