// How long jobs took, in bounded memory however many there are.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace runnel_cli {

/// Durations, counted. For one goroutine at a time.
class latency_histogram {
 public:
  using duration = std::chrono::nanoseconds;

  /// How many durations d there are with low <= d < high; without `high`, with low <= d.
  struct bucket {
    duration low;
    std::optional<duration> high;
    std::uint64_t count = 0;
  };

  latency_histogram();

  /// Less than zero counts as zero.
  void add(duration d);

  std::uint64_t count() const { return count_; }
  duration max() const { return max_; }  // exact; zero if there is none

  /// The least duration that `percent` (0 to 100) of all do not exceed, but for at most 1/1024 of it,
  /// and never outside what was added. Zero if there is none.
  duration percentile(double percent) const;

  /// Buckets that end at 1, 2, 5, 10, 20, 50... microseconds, exact, from the first to the last that
  /// is not empty.
  std::vector<bucket> buckets() const;

 private:
  std::vector<std::uint64_t> fine_;    // 512 counters for each power of two
  std::vector<std::uint64_t> coarse_;  // one for each bucket of buckets()
  std::uint64_t count_ = 0;
  duration min_ = duration::zero();
  duration max_ = duration::zero();
};

}  // namespace runnel_cli
