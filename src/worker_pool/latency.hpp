// A histogram of durations: exact below 8 ns, then eight buckets per power of two. Not
// synchronised.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <runnel/worker_pool.hpp>

namespace runnel::detail {

class latency_histogram {
 public:
  void add(std::int64_t ns) noexcept {
    const std::uint64_t value = ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
    ++buckets_[index_of(value)];
    ++count_;
    sum_ += static_cast<double>(value);
    max_ = std::max(max_, value);
  }

  latency_summary summary() const noexcept {
    latency_summary s;
    s.count = count_;
    if (count_ == 0) return s;
    s.mean = nanoseconds(static_cast<std::uint64_t>(sum_ / static_cast<double>(count_)));
    s.p50 = percentile(0.5);
    s.p90 = percentile(0.9);
    s.p99 = percentile(0.99);
    s.p999 = percentile(0.999);
    s.max = nanoseconds(max_);
    return s;
  }

 private:
  static constexpr int sub_bits = 3;

  static constexpr std::size_t index_of(std::uint64_t value) noexcept {
    if (value < (1u << sub_bits)) return static_cast<std::size_t>(value);
    const int shift = static_cast<int>(std::bit_width(value)) - 1 - sub_bits;
    return (static_cast<std::size_t>(shift) << sub_bits) + static_cast<std::size_t>(value >> shift);
  }
  // The largest value of a bucket.
  static constexpr std::uint64_t top_of(std::size_t index) noexcept {
    if (index < (2u << sub_bits)) return index;
    const std::size_t shift = (index >> sub_bits) - 1;
    const std::uint64_t first = (index - (shift << sub_bits));
    return ((first + 1) << shift) - 1;
  }
  static std::chrono::nanoseconds nanoseconds(std::uint64_t value) noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(value));
  }

  std::chrono::nanoseconds percentile(double portion) const noexcept {
    const auto rank = static_cast<std::uint64_t>(portion * static_cast<double>(count_ - 1)) + 1;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= rank) return nanoseconds(std::min(top_of(i), max_));
    }
    return nanoseconds(max_);
  }

  std::array<std::uint64_t, std::size_t{62} << sub_bits> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace runnel::detail
