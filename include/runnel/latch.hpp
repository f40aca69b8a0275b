// latch: a counter that only goes down, as std::latch.
#pragma once
#include <cstddef>

#include <runnel/detail/countdown.hpp>
#include <runnel/detail/park.hpp>

namespace runnel {

/// Holds up whoever waits until it has been counted down to zero; then it stays open. May be destroyed as soon as a
/// wait has returned.
class latch {
 public:
  /// Throws std::invalid_argument if `expected` is negative or larger than max().
  explicit latch(std::ptrdiff_t expected) : count_(checked(expected)) {}
  latch(const latch&) = delete;
  latch& operator=(const latch&) = delete;

  /// The largest count.
  static constexpr std::ptrdiff_t max() noexcept { return detail::countdown::max; }

  /// Takes `n` from the counter; at zero all waits return. Does not block. Throws std::invalid_argument if `n` is
  /// negative, std::logic_error if it is more than what is left; the counter is unchanged then.
  void count_down(std::ptrdiff_t n = 1) {
    if (n < 0 || n > max() || !count_.decrease(n)) [[unlikely]]
      throw_misuse(n);
  }

  /// Whether the counter is zero.
  bool try_wait() const noexcept {
    if (count_.is_zero()) return true;
    detail::check_attention();
    return false;
  }

  /// Blocks until the counter is zero.
  void wait() const { (void)count_.wait(detail::wait_reason::semacquire, detail::never); }

  /// count_down(n), then wait().
  void arrive_and_wait(std::ptrdiff_t n = 1) {
    count_down(n);
    wait();
  }

 private:
  static std::ptrdiff_t checked(std::ptrdiff_t expected);
  [[noreturn]] static void throw_misuse(std::ptrdiff_t n);

  mutable detail::countdown count_;
};

}  // namespace runnel
