// The case protocol: what something has to offer so that a select can wait for it. Channels, locks, semaphores, wait
// groups, futures, contexts and descriptors all take part through it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// One case of a select, as the select sees it. All functions but has_lock() and miss_hint() are called with lock()
/// held, and none of them may block, throw or run a user's code other than a nothrow move.
class case_base {
 public:
  /// The lock of what is waited for; null: never ready (a nil channel, otherwise, a timeout).
  virtual spinlock* lock() noexcept = 0;
  /// Goes ahead if it can at this instant. An agent that became runnable by it is put into `wake`; it is made ready
  /// when all locks are free.
  virtual bool try_now(agent*& wake) noexcept = 0;
  /// Puts `w` (whose claim and index are set) into the wait queue. A waker that wins the claim does what try_now()
  /// would have done on this case's behalf.
  virtual void enqueue(waiter& w) noexcept = 0;
  /// Takes the waiter out again; it lost or the wait was given up. May already be unlinked.
  virtual void dequeue(waiter& w) noexcept = 0;
  /// The waiter was claimed by a waker: take over the result it left in `w`. Called without the lock.
  virtual void complete(waiter& w) noexcept = 0;
  /// Unlocked look for the only case beside an otherwise: true if it was certainly not ready.
  virtual bool miss_hint() noexcept { return false; }
  /// For timeouts: when (0: it is past); otherwise `never`.
  virtual std::int64_t deadline() noexcept { return never; }

 protected:
  ~case_base() = default;
};

inline constexpr std::size_t no_case = static_cast<std::size_t>(-1);

enum class select_order : std::uint8_t { random, in_order };

/// Runs a select over `cases`; the index of the case that went ahead. `otherwise` is the index of the default case,
/// or no_case to block.
std::size_t select_cases(std::span<case_base* const> cases, std::size_t otherwise,
                         select_order order);

}  // namespace runnel::detail
