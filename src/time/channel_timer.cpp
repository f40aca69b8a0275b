// Timers and tickers with a channel: one object, of which the channel is a part.
//
// Under the channel's lock (state_.mu):
//   armed_ exactly while it is in a heap or its fire() has been chosen and not begun; only while somebody waits on
//   the channel, and for when_;
//   stale_ firings were chosen before they could be disarmed, and do nothing.
// Nobody's value is ever stale because there is none before somebody takes it: take() decides then, under the lock.
//
// Lock order: state_.mu, then a heap's. A heap calls fire() with no lock held.
//
// Two counts of references keep it: the channel's handles, which together have one share, and the heap's shares.
#include <atomic>
#include <mutex>
#include <optional>
#include <stdexcept>

#include <runnel/detail/timer_core.hpp>

#include "base/free_list.hpp"
#include "sched/processor.hpp"
#include "sched/start.hpp"

namespace runnel::detail {
namespace {

class channel_timer final : public timer_core, public chan_source {
 public:
  channel_timer(std::int64_t when, std::int64_t period) noexcept
      : state_(std::size_t{0}, false, false), when_(when), period_(period) {
    state_.source = this;
  }

  bool stop() noexcept override {
    std::lock_guard lock(state_.mu);
    cancel_arming();
    return set_pending(false);
  }

  bool reset(std::int64_t when, std::int64_t period) noexcept override {
    std::lock_guard lock(state_.mu);
    cancel_arming();
    set_when(when);
    period_ = period;
    const bool was = set_pending(true);
    if (!state_.receivers.empty()) arm_if_pending();
    return was;
  }

  recv_chan<clock::time_point> chan() noexcept override {
    state_.handles.fetch_add(1, std::memory_order_relaxed);  // the timer's own keeps it alive
    return recv_chan<clock::time_point>(&state_);
  }
  recv_chan<clock::time_point> adopt() noexcept { return recv_chan<clock::time_point>(&state_); }

  // Without another handle nobody can receive, nor make one, so there is nothing to stop.
  // acquire: pairs with the releases of the other handles
  void drop() noexcept override {
    if (state_.handles.load(std::memory_order_acquire) == 1) return orphaned();
    stop();
    if (state_.handles.fetch_sub(1) == 1) orphaned();
  }

  // Timers come and go with each wait that may take too long.
  static void* operator new(std::size_t size) {
    processor* const p = cache_owner();
    return p != nullptr ? p->free_timers.get(from_heap) : ::operator new(size);
  }
  static void operator delete(void* block) noexcept {
    processor* const p = cache_owner();
    if (p != nullptr)
      p->free_timers.put(from_heap, ::new (block) free_timer{});
    else
      ::operator delete(block);
  }

 private:
  // AddressSanitizer shall see each block come and go.
  static processor* cache_owner() noexcept { return RUNNEL_ASAN ? nullptr : current_processor(); }

  struct store {
    free_list<free_timer> take() const {
      free_list<free_timer> one;
      one.push(::new (::operator new(sizeof(channel_timer))) free_timer{});
      return one;
    }
    void give(free_list<free_timer> full) const noexcept {
      while (full.count > 0) ::operator delete(full.pop());
    }
  };
  static constexpr store from_heap{};

  void fire() noexcept override {
    agent* wake = nullptr;
    {
      std::lock_guard lock(state_.mu);
      if (stale_ > 0) {
        --stale_;
        return;
      }
      armed_ = false;
      wake = deliver();
      if (!state_.receivers.empty()) arm_if_pending();
    }
    if (wake != nullptr) ready(wake);
  }

  agent* deliver() noexcept {
    if (!is_due()) return nullptr;
    waiter* w = state_.receivers.pop();
    if (w == nullptr)
      return nullptr;  // those who waited were woken by something else: the value stays
    const std::int64_t due = take_due();
    static_cast<std::optional<clock::time_point>*>(w->slot)->emplace(clock::duration(due));
    w->ok = true;
    return w->who;
  }

  bool take(std::int64_t& due) noexcept override {
    if (!is_due()) return false;
    due = take_due();
    return true;
  }
  std::int64_t due_at() const noexcept override { return pending() ? when() : never; }
  void watched() noexcept override { arm_if_pending(); }
  void unwatched() noexcept override { cancel_arming(); }
  void orphaned() noexcept override { timer_object::release(); }

  bool is_due() const noexcept { return pending() && has_come(when()); }
  // It is due. The next one is the first that is not.
  std::int64_t take_due() noexcept {
    const std::int64_t due = when();
    if (period_ == 0)
      set_pending(false);
    else
      set_when(add_ns(due, period_ * (1 + (now_ns() - due) / period_)));
    return due;
  }

  void arm_if_pending() noexcept {
    if (!pending() || when() == never) return;
    arm(*this, when());
    armed_ = true;
  }
  void cancel_arming() noexcept {
    if (!std::exchange(armed_, false)) return;
    if (!disarm(*this)) ++stale_;
  }

  std::int64_t when() const noexcept { return when_.load(std::memory_order_relaxed); }
  void set_when(std::int64_t when) noexcept { when_.store(when, std::memory_order_relaxed); }
  bool pending() const noexcept { return pending_.load(std::memory_order_relaxed); }
  // What it was.
  bool set_pending(bool now) noexcept {
    const bool was = pending();
    pending_.store(now, std::memory_order_relaxed);
    return was;
  }

  chan_state<clock::time_point> state_;
  // when_ and pending_ change under state_.mu only; due_at() reads them without it.
  std::atomic<std::int64_t> when_;  // of the next value, if pending_
  std::int64_t period_;             // guarded by state_.mu; 0: one value
  std::atomic<bool> pending_{true};
  bool armed_ = false;       // guarded by state_.mu
  std::uint32_t stale_ = 0;  // guarded by state_.mu
};

}  // namespace

timer_core* make_channel_timer(std::int64_t when, std::int64_t period) {
  ensure_started();
  return new channel_timer(when, period);
}

recv_chan<clock::time_point> make_timer_channel(std::int64_t when, std::int64_t period) {
  ensure_started();
  return (new channel_timer(when, period))->adopt();
}

std::int64_t checked_period(std::int64_t ns) {
  if (ns <= 0) throw std::invalid_argument("non-positive interval for ticker");
  return ns;
}

void timer_handle::throw_uninitialized() {
  throw std::logic_error("reset called on uninitialized timer");
}

}  // namespace runnel::detail
