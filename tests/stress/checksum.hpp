// What went into something and what came out of it: a loss, a double and a change of a value all show.
#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <ostream>

namespace runnel_test {

class checksum {
 public:
  void add(std::uint64_t v) {
    count_.fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(mix(v), std::memory_order_relaxed);
    xored_.fetch_xor(mix(v + 0x9E3779B97F4A7C15U), std::memory_order_relaxed);
  }
  std::uint64_t count() const { return count_; }
  friend bool operator==(const checksum& a, const checksum& b) {
    return a.count_ == b.count_ && a.sum_ == b.sum_ && a.xored_ == b.xored_;
  }
  friend std::ostream& operator<<(std::ostream& out, const checksum& c) {
    return out << c.count_ << " values, sum " << c.sum_ << ", xor " << c.xored_;
  }

 private:
  static std::uint64_t mix(std::uint64_t v) {  // splitmix64's finish
    v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9U;
    v = (v ^ (v >> 27)) * 0x94D049BB133111EBU;
    return v ^ (v >> 31);
  }

  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_{0};
  std::atomic<std::uint64_t> xored_{0};
};

/// A small generator of random numbers, one for each user.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  /// 0 .. n-1
  int roll(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }

 private:
  std::uint64_t state_;
};

}  // namespace runnel_test
