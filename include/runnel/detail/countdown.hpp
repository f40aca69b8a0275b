// A counter that can be waited for to reach zero: the core of wait_group and latch.
//
// One word holds the counter and a flag "somebody waits". Nobody is let through while the flag is set; the decrement
// that reaches zero with the flag set goes to the queue, releases everybody and clears it. So:
//   - a decrement touches the object last in its one read-modify-write, unless it found the flag set at zero;
//   - who looks at zero with the flag set waits until that last decrement has cleared it, and only then may the object
//     be destroyed. Clearing it is the last access; the queue's lock lies elsewhere (queue_lock.hpp).
// The counter does not leave zero while the flag is set either (increase()), so that at most one decrement at a time
// is on its way to the queue.
#pragma once
#include <atomic>
#include <cstdint>

#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>

namespace runnel::detail {

class countdown {
 public:
  static constexpr std::int64_t max = 0x7fffffff;

  explicit constexpr countdown(std::int64_t n = 0) noexcept
      : state_(static_cast<std::uint64_t>(n) << shift) {}
  countdown(const countdown&) = delete;
  countdown& operator=(const countdown&) = delete;

  /// False: the counter would fall below zero; nothing has changed.
  [[nodiscard]] bool decrease(std::int64_t n) noexcept {
    // acq_rel: the release pairs with the acquire in is_zero() and in the decrement that reaches zero
    const std::uint64_t old =
        state_.fetch_sub(static_cast<std::uint64_t>(n) << shift, std::memory_order_acq_rel);
    const std::int64_t left = counter(old) - n;
    if (left < 0) [[unlikely]]
      return undo(n);
    if (left == 0 && (old & awaited) != 0) [[unlikely]]
      release_waiters();
    return true;
  }

  /// False: the counter would pass max; nothing has changed. Blocks only while the waiters of a former round are being
  /// released.
  [[nodiscard]] bool increase(std::int64_t n) {
    std::uint64_t s = state_.load(std::memory_order_relaxed);
    for (;;) {
      if (counter(s) + n > max) [[unlikely]]
        return false;
      if (s == awaited) [[unlikely]] {
        (void)wait_slow(wait_reason::wait_group_wait, never);
        s = state_.load(std::memory_order_relaxed);
      } else if (state_.compare_exchange_weak(s, s + (static_cast<std::uint64_t>(n) << shift),
                                              std::memory_order_relaxed)) {
        // relaxed: an increment orders nothing, and a race detector is to see who relies on it. What decrements have
        // released goes on through it to is_zero().
        return true;
      }
    }
  }

  /// Zero, and all waiters of former rounds have been let go.
  bool is_zero() const noexcept {
    return state_.load(std::memory_order_acquire) == 0;  // acquire: pairs with decrease()
  }
  /// False: `deadline` came first.
  bool wait(wait_reason reason, std::int64_t deadline) {
    return is_zero() || wait_slow(reason, deadline);
  }

 private:
  friend class countdown_case;
  static constexpr unsigned shift = 32;
  static constexpr std::uint64_t awaited = 1;

  static std::int64_t counter(std::uint64_t s) noexcept {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(s >> shift));
  }

  bool undo(std::int64_t n) noexcept;
  void release_waiters() noexcept;
  bool wait_slow(wait_reason reason, std::int64_t deadline);
  bool must_wait() noexcept;
  bool give_up(waiter& w) noexcept;

  std::atomic<std::uint64_t> state_;  // counter << 32 | awaited
  wait_queue waiters_;                // guarded by queue_lock(this)
};

/// The compiled half of on_wait().
class countdown_case : public case_base {
 public:
  explicit countdown_case(countdown& c) noexcept : countdown_(&c) {}

  spinlock* lock() noexcept;
  bool try_now(agent*& wake) noexcept override;
  void enqueue(waiter& w) noexcept override;
  void dequeue(waiter& w) noexcept override;
  void complete(waiter&) noexcept override {}
  bool miss_hint() noexcept override { return !countdown_->is_zero(); }

 protected:
  ~countdown_case() = default;

 private:
  countdown* countdown_;
};

}  // namespace runnel::detail
