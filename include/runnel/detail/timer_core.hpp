// What the handles of time.hpp refer to.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/spinlock.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/detail/timer_object.hpp>

namespace runnel::detail {

/// What a timer does, whichever kind it is. `when` is absolute.
class timer_core : public timer_object {
 public:
  /// Whether it was pending, which it is no longer.
  virtual bool stop() noexcept = 0;
  /// Pending from now on, with one value each `period` if that is not 0. Whether it was before.
  virtual bool reset(std::int64_t when, std::int64_t period) noexcept = 0;
  virtual recv_chan<clock::time_point> chan() noexcept = 0;
  /// The timer or ticker is gone.
  virtual void drop() noexcept = 0;
};

/// Owns what a timer or ticker refers to; null once moved from.
class timer_handle {
 public:
  explicit timer_handle(timer_core* adopted) noexcept : core_(adopted) {}
  timer_handle(timer_handle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  timer_handle& operator=(timer_handle&& other) noexcept {
    timer_handle(std::move(other)).swap(*this);
    return *this;
  }
  ~timer_handle() {
    if (core_ != nullptr) core_->drop();
  }

  timer_core* get() const noexcept { return core_; }
  recv_chan<clock::time_point> chan() const {
    return core_ != nullptr ? core_->chan() : recv_chan<clock::time_point>();
  }
  bool stop() noexcept { return core_ != nullptr && core_->stop(); }
  bool reset(std::int64_t when, std::int64_t period) {
    if (core_ == nullptr) throw_uninitialized();
    return core_->reset(when, period);
  }

 private:
  [[noreturn]] static void throw_uninitialized();
  void swap(timer_handle& other) noexcept { std::swap(core_, other.core_); }

  timer_core* core_;
};

/// A timer with a channel. period 0: one value. Starts the runtime. Throws std::bad_alloc.
timer_core* make_channel_timer(std::int64_t when, std::int64_t period);
/// The same without a handle to the timer: it lives as long as its channel.
recv_chan<clock::time_point> make_timer_channel(std::int64_t when, std::int64_t period);
/// The period of a ticker in nanoseconds; throws std::invalid_argument unless it is positive.
std::int64_t checked_period(std::int64_t ns);
void sleep_until_ns(std::int64_t deadline);

/// A timer that runs a function in a goroutine. Armed while it is pending: exactly when disarm() succeeds, a firing
/// did not happen. Each firing is a goroutine that shares the object, so that the function outlives the handle.
class func_timer : public timer_core {
 public:
  bool stop() noexcept final;
  bool reset(std::int64_t when, std::int64_t period) noexcept final;
  recv_chan<clock::time_point> chan() noexcept final { return {}; }
  void drop() noexcept final { release(); }
  /// Pending for the first time; called once. Starts the runtime.
  void start(std::int64_t when) noexcept;

 protected:
  explicit func_timer(void* created_at) noexcept : created_at_(created_at) {}

 private:
  struct call;
  void fire() noexcept final;
  virtual void run() = 0;

  spinlock mu_;             // serialises arm() and disarm()
  void* const created_at_;  // where after_func was called
};

template <class F>
concept timer_function = std::invocable<std::add_lvalue_reference_t<std::decay_t<F>>>;

template <class F>
class func_timer_of final : public func_timer {
 public:
  template <class G>
  func_timer_of(void* created_at, G&& f) : func_timer(created_at), f_(std::forward<G>(f)) {}

 private:
  void run() override { std::invoke(f_); }

  F f_;
};

}  // namespace runnel::detail
