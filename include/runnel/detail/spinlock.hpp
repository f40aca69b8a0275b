// The small lock under every primitive: held for tens of nanoseconds, never across a user's code that could block.
#pragma once
#include <atomic>
#include <cstdint>

#include <runnel/detail/config.hpp>

namespace runnel::detail {

/// Spins briefly, then sleeps in growing steps: a preempted holder does not stall the others, and unlocking is one
/// plain store because nobody has to be woken. May be unlocked by another thread than the one that locked it (a
/// goroutine that parks leaves its lock to whoever runs next).
class spinlock {
 public:
  constexpr spinlock() noexcept = default;
  spinlock(const spinlock&) = delete;
  spinlock& operator=(const spinlock&) = delete;

  void lock() noexcept {
    std::uint32_t free = 0;
    // acquire: pairs with the release in unlock()
    if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) [[unlikely]]
      lock_slow();
  }
  bool try_lock() noexcept {
    std::uint32_t free = 0;
    return word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void unlock() noexcept {
    word_.store(0, std::memory_order_release);
  }  // release: pairs with lock()

 private:
  void lock_slow() noexcept;

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace runnel::detail
