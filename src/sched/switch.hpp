// Changing goroutines on a processor.
#pragma once
#include "arch/context.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

/// Does what the context that was left asked for, now that it is off its stack.
void run_pending(processor& p) noexcept;

inline void finish_switch(processor& p) noexcept {
  if (p.pending.what == pending_action::kind::unlock) [[likely]] {
    auto* lock = static_cast<spinlock*>(p.pending.arg);
    p.pending.what = pending_action::kind::none;
    lock->unlock();
  } else if (p.pending.what != pending_action::kind::none) {
    run_pending(p);
  }
}

inline void take_exceptions(exception_state& thread, exception_state& into) noexcept {
  if (thread.any()) [[unlikely]] {
    into = thread;
    thread = exception_state{};
  }
}

inline void give_exceptions(exception_state& thread, exception_state& from) noexcept {
  if (from.any()) [[unlikely]] {
    thread = from;
    from = exception_state{};
  }
}

/// Leaves `self` (the running goroutine of `p`) for another one, or for the scheduler's context where `next` is null.
/// Returns when `self` runs again, perhaps on another processor.
void switch_away(processor& p, goroutine& self, runnable* next) noexcept;

/// Leaves the ended goroutine `self` for ever.
[[noreturn]] void switch_from_ended(processor& p, goroutine& self) noexcept;

/// From the scheduler's context into `next`; returns when a goroutine hands back, with the processor this thread now
/// has (null: it lost it to lock_os_thread).
processor* switch_into(processor& p, runnable& next) noexcept;

}  // namespace runnel::detail
