// The two halves of a channel's interface and the counted handle under them. Included by chan.hpp only.
#pragma once

namespace runnel::detail {

template <class T>
using chan_value = std::conditional_t<std::is_void_v<T>, unit, T>;
template <class T>
using chan_state_of = chan_state<chan_value<T>>;

template <class T>
chan_state_of<T>* make_chan(std::integral auto capacity) {
  using C = decltype(capacity);
  if constexpr (std::is_signed_v<C>)
    if (capacity < 0) throw_bad_capacity();
  if constexpr (sizeof(C) > sizeof(std::size_t))
    if (capacity > C{std::numeric_limits<std::size_t>::max()}) throw_bad_capacity();
  return chan_state_of<T>::make(static_cast<std::size_t>(capacity), false, false);
}

template <class T>
chan_state_of<T>* make_unbounded_chan() {
  return chan_state_of<T>::make(0, true, false);
}

/// Counts the channel's handles. Where the channel is abandonable, also those that can receive.
template <class T, bool CanReceive>
class chan_handle {
 public:
  using value_type = T;

  explicit chan_handle(chan_state_of<T>* adopted) noexcept : state_(adopted) { begin_receiving(); }
  chan_handle(chan_state_of<T>* other, share_t) noexcept : state_(other) {
    if (state_ != nullptr)
      state_->handles.fetch_add(1, std::memory_order_relaxed);  // `other` keeps it alive
    begin_receiving();
  }
  chan_handle(const chan_handle& other) noexcept : chan_handle(other.state_, share) {}
  chan_handle(chan_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  chan_handle& operator=(const chan_handle& other) noexcept {
    chan_handle(other).swap(*this);
    return *this;
  }
  chan_handle& operator=(chan_handle&& other) noexcept {
    chan_handle(std::move(other)).swap(*this);
    return *this;
  }
  ~chan_handle() {
    if (state_ == nullptr) return;
    if constexpr (CanReceive)
      if (state_->abandonable && state_->receiving_handles.fetch_sub(1) == 1) state_->close();
    state_->release();
  }

  /// False: nil.
  explicit operator bool() const noexcept { return state_ != nullptr; }
  /// Values in the buffer now; 0 for nil.
  std::size_t len() const noexcept {
    return state_ == nullptr ? 0 : state_->count.load(std::memory_order_relaxed);
  }
  /// The capacity; SIZE_MAX if unbounded, 0 for nil.
  std::size_t cap() const noexcept {
    if (state_ == nullptr) return 0;
    return state_->unbounded ? std::numeric_limits<std::size_t>::max() : state_->capacity;
  }
  chan_state_of<T>* state() const noexcept { return state_; }

 private:
  void swap(chan_handle& other) noexcept { std::swap(state_, other.state_); }
  void begin_receiving() noexcept {
    if constexpr (CanReceive)
      if (state_ != nullptr && state_->abandonable) state_->receiving_handles.fetch_add(1);
  }

  chan_state_of<T>* state_;
};

[[noreturn]] void throw_close_of_nil();
[[noreturn]] void throw_close_of_closed();
[[noreturn]] void throw_send_on_closed_after(std::size_t sent);

inline bool sent_or_throw(chan_outcome outcome) {
  if (outcome == chan_outcome::closed) [[unlikely]]
    throw_send_on_closed();
  return outcome == chan_outcome::done;
}

template <class T>
void close_chan(chan_state<T>* state) {
  if (state == nullptr) throw_close_of_nil();
  if (!state->close()) throw_close_of_closed();
}

template <class T>
class chan_iterator;

template <class Self, class T>
class send_half {
 public:
  /// Sends; blocks until a receiver or the buffer has the value. Throws closed_channel if the channel is closed
  /// before or meanwhile; the value then stays where it was.
  void send(T&& value) const { sent_or_throw(detail::send_until(core(), value, never)); }
  /// The same with a copy, made before anything is locked.
  void send(const T& value) const requires std::is_copy_constructible_v<T> {
    T copy(value);
    sent_or_throw(detail::send_until(core(), copy, never));
  }
  /// Sends if that is possible at once. False: it was not, and the value stays where it was. Throws closed_channel.
  bool try_send(T&& value) const {
    if (core() != nullptr && core()->certainly_full()) return check_attention(), false;
    return sent_or_throw(detail::send_until(core(), value, 0));
  }
  bool try_send(const T& value) const requires std::is_copy_constructible_v<T> {
    if (core() != nullptr && core()->certainly_full()) return check_attention(), false;
    T copy(value);
    return sent_or_throw(detail::send_until(core(), copy, 0));
  }
  /// Sends within `timeout`. False: it timed out. Throws closed_channel.
  template <class R, class P>
  bool send_for(T value, std::chrono::duration<R, P> timeout) const {
    if (sent_or_throw(detail::send_until(core(), value, 0))) return true;
    if (timeout <= timeout.zero()) return false;
    return sent_or_throw(detail::send_until(core(), value, deadline_after(timeout)));
  }
  /// Sends until `deadline`. False: it timed out. Throws closed_channel.
  template <any_time_point TP>
  bool send_until(T value, TP deadline) const {
    if (sent_or_throw(detail::send_until(core(), value, 0))) return true;
    if (is_past(deadline)) return false;
    return sent_or_throw(detail::send_until(core(), value, deadline_at(deadline)));
  }
  /// Sends unless `ctx` is done first (false). Throws closed_channel. Defined in context.hpp.
  bool send(const context& ctx, T&& value) const;
  bool send(const context& ctx, const T& value) const requires std::is_copy_constructible_v<T>;

  /// Sends each element in order, and says how many; blocks as send() does. Throws closed_channel, whose sent() says
  /// how many went. Moves the elements of a container that is an rvalue and of a channel, each only if it goes.
  template <std::ranges::input_range Range>
  std::size_t send_all(Range&& range) const {
    using reference = std::ranges::range_reference_t<Range>;
    constexpr bool is_ours = std::is_same_v<std::ranges::iterator_t<Range>, chan_iterator<T>> ||
                             (!std::ranges::borrowed_range<Range> && !std::ranges::view<Range>);
    constexpr bool may_move =
        std::is_same_v<reference, T&&> || (is_ours && std::is_same_v<reference, T&>);
    std::size_t sent = 0;
    for (auto&& element : range) {
      if constexpr (may_move) {
        if (detail::send_until(core(), element, never) == chan_outcome::closed)
          throw_send_on_closed_after(sent);
      } else {
        T value(std::forward<decltype(element)>(element));
        if (detail::send_until(core(), value, never) == chan_outcome::closed)
          throw_send_on_closed_after(sent);
      }
      ++sent;
    }
    return sent;
  }
  const Self& operator<<(T&& value) const {
    send(std::move(value));
    return self();
  }
  const Self& operator<<(const T& value) const requires std::is_copy_constructible_v<T> {
    send(value);
    return self();
  }
  /// No more sends: receivers get what is buffered and then nullopt; blocked senders throw. Throws closed_channel if
  /// it is closed already or nil.
  void close() const { close_chan(core()); }

 private:
  const Self& self() const noexcept { return static_cast<const Self&>(*this); }
  chan_state<T>* core() const noexcept { return self().state(); }
};

template <class Self>
class send_half<Self, void> {
 public:
  void send() const { sent_or_throw(attempt(never)); }
  bool try_send() const { return sent_or_throw(attempt(0)); }
  template <class R, class P>
  bool send_for(std::chrono::duration<R, P> timeout) const {
    if (try_send()) return true;
    if (timeout <= timeout.zero()) return false;
    return sent_or_throw(attempt(deadline_after(timeout)));
  }
  template <any_time_point TP>
  bool send_until(TP deadline) const {
    if (try_send()) return true;
    if (is_past(deadline)) return false;
    return sent_or_throw(attempt(deadline_at(deadline)));
  }
  bool send(const context& ctx) const;
  void close() const { close_chan(core()); }

 private:
  chan_outcome attempt(std::int64_t deadline) const {
    unit event;
    return detail::send_until(core(), event, deadline);
  }
  chan_state<unit>* core() const noexcept { return static_cast<const Self&>(*this).state(); }
};

template <class T>
try_result<T> to_result(chan_outcome outcome, std::optional<chan_value<T>>& value) {
  switch (outcome) {
    case chan_outcome::done:
      if constexpr (std::is_void_v<T>)
        return chan_status::ok;
      else
        return {std::in_place, *std::move(value)};
    case chan_outcome::closed:
      return chan_status::closed;
    case chan_outcome::timed_out:
      return chan_status::timed_out;
    case chan_outcome::would_block:
      break;
  }
  return chan_status::empty;
}

/// Receives until the channel is closed and drained. Keeps one value, which the loop's body may move from.
template <class T>
class chan_iterator {
 public:
  using value_type = chan_value<T>;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  chan_iterator() = default;
  explicit chan_iterator(recv_chan<T> from) : from_(std::move(from)) { ++*this; }
  chan_iterator(chan_iterator&& other) noexcept
      : from_(std::move(other.from_)), value_(std::move(other.value_)) {}
  chan_iterator& operator=(chan_iterator&& other) noexcept {  // T may lack assignment
    from_ = std::move(other.from_);
    value_.reset();
    if (other.value_) value_.emplace(*std::move(other.value_));
    return *this;
  }
  value_type& operator*() const noexcept { return *value_; }
  chan_iterator& operator++() {
    value_.reset();
    recv_until(from_.state(), value_, never);
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const chan_iterator& it, std::default_sentinel_t) noexcept {
    return !it.value_.has_value();
  }

 private:
  recv_chan<T> from_;  // the range is evaluated once: assigning to the handle changes nothing
  mutable std::optional<value_type> value_;
};

/// What both kinds of receiving handles can do without naming a value.
template <class Self, class T>
class recv_common {
 public:
  /// Receives if that is possible at once; never blocks.
  try_result<T> try_recv() const {
    chan_state_of<T>* c = core();
    if (c != nullptr && c->certainly_empty()) return check_attention(), chan_status::empty;
    return attempt(0);
  }
  /// Receives within `timeout`.
  template <class R, class P>
  try_result<T> recv_for(std::chrono::duration<R, P> timeout) const {
    if (try_result<T> now = attempt(0); !now.empty()) return now;
    if (timeout <= timeout.zero()) return chan_status::timed_out;
    return attempt(deadline_after(timeout));
  }
  /// Receives until `deadline`.
  template <any_time_point TP>
  try_result<T> recv_until(TP deadline) const {
    if (try_result<T> now = attempt(0); !now.empty()) return now;
    if (is_past(deadline)) return chan_status::timed_out;
    return attempt(deadline_at(deadline));
  }

  auto begin() const { return chan_iterator<T>(static_cast<const Self&>(*this)); }
  std::default_sentinel_t end() const noexcept { return {}; }

 protected:
  chan_state_of<T>* core() const noexcept { return static_cast<const Self&>(*this).state(); }

 private:
  try_result<T> attempt(std::int64_t deadline) const {
    std::optional<chan_value<T>> value;
    const chan_outcome outcome = detail::recv_until(core(), value, deadline);
    return to_result<T>(outcome, value);
  }
};

template <class Self, class T>
class recv_half : public recv_common<Self, T> {
 public:
  /// Receives; blocks until there is a value. nullopt: closed and drained.
  std::optional<T> recv() const {
    std::optional<T> value;
    detail::recv_until(this->core(), value, never);
    return value;
  }
  /// Receives unless `ctx` is done first; nullopt then, or when closed and drained. Defined in context.hpp.
  std::optional<T> recv(const context& ctx) const;

  /// Waits for one value, then takes what else is there, up to `max`; writes them to `out` and says how many. 0: closed
  /// and drained, or `max` is 0. If writing throws, the one value that was being written is gone.
  template <std::output_iterator<T> Out>
  std::size_t recv_many(Out out, std::size_t max) const {
    std::size_t n = 0;
    for (; n < max; ++n) {
      std::optional<T> value;
      if (detail::recv_until(this->core(), value, n == 0 ? never : 0) != chan_outcome::done) break;
      *out = *std::move(value);
      ++out;
    }
    return n;
  }

  /// Receives into `out`; false when closed and drained, and `out` is left alone.
  bool operator>>(T& out) const {
    std::optional<T> value = recv();
    if (!value) return false;
    out = *std::move(value);
    return true;
  }
};

template <class Self>
class recv_half<Self, void> : public recv_common<Self, void> {
 public:
  /// Receives an event; blocks until there is one. False: closed and drained.
  bool recv() const {
    std::optional<unit> event;
    return detail::recv_until(this->core(), event, never) == chan_outcome::done;
  }
  bool recv(const context& ctx) const;
};

/// A channel that closes itself once no handle is left that could receive: whoever sends learns by closed_channel
/// that nobody listens any more. The pair is the only way to it.
template <class T>
struct abandonable_chan {
  send_chan<T> in;
  recv_chan<T> out;
};

template <class T>
abandonable_chan<T> make_abandonable(std::size_t capacity) {
  chan_state_of<T>* state = chan_state_of<T>::make(capacity, false, true);
  state->handles.fetch_add(1, std::memory_order_relaxed);  // not shared yet
  return {send_chan<T>(state), recv_chan<T>(state)};
}

}  // namespace runnel::detail
