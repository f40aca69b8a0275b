// Whether it pays to try something, by what the last tries were worth.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

namespace runnel::detail {

/// After tries in vain the next 1, 3, 7 ... and at last always `longest` occasions go by without one; one that succeeds
/// makes the next ones try again. A guess: lost updates do no harm.
template <std::uint8_t longest>
class habit {
 public:
  bool worth_trying() noexcept {
    const std::uint8_t left = skip_.load(std::memory_order_relaxed);
    if (left != 0) skip_.store(left - 1, std::memory_order_relaxed);
    return left == 0;
  }
  void tried(bool well) noexcept {
    const auto next = static_cast<std::uint8_t>(
        well ? 0 : std::min(2 * length_.load(std::memory_order_relaxed) + 1, int{longest}));
    length_.store(next, std::memory_order_relaxed);
    skip_.store(next, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint8_t> length_{0};
  std::atomic<std::uint8_t> skip_{0};
};

}  // namespace runnel::detail
