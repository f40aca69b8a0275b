// What the patterns are built from: a stage is a goroutine that reads channels and produces one.
//
// A stage ends when its inputs are closed, when its context is done, or when nobody is left who could read what it
// produces; its output closes with it, and letting go of its inputs ends the stages before it in the same way.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/go.hpp>
#include <runnel/group.hpp>
#include <runnel/select.hpp>

namespace runnel::detail {

/// Where stages run: on their own, or in a group that gets the exceptions they throw.
struct stage_env {
  context ctx{};
  group* owner = nullptr;

  template <class F>
  void start(F&& f) const {
    if (owner != nullptr) {
      owner->go(std::forward<F>(f));
    } else {
      runnel::go(std::forward<F>(f));
    }
  }
};

/// Ready when the channel is closed, which for an abandonable one means that its last reader is gone.
class abandoned_case final : public case_base {
 public:
  explicit abandoned_case(chan_core* state) noexcept : state_(state) {}
  spinlock* lock() noexcept { return &state_->mu; }
  bool try_now(agent*&) noexcept override { return state_->closed.load(); }
  void enqueue(waiter& w) noexcept override { state_->watchers.push_back(w); }
  void dequeue(waiter& w) noexcept override { state_->watchers.remove(w); }
  void complete(waiter&) noexcept override {}

 private:
  chan_core* state_;
};

/// A deadline as a case; in a named place, so that a stage can keep it.
class deadline_case final : public case_base {
 public:
  explicit deadline_case(std::int64_t at) noexcept : at_(at) {}
  spinlock* lock() noexcept { return nullptr; }
  bool try_now(agent*&) noexcept override { return false; }
  void enqueue(waiter&) noexcept override {}
  void dequeue(waiter&) noexcept override {}
  void complete(waiter&) noexcept override {}
  std::int64_t deadline() noexcept override { return at_; }

 private:
  std::int64_t at_;
};

/// The producing end of a stage's output; closes it when it goes. Goroutines may share one.
template <class T>
class outlet {
 public:
  explicit outlet(send_chan<T> to) noexcept : to_(std::move(to)) {}
  outlet(outlet&&) noexcept = default;
  outlet& operator=(outlet&&) = delete;
  ~outlet() {
    if (to_) to_.state()->close();
  }

  chan_state_of<T>* state() const noexcept { return to_.state(); }
  bool abandoned() const noexcept { return state()->closed.load(); }
  /// False: nobody reads any more, or the context is done.
  bool send(const context& ctx, chan_value<T>& value) const {
    return send_in(ctx, state(), value) == chan_outcome::done;
  }

 private:
  send_chan<T> to_;
};

/// How a stage's wait for its next value ended.
enum class intake : std::uint8_t {
  value,
  closed,   ///< the input is closed and drained
  expired,  ///< the deadline came first
  ended     ///< the context is done, or nobody reads the output any more
};

/// The next value of `in` for a stage that produces `out`.
template <class T, class R>
intake take_in(const context& ctx, const outlet<R>& out, const recv_chan<T>& in,
               std::optional<chan_value<T>>& value, std::int64_t deadline = never) {
  if (context_access::done(ctx) || out.abandoned()) return intake::ended;
  if (const auto now = recv_until(in.state(), value, 0); now != chan_outcome::would_block) {
    return now == chan_outcome::done ? intake::value : intake::closed;
  }
  recv_ref_case<chan_value<T>> receiving(in.state(), value);
  deadline_case expiry(deadline);
  done_case done(context_access::canceler(ctx));
  abandoned_case gone(out.state());
  const guarded_case cases[] = {receiving, expiry, done, gone};
  switch (select_cases(cases, no_case, select_order::in_order)) {
    case 0:
      return receiving.outcome() == chan_outcome::done ? intake::value : intake::closed;
    case 1:
      return intake::expired;
    default:
      return intake::ended;
  }
}

/// The same where only a value makes a difference.
template <class T, class R>
bool receive_for(const context& ctx, const outlet<R>& out, const recv_chan<T>& in,
                 std::optional<chan_value<T>>& value) {
  return take_in(ctx, out, in, value) == intake::value;
}

/// Starts `body(outlet<T>&)` as a stage; its output, which is unbuffered: a stage takes no more from its input than
/// its consumer asks for, and one value.
template <class T, class Body>
recv_chan<T> start_stage(const stage_env& env, Body body) {
  auto [in, out] = make_abandonable<T>(0);
  env.start([to = outlet<T>(std::move(in)), body = std::move(body)]() mutable { body(to); });
  return std::move(out);
}

/// A channel that is closed already.
template <class T>
recv_chan<T> closed_chan() {
  auto [in, out] = make_abandonable<T>(0);
  in.state()->close();
  return std::move(out);
}

/// A function as a stage keeps and calls it.
template <class F>
using kept_function = std::add_lvalue_reference_t<std::decay_t<F>>;

/// Functions of a channel's values: f(value), or f() for the events of a chan<void>.
template <class F, class T>
concept value_function = (std::is_void_v<T> && std::invocable<F>) || std::invocable<F, T>;
template <class F, class T>
concept value_predicate = (std::is_void_v<T> && std::predicate<F>) || std::predicate<F, const T&>;

template <class T, class F, class Value>
decltype(auto) invoke_for(F& f, Value&& value) {
  if constexpr (std::is_void_v<T>) {
    return std::invoke(f);
  } else {
    return std::invoke(f, std::forward<Value>(value));
  }
}

template <can_receive C>
recv_chan<element_of<C>> source_of(const C& c) noexcept {
  return recv_chan<element_of<C>>(c);
}

}  // namespace runnel::detail
