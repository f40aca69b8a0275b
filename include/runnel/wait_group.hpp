// wait_group: waits for a number of goroutines to end, as Go's sync.WaitGroup.
#pragma once
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <runnel/detail/countdown.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/go.hpp>

namespace runnel {

class context;

/// Counts what is still to be done; wait() blocks until nothing is. May be used again once all waits have returned.
///
/// What happens before a done() is seen by every wait() that it lets return. add() from zero must happen before the
/// wait() that is meant to see it. May be destroyed as soon as a wait has returned.
class wait_group {
 public:
  constexpr wait_group() noexcept = default;
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  /// Adds `n`, which may be negative, to the counter. At zero all waits return. Throws std::logic_error ("negative
  /// wait_group counter") and changes nothing if the counter would fall below zero; std::logic_error also if it would
  /// pass 2^31 - 1.
  void add(int n) {
    const bool in_range =
        n < 0 ? count_.decrease(-static_cast<std::int64_t>(n)) : count_.increase(n);
    if (!in_range) [[unlikely]]
      throw_out_of_range(n);
  }

  /// add(-1).
  void done() {
    if (!count_.decrease(1)) [[unlikely]]
      throw_out_of_range(-1);
  }

  /// Blocks until the counter is zero.
  void wait() { (void)count_.wait(detail::wait_reason::wait_group_wait, detail::never); }

  /// The same for at most `timeout`. False: the counter was not zero in all that time. Zero or less: does not wait.
  template <detail::any_duration D>
  bool wait_for(D timeout) {
    return count_.is_zero() || count_.wait(reason, detail::deadline_after(timeout));
  }
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <detail::any_time_point TP>
  bool wait_until(TP deadline) {
    return count_.wait(reason, detail::deadline_at(deadline));
  }
  /// Blocks until the counter is zero or `ctx` is done. False: the context was done first, or from the start.
  bool wait(const context& ctx);

  /// Starts a goroutine that calls `f()` and is counted until it has ended and `f` is destroyed. An exception that
  /// leaves `f` ends the process, as it does for `go`. Throws what `go` does; the counter is unchanged then.
  template <class F>
  requires std::invocable<std::decay_t<F>>
  void go(F&& f) {
    add(1);
    try {
      runnel::go(task<std::decay_t<F>>{this, std::forward<F>(f)});
    } catch (...) {
      done();
      throw;
    }
  }

 private:
  template <class H>
  friend auto on_wait(wait_group& wg, H&& handler);

  static constexpr auto reason = detail::wait_reason::wait_group_wait;

  template <class F>
  struct task {
    template <class G>
    task(wait_group* g, G&& function) : group(g), f(std::in_place, std::forward<G>(function)) {}

    void operator()() {
      std::invoke(std::move(*f));
      if constexpr (!std::is_trivially_destructible_v<F>) f.reset();
      group->done();
    }

    wait_group* group;
    std::optional<F> f;  // what it holds may live no longer than the wait
  };

  [[noreturn]] static void throw_out_of_range(int n);

  detail::countdown count_;
};

namespace detail {

template <class H>
class wait_case final : public countdown_case {
 public:
  static constexpr bool is_otherwise = false;

  wait_case(countdown& c, H handler) : countdown_case(c), handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  H handler_;
};

}  // namespace detail

/// A select case that goes ahead when the counter of `wg` is zero; `handler()` runs after the select has decided.
template <class H>
auto on_wait(wait_group& wg, H&& handler) {
  return detail::wait_case<std::decay_t<H>>(wg.count_, std::forward<H>(handler));
}
inline auto on_wait(wait_group& wg) {
  return on_wait(wg, [] {});
}

}  // namespace runnel
