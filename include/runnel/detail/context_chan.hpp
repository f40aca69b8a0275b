// Channel operations that give up when a context is done: a select between the two, with the value
// kept where the caller has it. Included by context.hpp only.
#pragma once

namespace runnel::detail {

/// A send of a value that stays where it is unless the case goes ahead.
template <class T>
class send_ref_case final : public case_base {
 public:
  send_ref_case(chan_state<T>* state, T& value) noexcept : state_(state), value_(value) {}

  spinlock* lock() noexcept { return state_ != nullptr ? &state_->mu : nullptr; }
  bool try_now(agent*& wake) noexcept override {
    outcome_ = state_->try_send(value_, wake);
    return outcome_ != chan_outcome::would_block;
  }
  void enqueue(waiter& w) noexcept override {
    w.slot = std::addressof(value_);
    state_->senders.push_back(w);
  }
  void dequeue(waiter& w) noexcept override { state_->senders.remove(w); }
  void complete(waiter& w) noexcept override {
    outcome_ = w.ok ? chan_outcome::done : chan_outcome::closed;
  }
  chan_outcome outcome() const noexcept { return outcome_; }

 private:
  chan_state<T>* const state_;
  T& value_;
  chan_outcome outcome_ = chan_outcome::would_block;
};

/// A receive into an optional that the caller has.
template <class T>
class recv_ref_case final : public case_base {
 public:
  recv_ref_case(chan_state<T>* state, std::optional<T>& out) noexcept : state_(state), out_(out) {}

  spinlock* lock() noexcept { return state_ != nullptr ? &state_->mu : nullptr; }
  bool try_now(agent*& wake) noexcept override {
    outcome_ = state_->try_recv(out_, wake);
    return outcome_ != chan_outcome::would_block;
  }
  void enqueue(waiter& w) noexcept override {
    w.slot = &out_;
    state_->enqueue_receiver(w);
  }
  void dequeue(waiter& w) noexcept override { state_->dequeue_receiver(w); }
  void complete(waiter& w) noexcept override {
    outcome_ = w.ok ? chan_outcome::done : chan_outcome::closed;
  }
  chan_outcome outcome() const noexcept { return outcome_; }

 private:
  chan_state<T>* const state_;
  std::optional<T>& out_;
  chan_outcome outcome_ = chan_outcome::would_block;
};

/// Sends unless `ctx` is done first, or from the start (timed_out).
template <class T>
chan_outcome send_in(const context& ctx, chan_state<T>* state, T& value) {
  cancel_node* const node = context_access::canceler(ctx);
  if (node == nullptr) return send_until(state, value, never);
  if (is_done(node)) return chan_outcome::timed_out;
  if (const auto now = send_until(state, value, 0); now != chan_outcome::would_block) return now;
  send_ref_case<T> sending(state, value);
  done_case done(node);
  const guarded_case cases[] = {sending, done};
  if (select_cases(cases, no_case, select_order::in_order) != 0) return chan_outcome::timed_out;
  return sending.outcome();
}

/// Receives unless `ctx` is done first, or from the start (timed_out).
template <class T>
chan_outcome recv_in(const context& ctx, chan_state<T>* state, std::optional<T>& out) {
  cancel_node* const node = context_access::canceler(ctx);
  if (node == nullptr) return recv_until(state, out, never);
  if (is_done(node)) return chan_outcome::timed_out;
  if (const auto now = recv_until(state, out, 0); now != chan_outcome::would_block) return now;
  recv_ref_case<T> receiving(state, out);
  done_case done(node);
  const guarded_case cases[] = {receiving, done};
  if (select_cases(cases, no_case, select_order::in_order) != 0) return chan_outcome::timed_out;
  return receiving.outcome();
}

template <class Self, class T>
bool send_half<Self, T>::send(const context& ctx, T&& value) const {
  return sent_or_throw(send_in(ctx, core(), value));
}
template <class Self, class T>
bool send_half<Self, T>::send(const context& ctx,
                              const T& value) const requires std::is_copy_constructible_v<T> {
  T copy(value);
  return sent_or_throw(send_in(ctx, core(), copy));
}
template <class Self>
bool send_half<Self, void>::send(const context& ctx) const {
  unit event;
  return sent_or_throw(send_in(ctx, core(), event));
}

template <class Self, class T>
std::optional<T> recv_half<Self, T>::recv(const context& ctx) const {
  std::optional<T> value;
  recv_in(ctx, this->core(), value);
  return value;
}
template <class Self>
bool recv_half<Self, void>::recv(const context& ctx) const {
  std::optional<unit> event;
  return recv_in(ctx, this->core(), event) == chan_outcome::done;
}

/// The typed half of on_done().
template <class H>
class done_handler_case final : public done_case {
 public:
  static constexpr bool is_otherwise = false;

  done_handler_case(const context& lent, H handler)
      : done_case(context_access::canceler(lent)),
        of_(context_access::ref(lent).get()),
        handler_(std::move(handler)) {}
  done_handler_case(const context& of, share_t, H handler)
      : done_case(context_access::canceler(of)),
        of_(context_access::ref(of).get(), context_access::ref(of)),
        handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  case_operand<context_node, context_ref> of_;
  H handler_;
};

}  // namespace runnel::detail
