// The case protocol: what something has to offer so that a select can wait for it. Channels, locks, semaphores, wait
// groups, futures, contexts and descriptors all take part through it.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// One case of a select, as the select sees it. Each has a function lock() beside these, which are all but miss_hint() and
/// deadline() called with that lock held, and may neither block nor throw nor run a user's code other than a nothrow move.
class case_base {
 public:
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

/// A case and the lock of what it waits for; null: it is never ready (a nil channel, otherwise, a timeout).
struct guarded_case {
  template <std::derived_from<case_base> C>
  guarded_case(C& c) noexcept : it(&c), lock(c.lock()) {}

  case_base* it;
  spinlock* lock;
};

inline constexpr std::size_t no_case = static_cast<std::size_t>(-1);

enum class select_order : std::uint8_t { random, in_order };

/// Bit i stands for case i; of more than 64 cases there is no set.
using case_set = std::uint64_t;

/// Runs a select over `cases`; the index of the case that went ahead. `otherwise` is the index of the default case,
/// or no_case to block.
std::size_t select_cases(std::span<const guarded_case> cases, std::size_t otherwise,
                         select_order order);
/// The same where the hints have been asked: the cases that have a lock and may be ready.
std::size_t select_among(std::span<const guarded_case> cases, case_set may_be_ready,
                         std::size_t otherwise, select_order order);

}  // namespace runnel::detail
