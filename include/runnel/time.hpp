/// Sleeping, timers and tickers, with the semantics of Go 1.23 and newer.
///
/// A timer's value is made when somebody looks, not kept in a buffer: len() and cap() of its channel are 0, no stale
/// value is received after stop() or reset(), and a timer nobody waits for costs nothing but its memory. The value is
/// the time it was due, not the time of receipt.
#pragma once
#include <cstdint>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/detail/timer_core.hpp>
#include <runnel/go.hpp>

namespace runnel {

/// Blocks for at least `d`. Zero or less: returns at once. The longest durations sleep for ever.
template <detail::any_duration D>
void sleep_for(D d) {
  if (d <= d.zero())
    detail::check_attention();
  else
    detail::sleep_until_ns(detail::deadline_after(d));
}

/// Blocks until `deadline`, of runnel::clock or std::chrono::steady_clock. Past: returns at once.
template <detail::any_time_point TP>
void sleep_until(TP deadline) {
  detail::sleep_until_ns(detail::deadline_at(deadline));
}

/// A channel that gives one value, `d` from now; zero or less: at once. Does not block. Costs nothing more once no
/// handle to it is left. Throws std::bad_alloc.
template <detail::any_duration D>
recv_chan<clock::time_point> after(D d) {
  return detail::make_timer_channel(detail::deadline_after(d), 0);
}

/// A channel that gives a value each `period`, as a ticker's; zero or less: the nil channel. Costs nothing more once
/// no handle to it is left. Throws std::bad_alloc.
template <detail::any_duration D>
recv_chan<clock::time_point> tick(D period) {
  const std::int64_t ns = detail::to_ns(period);
  if (ns <= 0) return {};
  return detail::make_timer_channel(detail::add_ns(detail::rough_now_ns(), ns), ns);
}

/// One event in the future: a value in a channel, or the start of a function (after_func).
///
/// Movable. Destroying one that has a channel stops it; destroying one of after_func does not. Of one that was moved
/// from, chan() is nil, stop() false, and reset() throws std::logic_error. No member blocks.
class timer {
 public:
  /// Due `d` from now; zero or less: at once. Throws std::bad_alloc.
  template <detail::any_duration D>
  explicit timer(D d) : handle_(detail::make_channel_timer(detail::deadline_after(d), 0)) {}

  /// Where the value is received; for a timer of after_func, the nil channel.
  recv_chan<clock::time_point> chan() const { return handle_.chan(); }

  /// Keeps it from firing. True: it did, also when the timer had expired and nobody had received the value, which
  /// nobody will. False: the value was received or the function started before, or the timer was stopped already.
  bool stop() noexcept { return handle_.stop(); }

  /// Makes it due `d` from now, whatever it was before: no value of the old setting is received. Returns what stop()
  /// would have.
  template <detail::any_duration D>
  bool reset(D d) {
    return handle_.reset(detail::deadline_after(d), 0);
  }

 private:
  template <detail::any_duration D, detail::timer_function F>
  friend timer after_func(D d, F&& f);
  explicit timer(detail::timer_core* adopted) noexcept : handle_(adopted) {}

  detail::timer_handle handle_;
};

/// Events at a fixed distance. Ticks that a receiver is too slow for are dropped: the oldest is kept, and the next
/// one is a whole number of periods later.
///
/// Movable. Destroying it stops it. Of one that was moved from, chan() is nil, and reset() throws std::logic_error.
/// No member blocks.
class ticker {
 public:
  /// The first tick comes one `period` from now. Throws std::invalid_argument ("non-positive interval for ticker") if
  /// that is zero or less, std::bad_alloc.
  template <detail::any_duration D>
  explicit ticker(D period) : ticker(detail::checked_period(detail::to_ns(period)), exact{}) {}

  recv_chan<clock::time_point> chan() const { return handle_.chan(); }

  /// No more ticks, nor one that was due before. The channel stays open.
  void stop() noexcept { handle_.stop(); }

  /// Ticks at this `period` from now on, also after a stop(); a tick that was due before is dropped. Throws
  /// std::invalid_argument, and changes nothing, if it is zero or less.
  template <detail::any_duration D>
  void reset(D period) {
    const std::int64_t ns = detail::checked_period(detail::to_ns(period));
    handle_.reset(detail::add_ns(detail::rough_now_ns(), ns), ns);
  }

 private:
  struct exact {};
  ticker(std::int64_t ns, exact)
      : handle_(detail::make_channel_timer(detail::add_ns(detail::rough_now_ns(), ns), ns)) {}

  detail::timer_handle handle_;
};

/// Runs `f` in a goroutine of its own, `d` from now and again after each reset() of the timer; what it throws is a
/// panic. Does not block. Dropping the timer does not stop it. Stopping does not wait for an `f` that runs. Throws
/// what copying or moving `f` throws, std::bad_alloc; the program ends if no goroutine can be started when it is due.
template <detail::any_duration D, detail::timer_function F>
RUNNEL_ALWAYS_INLINE timer after_func(D d, F&& f) {
  const std::int64_t when = detail::deadline_after(d);
  detail::check_callable<std::decay_t<F>>(f);
  auto* made = new detail::func_timer_of<std::decay_t<F>>(detail::here(), std::forward<F>(f));
  made->start(when);
  return timer(made);
}

}  // namespace runnel
