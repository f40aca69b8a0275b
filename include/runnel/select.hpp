/// select: waits for the first of several operations, exactly one of which goes ahead.
///
/// Of several cases that are ready one is picked at random; `otherwise` is picked only if at one instant none was ready.
/// Nil channels are never ready. A send case on a closed channel throws closed_channel when it is picked. The same
/// channel may stand in several cases; a select never meets itself. Handlers run after the select has let go of every
/// channel: they may block, select and throw. They may be left out, to switch on the index.
///
/// Channel expressions and values are evaluated when the cases are made; the arguments of one call in an order C++
/// leaves open, the elements of a braced list of select_case in theirs.
///
/// A case made from a channel (a context, ...) that has a name refers to it, as views of the standard library do: until
/// the select has decided, that channel must have a handle. One made from a temporary keeps what it was made from, and so
/// does every select_case, and every case that was copied or moved.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/case_operand.hpp>
#include <runnel/detail/select_case.hpp>

namespace runnel {
namespace detail {

struct no_handler {
  void operator()() const noexcept {}
};

template <class C>
concept select_case_type = std::derived_from<std::remove_cvref_t<C>, case_base> && requires(C& c) {
  c.run();
};

/// A case that no lock guards: otherwise and the timeouts.
class unlocked_case : public case_base {
 public:
  spinlock* lock() noexcept { return nullptr; }
  bool try_now(agent*&) noexcept final { return false; }
  void enqueue(waiter&) noexcept final {}
  void dequeue(waiter&) noexcept final {}
  void complete(waiter&) noexcept final {}
};

template <class Handle>
using element_of = typename std::remove_cvref_t<Handle>::value_type;

template <class Handle>
concept can_receive = requires(const Handle& h) {
  recv_chan<element_of<Handle>>(h);
};
template <class Handle>
concept can_send = requires(const Handle& h) {
  send_chan<element_of<Handle>>(h);
};

template <class T, bool Receives>
using chan_operand = case_operand<chan_state_of<T>, chan_handle<T, Receives>>;

template <class T, bool Receives>
void is_handle(const chan_handle<T, Receives>&);

/// A channel that has a name is lent.
template <class Handle, class Chan>
auto make_operand(Chan&& c) noexcept {
  using operand = chan_operand<typename Handle::value_type, can_receive<Handle>>;
  if constexpr (std::is_lvalue_reference_v<Chan> && requires { is_handle(c); }) {
    return operand(c.state());
  } else {
    Handle own(std::forward<Chan>(c));
    auto* const state = own.state();
    return operand(state, std::move(own));
  }
}

template <class T>
class recv_case_base : public case_base {
 public:
  template <class Chan>
  recv_case_base(std::in_place_t, Chan&& from) noexcept
      : from_(make_operand<recv_chan<T>>(std::forward<Chan>(from))) {}

  spinlock* lock() noexcept { return from_.state() == nullptr ? nullptr : &from_.state()->mu; }
  bool try_now(agent*& wake) noexcept final {
    value_.reset();
    return from_.state()->try_recv(value_, wake) != chan_outcome::would_block;
  }
  void enqueue(waiter& w) noexcept final {
    value_.reset();
    w.slot = &value_;
    from_.state()->enqueue_receiver(w);
  }
  void dequeue(waiter& w) noexcept final { from_.state()->dequeue_receiver(w); }
  void complete(waiter&) noexcept final {}
  bool miss_hint() noexcept final { return from_.state()->certainly_empty(); }
  /// The whole select, where beside this case there is but a timeout: false if `deadline` came first. 0: does not block.
  bool goes_by(std::int64_t deadline) {
    value_.reset();
    const chan_outcome outcome = recv_until<wait_reason::select>(from_.state(), value_, deadline);
    return outcome == chan_outcome::done || outcome == chan_outcome::closed;
  }

  /// A timer that nobody else can receive from, stop or reset, as this case has the only handle: on_recv(after(1s)).
  /// When it is due its value is there for run() to take.
  bool is_but_a_deadline() const noexcept requires chan_state_of<T>::of_times {
    if (from_.is_lent()) return false;  // as a channel that is null is
    const auto* state = from_.state();
    return state->source != nullptr && state->handles.load(std::memory_order_acquire) == 1;
  }
  /// Only for such a one.
  bool may_be_due() const noexcept requires chan_state_of<T>::of_times {
    return !from_.state()->not_due();
  }
  std::int64_t deadline() noexcept final {
    if constexpr (chan_state_of<T>::of_times)
      if (from_.state() != nullptr && from_.state()->source != nullptr)
        return from_.state()->source->due_at();
    return never;
  }

 protected:
  /// What was received; the case keeps nothing of it.
  std::optional<chan_value<T>> take() noexcept {
    if constexpr (chan_state_of<T>::of_times)
      if (!value_) goes_by(0);  // it may have been but a deadline
    if (!value_) return std::nullopt;
    std::optional<chan_value<T>> taken(std::in_place, *std::move(value_));
    value_.reset();
    return taken;
  }

 private:
  chan_operand<T, true> from_;
  std::optional<chan_value<T>> value_;
};

template <class T, class H>
class recv_case final : public recv_case_base<T> {
 public:
  static constexpr bool is_otherwise = false;
  template <class Chan>
  recv_case(Chan&& from, H handler)
      : recv_case_base<T>(std::in_place, std::forward<Chan>(from)), handler_(std::move(handler)) {}
  void run() {
    if constexpr (std::is_void_v<T>) {
      const bool received = this->take().has_value();
      if constexpr (std::invocable<H&, bool>)
        std::invoke(handler_, received);
      else
        std::invoke(handler_);
    } else if constexpr (requires { handler_(this->take()); }) {
      handler_(this->take());  // nothing of it is left here while the handler runs
    } else {
      (void)this->take();
      std::invoke(handler_);
    }
  }

 private:
  [[no_unique_address]] H handler_;
};

template <class T, class H>
class send_case final : public case_base {
 public:
  static constexpr bool is_otherwise = false;
  template <class Chan, class V>
  send_case(Chan&& to, V&& value, H handler)
      : to_(make_operand<send_chan<T>>(std::forward<Chan>(to))),
        value_(chan_value<T>(std::forward<V>(value))),  // made in place
        handler_(std::move(handler)) {}

  spinlock* lock() noexcept { return to_.state() == nullptr ? nullptr : &to_.state()->mu; }
  bool try_now(agent*& wake) noexcept override {
    try {
      outcome_ = to_.state()->try_send(value_, wake);
    } catch (...) {  // an unbounded channel found no memory; thrown by run()
      failure_ = std::current_exception();
      outcome_ = chan_outcome::done;
    }
    return outcome_ != chan_outcome::would_block;
  }
  void enqueue(waiter& w) noexcept override {
    w.slot = std::addressof(value_);
    to_.state()->senders.push_back(w);
  }
  void dequeue(waiter& w) noexcept override { to_.state()->senders.remove(w); }
  void complete(waiter& w) noexcept override {
    outcome_ = w.ok ? chan_outcome::done : chan_outcome::closed;
  }
  bool miss_hint() noexcept override { return to_.state()->certainly_full(); }
  /// As recv_case's.
  bool goes_by(std::int64_t deadline) {
    outcome_ = send_until<wait_reason::select>(to_.state(), value_, deadline);
    return outcome_ == chan_outcome::done || outcome_ == chan_outcome::closed;
  }

  void run() {
    if (outcome_ == chan_outcome::closed) throw_send_on_closed();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    std::invoke(handler_);
  }

 private:
  chan_operand<T, false> to_;
  chan_value<T> value_;
  chan_outcome outcome_ = chan_outcome::would_block;
  std::exception_ptr failure_;
  [[no_unique_address]] H handler_;
};

template <class H>
class timeout_case final : public unlocked_case {
 public:
  static constexpr bool is_otherwise = false;
  /// A duration counts from the moment the select finds nothing ready; a time point is absolute.
  timeout_case(std::int64_t ns, bool relative, H handler)
      : ns_(ns), relative_(relative), handler_(std::move(handler)) {}
  static constexpr bool is_but_a_deadline() noexcept { return true; }
  static constexpr bool may_be_due() noexcept { return false; }  // it is no rival of what is ready
  std::int64_t deadline() noexcept override {
    if (relative_) return ns_ <= 0 ? 0 : add_ns(rough_now_ns(), ns_);
    return has_come(ns_) ? 0 : ns_;
  }
  void run() { std::invoke(handler_); }

 private:
  std::int64_t ns_;
  bool relative_;
  [[no_unique_address]] H handler_;
};

template <class C>
inline constexpr bool is_timeout = false;
template <class H>
inline constexpr bool is_timeout<timeout_case<H>> = true;

/// A timeout, or a timer's channel that may be as good as one.
template <class C>
concept timeout_like = requires(C& c) {
  { c.is_but_a_deadline() } -> std::same_as<bool>;
};
/// A receive from any other channel, or a send.
template <class C>
concept channel_case = !timeout_like<C> && requires(C & c, std::int64_t deadline) {
  { c.goes_by(deadline) } -> std::same_as<bool>;
};

template <class H>
class otherwise_case final : public unlocked_case {
 public:
  static constexpr bool is_otherwise = true;
  explicit otherwise_case(H handler) : handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  [[no_unique_address]] H handler_;
};

template <class Chan, class H>
auto make_recv_case(Chan&& source, H handler) {
  using T = element_of<Chan>;
  return recv_case<T, H>(std::forward<Chan>(source), std::move(handler));
}
template <class Chan, class V, class H>
auto make_send_case(Chan&& to, V&& value, H handler) {
  using T = element_of<Chan>;
  return send_case<T, H>(std::forward<Chan>(to), std::forward<V>(value), std::move(handler));
}

}  // namespace detail

/// Receives; `handler(std::optional<T>)` (chan<void>: `handler(bool)`) or `handler()`. nullopt, false: closed and drained.
template <detail::can_receive Chan, class H>
requires(!std::same_as<std::remove_cvref_t<H>,
                       std::optional<detail::element_of<Chan>>>) auto on_recv(Chan&& source,
                                                                              H handler) {
  return detail::make_recv_case(std::forward<Chan>(source), std::move(handler));
}
/// Receives into `out`; nullopt: closed and drained.
template <detail::can_receive Chan>
auto on_recv(Chan&& source, std::optional<detail::element_of<Chan>>& out) {
  return detail::make_recv_case(std::forward<Chan>(source),
                                [&out](std::optional<detail::element_of<Chan>> value) {
                                  out.reset();  // T may lack assignment
                                  if (value) out.emplace(*std::move(value));
                                });
}
/// Receives and drops the value.
template <detail::can_receive Chan>
auto on_recv(Chan&& source) {
  return detail::make_recv_case(std::forward<Chan>(source), detail::no_handler{});
}

/// Sends `value`: an lvalue is copied now; an rvalue is kept in the case and moved out only if the case goes ahead.
template <detail::can_send Chan, class V, class H = detail::no_handler>
requires std::constructible_from<detail::element_of<Chan>, V &&> auto on_send(Chan&& to, V&& value,
                                                                              H handler = {}) {
  return detail::make_send_case(std::forward<Chan>(to), std::forward<V>(value), std::move(handler));
}
template <detail::can_send Chan, class H = detail::no_handler>
requires std::is_void_v<detail::element_of<Chan>>
auto on_send(Chan&& to, H handler = {}) {
  return detail::make_send_case(std::forward<Chan>(to), detail::unit{}, std::move(handler));
}

/// Goes ahead when nothing else has for `timeout`; zero or less: unless something is ready at once. Of several due at
/// the same time any is picked, by select_ordered() the first.
template <detail::any_duration D, class H = detail::no_handler>
auto on_timeout(D timeout, H handler = {}) {
  return detail::timeout_case<H>(detail::to_ns(timeout), true, std::move(handler));
}
template <detail::any_time_point TP, class H = detail::no_handler>
auto on_deadline(TP deadline, H handler = {}) {
  return detail::timeout_case<H>(detail::deadline_at(deadline), false, std::move(handler));
}

/// Goes ahead if at one instant no other case was ready and no deadline past: the select does not block. At most one.
template <class H = detail::no_handler>
auto otherwise(H handler = {}) {
  return detail::otherwise_case<H>(std::move(handler));
}

/// A case of any kind, for selects whose cases are chosen at run time. May be used in one select after another, but a
/// sent value is gone after its case went ahead.
class select_case {
 public:
  template <class C>
  requires(detail::select_case_type<C> && !std::same_as<std::remove_cvref_t<C>, select_case>)
      select_case(C&& c)
      : impl_(make_model(std::remove_cvref_t<C>(std::forward<C>(c)))) {}

  detail::guarded_case base() noexcept { return impl_->base(); }
  bool is_otherwise() const noexcept { return impl_->is_otherwise(); }
  void run() { impl_->run(); }

 private:
  struct holder {
    virtual ~holder() = default;
    virtual detail::guarded_case base() noexcept = 0;
    virtual bool is_otherwise() const noexcept = 0;
    virtual void run() = 0;
  };
  template <class C>
  struct model final : holder {
    explicit model(C&& c) : held(std::move(c)) {}
    detail::guarded_case base() noexcept override { return held; }
    bool is_otherwise() const noexcept override { return C::is_otherwise; }
    void run() override { held.run(); }
    C held;
  };
  template <class C>
  static std::unique_ptr<holder> make_model(C&& c) {
    return std::make_unique<model<C>>(std::move(c));  // NOLINT: only ever an rvalue
  }

  std::unique_ptr<holder> impl_;
};

namespace detail {

std::size_t select_span(std::span<select_case> cases, select_order order);

/// What the cases are is known here, and so to ask them costs a few loads.
template <class... Cases>
case_set ready_hints(Cases&... cases) noexcept {
  case_set may_be_ready = 0;
  case_set bit = 1;
  ((cases.lock() != nullptr && !cases.miss_hint() ? may_be_ready |= bit : bit, bit <<= 1), ...);
  return may_be_ready;
}

/// The index of the case that went ahead.
template <select_order Order, class... Cases>
std::size_t decide_any(Cases&... cases) {
  constexpr std::size_t otherwise_count = (std::size_t{0} + ... + std::size_t{Cases::is_otherwise});
  static_assert(otherwise_count <= 1, "a select has at most one otherwise");
  constexpr bool is_default[] = {Cases::is_otherwise..., false};
  std::size_t otherwise_index = no_case;
  for (std::size_t i = 0; i < sizeof...(Cases); ++i)
    if (is_default[i]) otherwise_index = i;
  const case_set may_be_ready = ready_hints(cases...);
  // The only case beside an otherwise: what one hint says was true at one instant. A timeout may be past.
  constexpr bool is_try =
      otherwise_count == 1 && sizeof...(Cases) == 2 && (!is_timeout<Cases> && ...);
  if (is_try && may_be_ready == 0) return otherwise_index;
  const std::array<guarded_case, sizeof...(Cases)> all{cases...};
  return select_among(all, may_be_ready, otherwise_index, Order);
}

/// A channel and a timeout, the most common of selects that wait, are an operation with a deadline. It counts from the
/// moment when nothing is ready. `index` is the channel's; no_case: it is not so simple.
template <channel_case C, timeout_like D>
std::size_t decide_in_time(C& on_chan, D& timeout, std::size_t index) {
  if (!timeout.is_but_a_deadline()) return no_case;
  if (on_chan.lock() != nullptr && !on_chan.miss_hint()) {
    if (timeout.may_be_due()) return no_case;
    if (on_chan.goes_by(0)) return index;
  }
  return on_chan.goes_by(timeout.deadline()) ? index : 1 - index;
}

template <select_order Order, class... Cases>
std::size_t decide(Cases&... cases) {
  return decide_any<Order>(cases...);
}
template <select_order Order, channel_case C, timeout_like D>
std::size_t decide(C& on_chan, D& timeout) {
  const std::size_t chosen = decide_in_time(on_chan, timeout, 0);
  return chosen != no_case ? chosen : decide_any<Order>(on_chan, timeout);
}
template <select_order Order, timeout_like D, channel_case C>
std::size_t decide(D& timeout, C& on_chan) {
  const std::size_t chosen = decide_in_time(on_chan, timeout, 1);
  return chosen != no_case ? chosen : decide_any<Order>(timeout, on_chan);
}

template <select_order Order, class... Cases>
std::size_t select_fixed(Cases&... cases) {
  check_attention();
  const std::size_t chosen = decide<Order>(cases...);
  std::size_t i = 0;
  ((i++ == chosen ? cases.run() : void()), ...);
  return chosen;
}

}  // namespace detail

/// Waits until one case can go ahead, lets it, runs its handler and returns its index. Blocks unless there is an
/// otherwise; without any case, for ever.
template <detail::select_case_type... Cases>
std::size_t select(Cases&&... cases) {
  return detail::select_fixed<detail::select_order::random>(cases...);
}
/// The same over any number of cases. Throws std::invalid_argument for more than one otherwise.
inline std::size_t select(std::span<select_case> cases) {
  return detail::select_span(cases, detail::select_order::random);
}
/// Of several cases that are ready, the first in argument order goes ahead.
template <detail::select_case_type... Cases>
std::size_t select_ordered(Cases&&... cases) {
  return detail::select_fixed<detail::select_order::in_order>(cases...);
}
inline std::size_t select_ordered(std::span<select_case> cases) {
  return detail::select_span(cases, detail::select_order::in_order);
}

}  // namespace runnel
