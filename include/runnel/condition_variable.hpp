// condition_variable: waits for a condition that a lock protects, with any lock.
#pragma once
#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <stop_token>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/time.hpp>

namespace runnel {

class context;

namespace detail {

std::stop_token stop_token_of(const context& ctx);

/// One wait: on the list from before its lock is released until whoever wins the claim ends it. The winner takes it off
/// the list, then moves it to `settled`, and makes it ready if it was parked by then; that move is the last time it or
/// the condition variable is touched.
struct cond_waiter : waiter {
  enum class phase : std::uint32_t { listed, parked, settled };

  std::atomic<phase> state{phase::listed};
  claim_word claimed{unclaimed};
};

/// The part of a condition variable that does not depend on the type of the lock.
class cond_core {
 public:
  constexpr cond_core() noexcept = default;
  cond_core(const cond_core&) = delete;
  cond_core& operator=(const cond_core&) = delete;

  void enlist(cond_waiter& w) noexcept;
  /// Whether it was notified; false: `deadline` came first, or cancel(). Throws deadlock_error.
  bool sleep(cond_waiter& w, std::int64_t deadline);
  /// Ends the wait unnotified, unless it has ended already. From any thread.
  void cancel(cond_waiter& w) noexcept;
  /// Takes it off the list without having slept.
  void withdraw(cond_waiter& w) noexcept;

  void notify_one() noexcept {
    if (!waiters_.empty_hint()) notify_first();
  }
  void notify_all() noexcept {
    if (!waiters_.empty_hint()) notify_each();
  }

 private:
  void notify_first() noexcept;
  void notify_each() noexcept;
  bool give_up(cond_waiter& w) noexcept;

  wait_queue waiters_;  // guarded by queue_lock(this)
};

}  // namespace detail

/// Has the interface of std::condition_variable_any, and more: it never wakes anybody without need, waiters are woken
/// first come, first served, and who was waiting when it was notified is woken even if others come meanwhile.
///
/// `Lock` is anything with lock() and unlock(), in a locked state; a wait unlocks it, blocks, and locks it again, also
/// when it throws or times out. Notifying does not need the lock. May be destroyed once all waiters have been notified.
class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  /// Wakes the one that has waited longest, if any.
  void notify_one() noexcept { core_.notify_one(); }
  /// Wakes all that wait.
  void notify_all() noexcept { core_.notify_all(); }

  /// Blocks until notified.
  template <class Lock>
  void wait(Lock& lock) {
    (void)wait_once(lock, detail::never);
  }
  /// Waits while `pred()`, called with the lock held, is false.
  template <class Lock, std::predicate Predicate>
  void wait(Lock& lock, Predicate pred) {
    while (!pred()) (void)wait_once(lock, detail::never);
  }

  /// Blocks until notified or `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <class Lock, detail::any_time_point TP>
  std::cv_status wait_until(Lock& lock, TP deadline) {
    return status(wait_once(lock, detail::deadline_at(deadline)));
  }
  /// The same for a condition; gives `pred()`.
  template <class Lock, detail::any_time_point TP, std::predicate Predicate>
  bool wait_until(Lock& lock, TP deadline, Predicate pred) {
    return wait_deadline(lock, detail::deadline_at(deadline), pred);
  }

  /// Blocks until notified or for `timeout`. Zero or less: does not wait.
  template <class Lock, detail::any_duration D>
  std::cv_status wait_for(Lock& lock, D timeout) {
    return status(wait_once(lock, detail::deadline_after(timeout)));
  }
  /// The same for a condition; gives `pred()`.
  template <class Lock, detail::any_duration D, std::predicate Predicate>
  bool wait_for(Lock& lock, D timeout, Predicate pred) {
    return wait_deadline(lock, detail::deadline_after(timeout), pred);
  }

  /// Waits while `pred()` is false and nobody has asked to stop; gives `pred()`. A request to stop wakes this waiter
  /// only.
  template <class Lock, std::predicate Predicate>
  bool wait(Lock& lock, std::stop_token stop, Predicate pred) {
    return wait_stoppable(lock, stop, detail::never, pred);
  }
  /// The same until `deadline`.
  template <class Lock, detail::any_time_point TP, std::predicate Predicate>
  bool wait_until(Lock& lock, std::stop_token stop, TP deadline, Predicate pred) {
    return wait_stoppable(lock, stop, detail::deadline_at(deadline), pred);
  }
  /// The same for `timeout`.
  template <class Lock, detail::any_duration D, std::predicate Predicate>
  bool wait_for(Lock& lock, std::stop_token stop, D timeout, Predicate pred) {
    return wait_stoppable(lock, stop, detail::deadline_after(timeout), pred);
  }

  /// Blocks until notified (true) or `ctx` is done (false; at once if it is from the start).
  template <class Lock>
  bool wait(Lock& lock, const context& ctx) {
    return wait_once(lock, detail::never, detail::stop_token_of(ctx));
  }
  /// Waits while `pred()` is false and `ctx` is not done; gives `pred()`.
  template <class Lock, std::predicate Predicate>
  bool wait(Lock& lock, const context& ctx, Predicate pred) {
    return wait_stoppable(lock, detail::stop_token_of(ctx), detail::never, pred);
  }

 private:
  static std::cv_status status(bool notified) noexcept {
    return notified ? std::cv_status::no_timeout : std::cv_status::timeout;
  }

  template <class Lock, class Predicate>
  bool wait_deadline(Lock& lock, std::int64_t deadline, Predicate& pred) {
    while (!pred()) {
      if (!wait_once(lock, deadline)) return pred();
    }
    return true;
  }

  template <class Lock, class Predicate>
  bool wait_stoppable(Lock& lock, const std::stop_token& stop, std::int64_t deadline,
                      Predicate& pred) {
    while (!stop.stop_requested()) {
      if (pred()) return true;
      if (!wait_once(lock, deadline, stop)) break;
    }
    return pred();
  }

  template <class Lock>
  bool wait_once(Lock& lock, std::int64_t deadline) {
    detail::cond_waiter w;
    core_.enlist(w);
    return wait_enlisted(lock, w, deadline);
  }

  // A callback that has begun is waited for by its destructor, so `w` outlives it.
  template <class Lock>
  bool wait_once(Lock& lock, std::int64_t deadline, const std::stop_token& stop) {
    if (stop.stop_requested()) return false;
    detail::cond_waiter w;
    core_.enlist(w);
    const std::stop_callback wake(stop, [this, &w] { core_.cancel(w); });
    return wait_enlisted(lock, w, deadline);
  }

  template <class Lock>
  bool wait_enlisted(Lock& lock, detail::cond_waiter& w, std::int64_t deadline) {
    try {
      lock.unlock();
    } catch (...) {
      core_.withdraw(w);
      throw;
    }
    bool notified = false;
    try {
      notified = core_.sleep(w, deadline);
    } catch (...) {
      // Only a deadlock report gets here; whoever holds the lock may never give it back.
      if constexpr (requires { lock.try_lock(); }) (void)lock.try_lock();
      throw;
    }
    lock.lock();
    return notified;
  }

  detail::cond_core core_;
};

}  // namespace runnel
