// --timeline: a web page that shows which worker did what when. It needs nothing but itself.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <runnel/error.hpp>

#include "map/job.hpp"
#include "map/latency_histogram.hpp"

namespace runnel_cli {

/// Collects results and draws them. Takes bounded memory: so many jobs are kept in detail, with the
/// beginnings of their commands; the rest counts in the totals only, and the page says so. For one
/// goroutine at a time.
class timeline {
 public:
  static constexpr std::size_t default_detailed = 200'000;

  /// Draws the first `most_detailed` jobs that end.
  explicit timeline(std::size_t most_detailed = default_detailed) : most_(most_detailed) {}

  /// Adds a job whose last attempt began `start` after the run did (less than zero counts as zero).
  /// Does not block.
  void add(const job_result& r, std::chrono::nanoseconds start);

  /// Writes the page to `path`, whole or not at all; a page that is there is replaced. `elapsed` is
  /// how long the run took, `workers` how many it had: utilisation is the time that jobs ran,
  /// divided by workers times elapsed. `title` is free text. Blocks in the kernel, without holding
  /// other goroutines up. Returns the error, which names the file, if it cannot be written.
  runnel::error write(const std::string& path, std::chrono::nanoseconds elapsed, int workers,
                      std::string_view title) const;

 private:
  // Takes a piece of the page; false: no more is wanted.
  using sink = std::function<bool(std::string_view)>;

  struct bar {
    std::uint64_t number;
    std::int64_t start_us;
    std::int64_t runtime_us;
    int worker;
    int exit_code;
    int signal;
    int attempts;
    outcome how;
    std::string command;  // the beginning of it
    std::string failure;
  };

  std::string summary(std::chrono::nanoseconds elapsed, int workers, std::string_view title) const;
  void render(std::chrono::nanoseconds elapsed, int workers, std::string_view title,
              const sink& out) const;

  std::size_t most_;
  std::vector<bar> bars_;                    // at most most_
  std::array<std::uint64_t, 5> outcomes_{};  // jobs, by outcome
  latency_histogram latency_;                // of all that were started
  std::chrono::nanoseconds busy_{};          // the sum of their runtimes
  std::uint64_t earlier_attempts_ = 0;       // of jobs that were run again; their times are unknown
  int highest_worker_ = 0;
  std::optional<std::chrono::system_clock::time_point> began_;  // the run
};

}  // namespace runnel_cli
