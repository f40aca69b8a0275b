// What the patterns are built from: a stage is a goroutine that reads channels and produces one.
//
// A stage ends when its inputs are closed, when its context is done, or when nobody is left who could read what it
// produces; its output closes with it, and letting go of its inputs ends the stages before it in the same way.
#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/go.hpp>
#include <runnel/group.hpp>

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
///
/// It waits among the receivers, because a close wakes those; so it may be used only by the one goroutine that sends
/// on the channel, which cannot send while it waits.
class abandoned_case final : public case_base {
 public:
  explicit abandoned_case(chan_core* state) noexcept : state_(state) {}
  spinlock* lock() noexcept override { return state_ != nullptr ? &state_->mu : nullptr; }
  bool try_now(agent*&) noexcept override { return state_->closed.load(); }
  void enqueue(waiter& w) noexcept override { state_->receivers.push_back(w); }
  void dequeue(waiter& w) noexcept override { state_->receivers.remove(w); }
  void complete(waiter&) noexcept override {}

 private:
  chan_core* state_;  // null: never ready
};

/// A deadline as a case; in a named place, so that a stage can move it.
class deadline_case final : public case_base {
 public:
  explicit deadline_case(std::int64_t at) noexcept : at_(at) {}
  spinlock* lock() noexcept override { return nullptr; }
  bool try_now(agent*&) noexcept override { return false; }
  void enqueue(waiter&) noexcept override {}
  void dequeue(waiter&) noexcept override {}
  void complete(waiter&) noexcept override {}
  std::int64_t deadline() noexcept override { return at_; }

 private:
  std::int64_t at_;
};

/// The producing end of a stage's output; closes it when it goes.
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

/// Receives for a stage whose only sender is the caller. False: closed and drained, abandoned, or done.
template <class T, class R>
bool receive_for(const context& ctx, const outlet<R>& out, const recv_chan<T>& in,
                 std::optional<chan_value<T>>& value) {
  if (context_access::done(ctx) || out.abandoned()) return false;
  if (const auto now = recv_until(in.state(), value, 0); now != chan_outcome::would_block) {
    return now == chan_outcome::done;
  }
  done_case done(context_access::canceler(ctx));
  abandoned_case gone(out.state());
  recv_ref_case<chan_value<T>> receiving(in.state(), value);
  case_base* const cases[] = {&receiving, &done, &gone};
  return select_cases(cases, no_case, select_order::in_order) == 0 &&
         receiving.outcome() == chan_outcome::done;
}

/// Receives for a stage that shares its output with others, and so notices only when it sends that nobody reads.
template <class T>
bool receive_shared(const context& ctx, const recv_chan<T>& in,
                    std::optional<chan_value<T>>& value) {
  return recv_in(ctx, in.state(), value) == chan_outcome::done;
}

/// Starts `body(outlet<T>)` as a stage; its output.
template <class T, class Body>
recv_chan<T> start_stage(const stage_env& env, Body body) {
  auto [in, out] = make_abandonable<T>(0);
  env.start([to = outlet<T>(std::move(in)), body = std::move(body)]() mutable { body(to); });
  return std::move(out);
}

template <class C>
using element_type = typename std::remove_cvref_t<C>::value_type;

}  // namespace runnel::detail
