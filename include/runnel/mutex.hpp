// mutex, timed_mutex: mutual exclusion that parks goroutines instead of threads.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

namespace detail {
class mutex_case;
}

/// A mutual exclusion lock. Meets Lockable: std::scoped_lock, std::lock_guard and std::unique_lock work. Not
/// recursive; owned by nobody in particular: another goroutine than the one that locked may unlock.
///
/// Usually whoever comes first when it is free gets it; a waiter starved for 1 ms is handed it. May be destroyed as
/// soon as lock() has returned to its last user and that has unlocked it.
class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// Blocks until the mutex is the caller's.
  void lock() {
    detail::check_attention();
    std::uint32_t free = 0;
    // acquire: pairs with the release in unlock()
    if (!state_.compare_exchange_strong(free, locked, std::memory_order_acquire,
                                        std::memory_order_relaxed)) [[unlikely]]
      (void)lock_slow(detail::never);
  }

  /// Takes the mutex if it is free. Does not block.
  bool try_lock() noexcept {
    std::uint32_t s = state_.load(std::memory_order_relaxed);
    if ((s & held) == 0 && state_.compare_exchange_strong(s, taken(s), std::memory_order_acquire,
                                                          std::memory_order_relaxed))
      return true;
    detail::check_attention();
    return false;
  }

  /// Lets it go. Unlocking what is not locked ends the process: `fatal error: unlock of unlocked mutex`.
  void unlock() noexcept {
    // release: pairs with the acquire in lock()
    if (state_.fetch_sub(locked, std::memory_order_release) != locked) [[unlikely]]
      unlock_slow();
  }

  /// Blocks until the mutex is the caller's (no error) or `ctx` is done (its error; not locked). A context that is
  /// done from the start wins.
  error lock(const context& ctx);

 protected:
  /// False: `deadline` came first.
  bool lock_slow(std::int64_t deadline);

 private:
  friend class detail::mutex_case;

  static constexpr std::uint32_t locked = 1;
  static constexpr std::uint32_t queued =
      2;  // the queue may not be empty; changed under its lock only
  static constexpr std::uint32_t woken =
      4;  // someone is awake and after it: unlocking need not wake another
  static constexpr std::uint32_t starving =
      8;  // unlocking hands over; changed under the queue's lock or by the owner
  static constexpr std::uint32_t busy =
      16;  // set with the first flag on a mutex that is held; it stays held until unlock_slow() drops it
  static constexpr std::uint32_t held = locked | busy;

  // The state `s`, free, becomes when it is locked.
  static constexpr std::uint32_t taken(std::uint32_t s) noexcept {
    return s == 0 ? locked : s | held;
  }

  void unlock_slow() noexcept;
  detail::agent* hand_over() noexcept;
  void leave_queue(detail::waiter& w) noexcept;
  bool lock_if_free() noexcept;

  std::atomic<std::uint32_t> state_{0};
  detail::wait_queue waiters_;  // guarded by queue_lock(this)
};

/// A mutex that can be waited for with a time limit. Meets TimedLockable.
class timed_mutex : public mutex {
 public:
  /// Blocks for at most `timeout`. False: it did not become free in that time. Zero or less: does not block.
  template <detail::any_duration D>
  bool try_lock_for(D timeout) {
    return try_lock() || lock_slow(detail::deadline_after(timeout));
  }
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <detail::any_time_point TP>
  bool try_lock_until(TP deadline) {
    return try_lock() || lock_slow(detail::deadline_at(deadline));
  }
};

namespace detail {

// The compiled half of on_lock().
class mutex_case : public case_base {
 public:
  explicit mutex_case(mutex& m) noexcept : mutex_(&m) {}

  spinlock* lock() noexcept;
  bool try_now(agent*& wake) noexcept override;
  void enqueue(waiter& w) noexcept override;
  void dequeue(waiter& w) noexcept override;
  void complete(waiter&) noexcept override {}
  bool miss_hint() noexcept override {
    return (mutex_->state_.load(std::memory_order_relaxed) & mutex::held) != 0;
  }

 protected:
  ~mutex_case() = default;

 private:
  mutex* mutex_;
};

template <class Base, class H>
class lock_case final : public Base {
 public:
  static constexpr bool is_otherwise = false;

  template <class M>
  lock_case(M& m, H handler) : Base(m), handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  H handler_;
};

}  // namespace detail

/// A select case that takes the mutex. The caller owns it when `handler()` runs, and unlocks it itself.
template <class H>
auto on_lock(mutex& m, H&& handler) {
  return detail::lock_case<detail::mutex_case, std::decay_t<H>>(m, std::forward<H>(handler));
}
inline auto on_lock(mutex& m) {
  return on_lock(m, [] {});
}

}  // namespace runnel
