// What `runnel map` was asked to do, parsed and checked.
#pragma once
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/resource.h>

#include "map/halt.hpp"
#include "map/items.hpp"
#include "map/start_gate.hpp"

namespace runnel_cli {

/// When output is written: a job's as a whole at its end, each line once it is complete, or by the job itself.
enum class grouping : std::uint8_t { whole, lines, none };

struct map_options {
  std::vector<std::string> command;  // COMMAND [ARG...]
  item_options items;
  std::size_t max_items = 1;  // per job
  bool fit = false;           // as many items as the system lets a command have
  bool shell = false;

  int jobs = 1;
  bool auto_jobs = false;  // `jobs` to start with, then between these
  int min_jobs = 1;
  int max_jobs = 1;
  std::optional<rlimit> descriptors{};  // that jobs are to have; none: the tool's own
  gate_options gate;
  halt_policy halt;
  std::chrono::nanoseconds timeout = std::chrono::nanoseconds::max();
  std::chrono::nanoseconds grace = std::chrono::seconds(10);
  int retries = 0;
  std::chrono::nanoseconds backoff = std::chrono::milliseconds(100);

  grouping group = grouping::whole;
  bool keep_order = false;
  bool tag = false;
  bool json = false;
  bool progress = false;
  bool dry_run = false;
  bool quiet = false;
  bool verbose = false;

  std::string joblog;  // empty: none, as in the next ones
  bool resume = false;
  bool resume_failed = false;
  std::string results;
  std::string timeline;

  bool pipe = false;
  std::size_t block_size = 0;  // bytes
};

/// The options as they were typed.
class map_arguments {
 public:
  explicit map_arguments(CLI::App& app);

  /// `rest` is what stands after the options. Throws usage_error.
  map_options parsed(const std::vector<std::string>& rest) const;

 private:
  struct texts;
  CLI::App* app_;
  std::shared_ptr<texts> texts_;
};

}  // namespace runnel_cli
