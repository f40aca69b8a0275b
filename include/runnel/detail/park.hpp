// One way to block and one way to wake, for everything a goroutine or a plain thread can wait for.
//
// The protocol (register, look again, park): under the primitive's lock, look; if it cannot be had, put a `waiter`
// that lives on the caller's stack into the primitive's wait queue and park() with the lock still held. The lock is
// released only once the caller is off its stack, so nobody can make it ready before. A waker takes the lock, pops
// the waiter, fills in the result, releases the lock and calls ready(): after that call it touches neither waiter
// nor primitive.
//
// A waiter that several parties may wake (a select, a timed wait) carries a claim word; whoever moves it from
// `unclaimed` has won and must wake, everybody else leaves the waiter alone.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>

#include <runnel/detail/spinlock.hpp>

namespace runnel::detail {

/// Why a goroutine does not run; the words of a dump (wait_reason_text).
enum class wait_reason : std::uint8_t {
  none,
  chan_receive,
  chan_send,
  select,
  select_no_cases,
  chan_receive_nil,
  chan_send_nil,
  sleep,
  mutex_lock,
  shared_mutex_rlock,
  shared_mutex_lock,
  cond_wait,
  wait_group_wait,
  semacquire,
  io_wait,
};
const char* wait_reason_text(wait_reason) noexcept;

/// Who can block: a goroutine or a plain thread. Primitives never look which.
struct agent {
  enum class kind : std::uint8_t { goroutine, thread };
  kind what;
};

/// The agent that is calling.
agent* this_agent() noexcept;

using claim_word = std::atomic<std::uint32_t>;
inline constexpr std::uint32_t unclaimed = 0;
inline constexpr std::uint32_t claimed_by_timeout = std::numeric_limits<std::uint32_t>::max();

class wait_queue;

/// One place in one wait queue. Lives on the waiting agent's stack.
struct waiter {
  waiter* next = nullptr;       // guarded by the primitive's lock
  waiter* prev = nullptr;       // guarded by the primitive's lock
  wait_queue* queue = nullptr;  // guarded by the primitive's lock; null: not queued
  agent* who = nullptr;         // immutable while queued
  claim_word* claim = nullptr;  // immutable while queued; null: only the queue can wake
  std::uint32_t index = 0;      // the winner writes index + 1 into *claim
  bool ok = false;              // written by the waker before ready()
  void* slot = nullptr;         // where the value goes or comes from; the primitive knows the type

  bool try_claim() noexcept {
    if (claim == nullptr) return true;
    std::uint32_t expected = unclaimed;
    return claim->compare_exchange_strong(expected, index + 1);
  }
};

/// First come, first served; removal from the middle is O(1). Guarded by the lock of the primitive that has it.
class wait_queue {
 public:
  bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == nullptr; }
  /// For unlocked looks that are confirmed under the lock. acquire: pairs with the release in set_head()
  bool empty_hint() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }
  waiter* front() const noexcept { return head_.load(std::memory_order_relaxed); }

  void push_back(waiter& w) noexcept {
    w.queue = this;
    w.next = nullptr;
    w.prev = tail_;
    if (tail_ != nullptr)
      tail_->next = &w;
    else
      set_head(&w);
    tail_ = &w;
  }

  void push_front(waiter& w) noexcept {
    waiter* head = front();
    w.queue = this;
    w.prev = nullptr;
    w.next = head;
    if (head != nullptr)
      head->prev = &w;
    else
      tail_ = &w;
    set_head(&w);
  }

  /// No effect unless `w` is queued here. The queue is not touched after the write that makes it empty: who sees that may
  /// destroy it.
  void remove(waiter& w) noexcept {
    if (w.queue != this) return;
    w.queue = nullptr;
    if (w.next != nullptr)
      w.next->prev = w.prev;
    else
      tail_ = w.prev;
    if (w.prev != nullptr)
      w.prev->next = w.next;
    else
      set_head(w.next);
  }

  /// The longest waiting that nobody else has claimed, claimed for the caller; null: none. Drops the others.
  waiter* pop() noexcept {
    while (waiter* w = front()) {
      remove_front(*w);
      if (w->try_claim()) return w;
    }
    return nullptr;
  }

 private:
  void remove_front(waiter& w) noexcept {
    w.queue = nullptr;
    if (w.next != nullptr)
      w.next->prev = nullptr;
    else
      tail_ = nullptr;
    set_head(w.next);
  }
  void set_head(waiter* w) noexcept { head_.store(w, std::memory_order_release); }

  std::atomic<waiter*> head_{nullptr};
  waiter* tail_ = nullptr;
};

/// Absolute times are nanoseconds of the steady clock; this one never comes.
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

/// Blocks the calling agent until ready(). `held` is released once it is off its stack. False: the deadlock report
/// chose this goroutine to throw (deadlock_action::throw_error); the caller takes its waiter out of the queue
/// (under the lock, if it is still in one) and calls throw_deadlock().
[[nodiscard]] bool park(wait_reason reason, spinlock& held) noexcept;

/// The same with any release action; it runs on another stack, and what it points to may be gone as soon as it
/// has released the last lock.
[[nodiscard]] bool park(wait_reason reason, void (*release)(void*), void* arg) noexcept;

/// As park(), but at `deadline` the wait is claimed by `claimed_by_timeout` if nobody else has claimed it. All of
/// the caller's waiters carry `claim`. After it returns true, *claim tells who won; a loser's waiters are still
/// queued. deadline `never` is allowed.
[[nodiscard]] bool park_until(wait_reason reason, spinlock& held, claim_word& claim,
                              std::int64_t deadline) noexcept;
[[nodiscard]] bool park_until(wait_reason reason, void (*release)(void*), void* arg,
                              claim_word& claim, std::int64_t deadline) noexcept;

/// Lets a parked agent go on. Exactly one call per park().
void ready(agent* who) noexcept;

[[noreturn]] void throw_deadlock();

/// Blocks for ever (nil channels, select without cases), except for a deadlock report that throws.
[[noreturn]] void park_forever(wait_reason reason);

/// Nanoseconds of the clock all deadlines are measured by.
std::int64_t now_ns() noexcept;
/// The same for making deadlines, at half the cost or less: never behind it, up to 0.2 us ahead, and by so much it may go
/// back.
std::int64_t rough_now_ns() noexcept;
/// Whether `deadline` is past by now_ns().
inline bool has_come(std::int64_t deadline) noexcept {
  return deadline <= rough_now_ns() && deadline <= now_ns();
}

/// Raised when some goroutine has to give way or a tool wants to look: read by every runtime call.
extern std::atomic<std::uint32_t> attention;
void attend() noexcept;
RUNNEL_ALWAYS_INLINE void check_attention() noexcept {
  if (attention.load(std::memory_order_relaxed) != 0) [[unlikely]]
    attend();
}

/// `fatal error: MESSAGE` and the goroutines on standard error, then the process ends with status 2.
[[noreturn]] void fatal(const char* message) noexcept;

}  // namespace runnel::detail
