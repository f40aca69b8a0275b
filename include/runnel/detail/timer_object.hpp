// What can be put among a processor's timers; contexts and timer channels build on timer_object.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>

#include <runnel/detail/park.hpp>

namespace runnel::detail {

class timer_heap;

struct timer_node {
  explicit timer_node(bool wait) noexcept : is_wait(wait) {}
  static constexpr std::uint32_t not_armed = std::numeric_limits<std::uint32_t>::max();

  timer_heap* heap = nullptr;  // written by arm(); see the caller's rule for who may arm and disarm
  std::uint32_t ticket = not_armed;  // guarded by the heap's lock: its entry there
  const bool is_wait;
};

/// A timer with a life of its own, counted by references. arm() and disarm() of one object are serialised by the
/// owner (a lock of its own); fire() may run at the same time as either.
class timer_object : public timer_node {
 public:
  timer_object() noexcept : timer_node(false) {}
  virtual ~timer_object() = default;

  /// Runs once per arm(), at or after the deadline, without any lock held, on whatever processor is free; must
  /// neither block nor throw.
  virtual void fire() noexcept = 0;

  void add_ref() noexcept {
    refs_.fetch_add(1, std::memory_order_relaxed);
  }  // the caller has one already
  // acquire, acq_rel: with other releases. Who has the only reference need not count: nobody else can take one.
  void release() noexcept {
    if (refs_.load(std::memory_order_acquire) == 1 ||
        refs_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete this;
  }

 private:
  std::atomic<std::uint32_t> refs_{1};
};

/// Puts `node` among the timers of the calling processor; it must not be armed. A timer object gains a reference.
void arm(timer_node& node, std::int64_t when) noexcept;
/// Takes it out. True: it was armed, and will not fire (a timer object loses the reference). False: it has fired, is
/// firing, or was never armed.
bool disarm(timer_node& node) noexcept;

}  // namespace runnel::detail
