// The state of a channel and everything that happens under its lock.
//
// Invariants, under mu:
//   at least one of the two wait queues is empty, but for a select that waits on the channel in both directions;
//   senders wait only while the buffer is full, receivers only while it is empty and nobody sends;
//   nobody waits in a closed channel.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/time.hpp>

namespace runnel::detail {

struct unit {};  // what a chan<void> carries

enum class chan_outcome : std::uint8_t { done, closed, would_block, timed_out };

/// What produces the values of a timer's channel: they are made when somebody looks, not buffered, so that none is
/// stale after a stop or reset. The channel is a part of it. All functions but due_at() and orphaned() are called with
/// the channel's lock held.
class chan_source {
 public:
  /// True and the time it was due, once per expiry.
  virtual bool take(std::int64_t& due) noexcept = 0;
  /// When there was or will be something to take, at some instant during the call; `never` after it was taken.
  virtual std::int64_t due_at() const noexcept = 0;
  /// The first receiver has begun to wait / the last one has gone.
  virtual void watched() noexcept = 0;
  virtual void unwatched() noexcept = 0;
  /// The last handle has gone: destroys the channel and itself, at once or when nobody uses them any more.
  virtual void orphaned() noexcept = 0;

 protected:
  ~chan_source() = default;
};

struct chan_core {
  spinlock mu;
  std::atomic<bool> closed{false};  // written under mu
  const bool unbounded;
  const bool abandonable;             // closes itself when the last handle that can receive goes
  std::atomic<std::size_t> count{0};  // values in the buffer; written under mu
  const std::size_t capacity;
  std::size_t head = 0;  // guarded by mu; next to receive
  std::size_t tail = 0;  // guarded by mu; next to fill
  wait_queue receivers;
  wait_queue senders;
  wait_queue watchers;  // neither: they wait for the close alone
  std::atomic<std::size_t> handles{1};
  std::atomic<std::size_t> receiving_handles{0};  // counted where abandonable
  chan_source* source = nullptr;  // set before the channel is shared; timer channels only

  chan_core(std::size_t cap, bool is_unbounded, bool is_abandonable) noexcept
      : unbounded(is_unbounded), abandonable(is_abandonable), capacity(cap) {}

  /// True: there is nothing in it that source is the source of. The rough clock is never behind the one take() asks.
  bool not_due() const noexcept { return source->due_at() > rough_now_ns(); }
  bool full() const noexcept { return count.load(std::memory_order_relaxed) == capacity; }

  // With mu held.
  void enqueue_receiver(waiter& w) noexcept {
    const bool first = receivers.empty();
    receivers.push_back(w);
    if (first && source != nullptr) [[unlikely]]
      source->watched();
  }
  void dequeue_receiver(waiter& w) noexcept {
    receivers.remove(w);
    if (source != nullptr && receivers.empty()) [[unlikely]]
      source->unwatched();
  }

  /// Closes; everybody who waits is woken. False: it was closed before.
  bool close() noexcept;
};

/// Blocks until a partner has taken the value at, or put one into, `slot`, or until `deadline`, with mu held on entry
/// and free on return. Throws deadlock_error with nothing left behind. `Why` is the operation's own reason or
/// wait_reason::select.
template <wait_reason Why>
chan_outcome wait_to_send(chan_core& c, void* slot, std::int64_t deadline);
template <wait_reason Why>
chan_outcome wait_to_recv(chan_core& c, void* slot, std::int64_t deadline);
/// The same on a nil channel, where no partner ever comes.
chan_outcome wait_on_nil(wait_reason reason, std::int64_t deadline);

[[noreturn]] void throw_send_on_closed();
[[noreturn]] void throw_bad_capacity();

template <class T>
struct chan_state : chan_core {
  static_assert(std::is_object_v<T> && !std::is_const_v<T> && !std::is_volatile_v<T>,
                "a channel's element type is void or an object type without const or volatile");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a channel's element type needs a nothrow move constructor: values are moved under "
                "the channel's lock");
  static_assert(std::is_nothrow_destructible_v<T>,
                "a channel's element type needs a nothrow destructor");

  static constexpr bool of_times = std::is_same_v<T, clock::time_point>;  // no other has a source
  static constexpr std::size_t most_bytes = std::size_t{1}
                                            << 46;  // beyond any address space in use
  std::optional<std::deque<T>> overflow;            // the buffer of an unbounded channel

  static chan_state* make(std::size_t cap, bool is_unbounded, bool is_abandonable) {
    if (cap > most_bytes / sizeof(T)) throw_bad_capacity();
    void* raw = ::operator new (buffer_offset() + cap * sizeof(T), std::align_val_t{alignment});
    auto* state = new (raw) chan_state(cap, is_unbounded, is_abandonable);
    if (is_unbounded) {
      try {
        state->overflow.emplace();
      } catch (...) {
        state->destroy();
        throw;
      }
    }
    return state;
  }

  void destroy() noexcept {
    if (source != nullptr) [[unlikely]]
      return source->orphaned();
    if (!unbounded) {
      for (; count.load(std::memory_order_relaxed) > 0; advance(head)) {
        slot(head)->~T();
        count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
      }
    }
    this->~chan_state();
    ::operator delete (static_cast<void*>(this), std::align_val_t{alignment});
  }

  // acquire, acq_rel: with the other releases. Who has the only handle need not count: nobody else can copy it.
  void release() noexcept {
    if (handles.load(std::memory_order_acquire) == 1 ||
        handles.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy();
  }

  // -- with mu held --------------------------------------------------------------------------------------------------

  /// `value` is left alone unless the outcome is done. Throws std::bad_alloc (unbounded channels only).
  chan_outcome try_send(T& value, agent*& wake) {
    if (closed.load(std::memory_order_relaxed)) [[unlikely]]
      return chan_outcome::closed;
    if (waiter* w = receivers.pop()) {
      static_cast<std::optional<T>*>(w->slot)->emplace(std::move(value));
      w->ok = true;
      wake = w->who;
      return chan_outcome::done;
    }
    if (unbounded) [[unlikely]] {
      put_overflow(value);
      return chan_outcome::done;
    }
    if (full()) return chan_outcome::would_block;
    put(value);
    set_count(count.load(std::memory_order_relaxed) + 1);
    return chan_outcome::done;
  }

  RUNNEL_ALWAYS_INLINE chan_outcome try_recv(std::optional<T>& out, agent*& wake) noexcept {
    const std::size_t n = count.load(std::memory_order_relaxed);
    if (n > 0) {
      if (unbounded) [[unlikely]] {
        take_overflow(out);
        return chan_outcome::done;
      }
      take(out);
      if (waiter* w = senders.pop()) {
        put(*static_cast<T*>(w->slot));  // the count stays: it was not empty at any instant
        w->ok = true;
        wake = w->who;
      } else {
        set_count(n - 1);
      }
      return chan_outcome::done;
    }
    if (waiter* w = senders.pop()) {
      out.emplace(std::move(*static_cast<T*>(w->slot)));
      w->ok = true;
      wake = w->who;
      return chan_outcome::done;
    }
    if constexpr (of_times) {
      std::int64_t due = 0;
      if (source != nullptr && source->take(due)) {
        out.emplace(clock::duration(due));
        return chan_outcome::done;
      }
    }
    if (closed.load(std::memory_order_relaxed)) {
      out.reset();
      return chan_outcome::closed;
    }
    return chan_outcome::would_block;
  }

  // -- without it ----------------------------------------------------------------------------------------------------

  /// True: at some instant during the call there was nothing to receive and the channel was open. The order of the
  /// looks matters: values and senders first, closed afterwards.
  bool certainly_empty() const noexcept {
    if constexpr (of_times)
      if (source != nullptr && !not_due()) return false;
    return count.load(std::memory_order_acquire) == 0 && senders.empty_hint() &&
           !closed.load(std::memory_order_acquire);
  }
  /// True: at some instant during the call nothing could be sent and the channel was open.
  bool certainly_full() const noexcept {
    return !unbounded && count.load(std::memory_order_acquire) == capacity &&
           receivers.empty_hint() && !closed.load(std::memory_order_acquire);
  }

 private:
  using chan_core::chan_core;

  static constexpr std::size_t alignment = alignof(T) > alignof(chan_core) ? alignof(T)
                                                                           : alignof(chan_core);
  static constexpr std::size_t buffer_offset() noexcept {
    return (sizeof(chan_state) + alignof(T) - 1) / alignof(T) * alignof(T);
  }

  T* slot(std::size_t i) noexcept {
    return std::launder(
        reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + buffer_offset() + i * sizeof(T)));
  }
  void advance(std::size_t& i) noexcept {
    if (++i == capacity) i = 0;
  }
  // release: pairs with the unlocked looks
  void set_count(std::size_t n) noexcept { count.store(n, std::memory_order_release); }

  // These two leave the count to their caller.
  void put(T& value) noexcept {
    ::new (static_cast<void*>(slot(tail))) T(std::move(value));
    advance(tail);
  }
  void take(std::optional<T>& out) noexcept {
    T* s = slot(head);
    out.emplace(std::move(*s));
    s->~T();
    advance(head);
  }
  // Apart, so that the others need few registers.
  [[gnu::noinline]] void put_overflow(T& value) {
    overflow->push_back(std::move(value));
    set_count(overflow->size());
  }
  [[gnu::noinline]] void take_overflow(std::optional<T>& out) noexcept {
    out.emplace(std::move(overflow->front()));
    overflow->pop_front();
    set_count(overflow->size());
  }
};

// -- the operations ----------------------------------------------------------------------------------------------------

/// closed: the value was left alone. deadline 0: does not block; `never`: until done.
template <wait_reason Why = wait_reason::chan_send, class T>
chan_outcome send_until(chan_state<T>* c, T& value, std::int64_t deadline) {
  check_attention();
  if (c == nullptr) [[unlikely]]
    return wait_on_nil(Why == wait_reason::select ? Why : wait_reason::chan_send_nil, deadline);
  c->mu.lock();
  agent* wake = nullptr;
  chan_outcome outcome;
  try {
    outcome = c->try_send(value, wake);
  } catch (...) {  // an unbounded channel found no memory
    c->mu.unlock();
    throw;
  }
  if (outcome != chan_outcome::would_block || deadline == 0) {
    c->mu.unlock();
    if (wake != nullptr) ready(wake);
    return outcome;
  }
  return wait_to_send<Why>(*c, std::addressof(value), deadline);
}

/// closed: closed and drained.
template <wait_reason Why = wait_reason::chan_receive, class T>
chan_outcome recv_until(chan_state<T>* c, std::optional<T>& out, std::int64_t deadline) {
  check_attention();
  if (c == nullptr) [[unlikely]]
    return wait_on_nil(Why == wait_reason::select ? Why : wait_reason::chan_receive_nil, deadline);
  c->mu.lock();
  agent* wake = nullptr;
  const chan_outcome outcome = c->try_recv(out, wake);
  if (outcome != chan_outcome::would_block || deadline == 0) {
    c->mu.unlock();
    if (wake != nullptr) ready(wake);
    return outcome;
  }
  return wait_to_recv<Why>(*c, &out, deadline);
}

}  // namespace runnel::detail
