#include "map/latency_histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace runnel_cli {
namespace {

// Fine counters: values below 2^9 have one each; above, the nine bits after the highest choose.
constexpr int sub_bits = 9;
constexpr std::uint64_t sub_count = std::uint64_t{1} << sub_bits;
constexpr int value_bits = 63;
constexpr std::size_t fine_count = (value_bits - sub_bits + 1) * sub_count;

std::size_t fine_index(std::uint64_t value) {
  if (value < sub_count) return value;
  const int shift = std::bit_width(value) - 1 - sub_bits;
  return static_cast<std::size_t>(shift) * sub_count + (value >> shift);
}

// The middle of what fine_index() maps to `index`.
std::uint64_t fine_value(std::size_t index) {
  if (index < sub_count) return index;
  const std::size_t shift = index / sub_count - 1;
  const std::uint64_t low = (index - shift * sub_count) << shift;
  return low + (std::uint64_t{1} << shift) / 2;
}

// 1, 2, 5, 10... microseconds up to 10^6 seconds, in nanoseconds.
constexpr auto edges = [] {
  std::array<std::int64_t, 37> result{};
  std::int64_t decade = 1000;
  for (std::size_t i = 0; i < result.size(); ++i) {
    constexpr std::array<std::int64_t, 3> steps{1, 2, 5};
    result[i] = decade * steps[i % 3];
    if (i % 3 == 2) decade *= 10;
  }
  return result;
}();

}  // namespace

latency_histogram::latency_histogram() : fine_(fine_count), coarse_(edges.size() + 1) {}

void latency_histogram::add(duration d) {
  d = std::max(d, duration::zero());
  min_ = count_ == 0 ? d : std::min(min_, d);
  max_ = std::max(max_, d);
  ++count_;
  ++fine_[fine_index(static_cast<std::uint64_t>(d.count()))];
  const auto above = std::upper_bound(edges.begin(), edges.end(), d.count());
  ++coarse_[static_cast<std::size_t>(above - edges.begin())];
}

latency_histogram::duration latency_histogram::percentile(double percent) const {
  if (count_ == 0) return duration::zero();
  const double share = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  std::uint64_t left =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(share)), 1, count_);
  std::size_t index = 0;
  while (left > fine_[index]) left -= fine_[index++];
  return std::clamp(duration(static_cast<std::int64_t>(fine_value(index))), min_, max_);
}

std::vector<latency_histogram::bucket> latency_histogram::buckets() const {
  std::vector<bucket> result;
  if (count_ == 0) return result;
  std::size_t first = 0;
  std::size_t last = coarse_.size() - 1;
  while (coarse_[first] == 0) ++first;
  while (coarse_[last] == 0) --last;
  for (std::size_t i = first; i <= last; ++i) {
    bucket b{.low = duration(i == 0 ? 0 : edges[i - 1]), .high = {}, .count = coarse_[i]};
    if (i < edges.size()) b.high = duration(edges[i]);
    result.push_back(b);
  }
  return result;
}

}  // namespace runnel_cli
