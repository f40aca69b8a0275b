/// Channels: typed queues with Go's semantics, for goroutines and plain threads alike.
///
///                 | nil               | open                      | closed
///   send          | blocks for ever   | blocks while full         | throws closed_channel
///   try_send      | false             | false while full          | throws closed_channel
///   recv          | blocks for ever   | blocks while empty        | what is buffered, then nullopt at once
///   try_recv      | empty             | empty while empty         | what is buffered, then closed
///   close         | throws            | wakes everybody           | throws closed_channel
///
/// Happens-before: a send before the receive of its value completes; a close before a receive that returns because
/// of it; the k-th receive on a channel of capacity C before send k+C completes. len() orders nothing.
///
/// A value that is moved into or out of a channel is moved under the channel's lock: its move constructor, and the
/// destructor of what was moved from, may not use that channel.
#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <runnel/detail/case_operand.hpp>
#include <runnel/detail/chan_core.hpp>

namespace runnel {

class context;

/// How a channel operation that need not succeed ended.
enum class chan_status { ok, empty, full, closed, timed_out };

/// Thrown by a send on, or a second close of, a closed channel, and by the close of a nil one. what() is "send on
/// closed channel", "close of closed channel" or "close of nil channel".
struct closed_channel : std::logic_error {
  explicit closed_channel(const char* what, std::size_t sent = 0)
      : std::logic_error(what), sent_(sent) {}
  /// How many values send_all() had sent before.
  std::size_t sent() const noexcept { return sent_; }

 private:
  std::size_t sent_;
};

/// Asks for a channel whose sends never block.
struct unbounded_t {
  explicit unbounded_t() = default;
};
inline constexpr unbounded_t unbounded{};

/// The result of a receive that need not succeed: a value, or why there is none.
template <class T>
class [[nodiscard]] try_result {
 public:
  try_result(std::in_place_t, T&& value) : value_(std::move(value)), status_(chan_status::ok) {}
  try_result(chan_status why) noexcept : status_(why) {}

  explicit operator bool() const noexcept { return status_ == chan_status::ok; }
  bool has_value() const noexcept { return status_ == chan_status::ok; }
  /// Undefined without a value.
  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return std::addressof(*value_); }
  const T* operator->() const noexcept { return std::addressof(*value_); }
  /// Throws std::bad_optional_access without a value.
  T& value() & { return value_.value(); }
  const T& value() const& { return value_.value(); }
  T&& value() && { return std::move(value_).value(); }

  bool closed() const noexcept { return status_ == chan_status::closed; }
  bool empty() const noexcept { return status_ == chan_status::empty; }
  bool timed_out() const noexcept { return status_ == chan_status::timed_out; }
  chan_status status() const noexcept { return status_; }

 private:
  std::optional<T> value_;
  chan_status status_;
};

template <>
class [[nodiscard]] try_result<void> {
 public:
  try_result(chan_status why) noexcept : status_(why) {}
  explicit operator bool() const noexcept { return status_ == chan_status::ok; }
  bool has_value() const noexcept { return status_ == chan_status::ok; }
  bool closed() const noexcept { return status_ == chan_status::closed; }
  bool empty() const noexcept { return status_ == chan_status::empty; }
  bool timed_out() const noexcept { return status_ == chan_status::timed_out; }
  chan_status status() const noexcept { return status_; }

 private:
  chan_status status_;
};

template <class T>
class chan;
template <class T>
class send_chan;
template <class T>
class recv_chan;

}  // namespace runnel

#include <runnel/detail/chan_handle.hpp>

namespace runnel {

/// A handle to a channel; copies name the same channel, which lives as long as one handle does. T may be move-only or
/// void (a channel of events). Thread-safe, but for assigning to one and the same handle object.
template <class T>
class chan : public detail::chan_handle<T, true>,
             public detail::send_half<chan<T>, T>,
             public detail::recv_half<chan<T>, T> {
  using base = detail::chan_handle<T, true>;

 public:
  /// Unbuffered: a send completes when a receiver has the value.
  chan() : chan(0) {}
  /// A buffer for `capacity` values; 0: unbuffered. Throws std::length_error ("makechan: size out of range") for
  /// a negative or impossible capacity, std::bad_alloc when memory is short.
  explicit chan(std::integral auto capacity) : base(detail::make_chan<T>(capacity)) {}
  /// Sends never block; memory is given back as it drains. Sends throw std::bad_alloc when memory is short.
  explicit chan(unbounded_t) : base(detail::make_unbounded_chan<T>()) {}
  /// The nil channel: sends and receives block for ever.
  template <std::same_as<std::nullptr_t> N>
  chan(N) noexcept : base(nullptr) {}
};

/// The sending half of a channel.
template <class T>
class send_chan : public detail::chan_handle<T, false>, public detail::send_half<send_chan<T>, T> {
  using base = detail::chan_handle<T, false>;

 public:
  /// Nil.
  send_chan() noexcept : base(nullptr) {}
  template <std::same_as<std::nullptr_t> N>
  send_chan(N) noexcept : base(nullptr) {}
  send_chan(const chan<T>& c) noexcept : base(c.state(), detail::share) {}
  explicit send_chan(detail::chan_state_of<T>* adopted) noexcept : base(adopted) {}
};

/// The receiving half of a channel.
template <class T>
class recv_chan : public detail::chan_handle<T, true>, public detail::recv_half<recv_chan<T>, T> {
  using base = detail::chan_handle<T, true>;

 public:
  /// Nil.
  recv_chan() noexcept : base(nullptr) {}
  template <std::same_as<std::nullptr_t> N>
  recv_chan(N) noexcept : base(nullptr) {}
  recv_chan(const chan<T>& c) noexcept : base(c.state(), detail::share) {}
  explicit recv_chan(detail::chan_state_of<T>* adopted) noexcept : base(adopted) {}
};

template <class T, bool A, bool B>
bool operator==(const detail::chan_handle<T, A>& a, const detail::chan_handle<T, B>& b) noexcept {
  return a.state() == b.state();
}
template <class T, bool A>
bool operator==(const detail::chan_handle<T, A>& a, std::nullptr_t) noexcept {
  return !a;
}

namespace detail {

template <class Handle>
struct handle_hash {
  std::size_t operator()(const Handle& c) const noexcept {
    return std::hash<const void*>{}(c.state());
  }
};

}  // namespace detail
}  // namespace runnel

template <class T>
struct std::hash<runnel::chan<T>> : runnel::detail::handle_hash<runnel::chan<T>> {};
template <class T>
struct std::hash<runnel::send_chan<T>> : runnel::detail::handle_hash<runnel::send_chan<T>> {};
template <class T>
struct std::hash<runnel::recv_chan<T>> : runnel::detail::handle_hash<runnel::recv_chan<T>> {};
