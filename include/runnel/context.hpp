// context: cancellation, deadlines and values that belong to a piece of work, as Go's package
// context.
#pragma once
#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/detail/context_case.hpp>
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

namespace runnel {

/// Why a context is done: "context canceled", "context deadline exceeded". Equivalent to the
/// conditions std::errc::operation_canceled and std::errc::timed_out.
enum class context_errc { canceled = 1, deadline_exceeded };

const std::error_category& context_category() noexcept;
inline std::error_code make_error_code(context_errc e) noexcept {
  return {static_cast<int>(e), context_category()};
}

class context;

namespace detail {
struct context_access;
}

/// Cancels the context it was made with. Move-only; its destructor cancels, so that a forgotten
/// cancel cannot leak. May be called from any number of goroutines and threads, and more than once:
/// the first cause stays.
class [[nodiscard]] cancel_function {
 public:
  cancel_function() noexcept = default;
  cancel_function(cancel_function&&) noexcept = default;
  cancel_function& operator=(cancel_function&& other) noexcept {
    if (this != &other) {
      cancel({});
      node_ = std::move(other.node_);
    }
    return *this;
  }
  ~cancel_function() { cancel({}); }

  /// Cancels: when it returns, the context and all its descendants are done. Does not wait for
  /// functions given to after_func. Nothing happens if the context is done already.
  void operator()() const { cancel({}); }
  /// The same with `cause`, which cause() then gives; none: the cause is the error itself.
  void operator()(error cause) const { cancel(std::move(cause)); }

 private:
  friend struct detail::context_access;
  explicit cancel_function(detail::context_ref node) noexcept : node_(std::move(node)) {}
  void cancel(error cause) const;

  detail::context_ref node_;
};

/// Carries the end of a piece of work (cancelled, or its deadline), and values, down a tree of
/// calls and goroutines.
///
/// A handle: copies name the same context. Default constructed it is the background context, which
/// is never done. All members may be called from many goroutines and threads at once; none blocks.
class context {
 public:
  /// The background context.
  context() noexcept = default;

  /// A channel that is closed when the context is done; the nil channel if that can never happen.
  recv_chan<void> done() const;
  /// None while the context is not done; then `context_errc::canceled` or
  /// `context_errc::deadline_exceeded`, always the same error object. When it is set, done() is
  /// closed.
  error err() const;
  /// None while the context is not done; then what it was cancelled with, or the same as err().
  error cause() const;
  /// When the context will be done at the latest; nullopt: no deadline.
  std::optional<clock::time_point> deadline() const noexcept;
  /// A stop token that is asked to stop when the context is done. Callbacks registered with it run
  /// in whoever cancels, and may not block: the standard's stop_source knows by the thread who runs
  /// them. For a context that is never done, a token without a state.
  std::stop_token stop_token() const;
  /// The value of the nearest with_value<Key>; nullptr: there is none. Valid as long as a copy of
  /// this context is.
  template <class Key>
  const typename Key::type* value() const noexcept {
    for (const detail::context_node* n = node_.get(); n != nullptr; n = n->parent) {
      if (n->key == &detail::context_key<Key>) {
        return &static_cast<const detail::value_node<Key>*>(n)->value;
      }
    }
    return nullptr;
  }

  /// Whether they name the same context.
  friend bool operator==(const context& a, const context& b) noexcept {
    return a.node_.get() == b.node_.get();
  }

 private:
  friend struct detail::context_access;
  explicit context(detail::context_ref node) noexcept : node_(std::move(node)) {}

  detail::context_ref node_;
};

/// What with_cancel and its relatives give: `auto [ctx, cancel] = with_cancel(parent);`
struct cancelable_context {
  context ctx;
  cancel_function cancel;
};

/// Keeps the function of an after_func from running. Movable; destroying it does nothing.
class stop_function {
 public:
  stop_function() noexcept = default;

  /// True: it kept the function from running. False: that was started or stopped before. Does not
  /// wait for a function that runs.
  bool operator()() const;

 private:
  friend struct detail::context_access;
  stop_function(detail::context_ref node, std::shared_ptr<detail::after_entry> entry) noexcept
      : node_(std::move(node)), entry_(std::move(entry)) {}

  detail::context_ref node_;
  std::shared_ptr<detail::after_entry> entry_;
};

namespace detail {

// The compiled half of the functions below, and the way in for the rest of the library.
struct context_access {
  static const context_ref& ref(const context& ctx) noexcept { return ctx.node_; }
  static cancel_node* canceler(const context& ctx) noexcept { return ctx.node_.canceler(); }
  static bool done(const context& ctx) noexcept {
    const cancel_node* node = canceler(ctx);
    return node != nullptr && is_done(node);
  }
  static context make(context_node* node) noexcept { return context(context_ref(node)); }
  static cancelable_context make_cancelable(const context& parent);
  static cancelable_context make_deadline(const context& parent, std::int64_t deadline_ns,
                                          error cause);
  static cancelable_context make_stop(const context& parent, std::stop_token token);
  static stop_function after(const context& ctx, std::shared_ptr<after_entry> entry);
  static context uncancelled(const context& parent);
};

}  // namespace detail

/// The context that is never done and has no values; the root of all others.
inline context background() noexcept { return {}; }

/// A child of `parent` that is done when `parent` is or when `cancel` is called or destroyed.
inline cancelable_context with_cancel(const context& parent) {
  return detail::context_access::make_cancelable(parent);
}

/// The same, done at `deadline` at the latest, with `cause` if that is why. A deadline can only
/// shorten: a parent's earlier one holds. One that is past gives a context that is done.
template <detail::any_time_point TimePoint>
cancelable_context with_deadline(const context& parent, TimePoint deadline, error cause = {}) {
  return detail::context_access::make_deadline(parent, detail::deadline_at(deadline),
                                               std::move(cause));
}

/// with_deadline `timeout` from now.
template <detail::any_duration Duration>
cancelable_context with_timeout(const context& parent, Duration timeout, error cause = {}) {
  return detail::context_access::make_deadline(
      parent, detail::add_ns(detail::now_ns(), detail::to_ns(timeout)), std::move(cause));
}

/// A child of `parent` that is done when `parent` is, when `token` is asked to stop, or when it is
/// cancelled.
inline cancelable_context with_stop_token(const context& parent, std::stop_token token) {
  return detail::context_access::make_stop(parent, std::move(token));
}

/// A child of `parent` that gives `value` for `Key`, a type with a member `type`:
/// `struct request_id { using type = std::string; };`
template <class Key>
context with_value(const context& parent, typename Key::type value) {
  return detail::context_access::make(
      new detail::value_node<Key>(detail::context_access::ref(parent),
                                  detail::context_access::canceler(parent), std::move(value)));
}

/// A context with `parent`'s values that is not done when `parent` is, and has no deadline.
inline context without_cancel(const context& parent) {
  return detail::context_access::uncancelled(parent);
}

/// Starts `f` in a goroutine of its own once `ctx` is done: at once if it is already. The context
/// keeps `f` until then, also when the stop_function is dropped.
template <class F>
requires std::invocable < std::decay_t<F>
& > stop_function after_func(const context& ctx, F&& f) {
  return detail::context_access::after(
      ctx, std::make_shared<detail::after_function<std::decay_t<F>>>(std::forward<F>(f)));
}

}  // namespace runnel

#include <runnel/detail/context_chan.hpp>

namespace runnel {

/// A select case that goes ahead when `ctx` is done; `handler()` runs after the select has decided.
/// Never ready for a context that is never done. Refers to `ctx`, as on_recv() to a channel: see select.hpp.
template <class H>
requires std::invocable < std::decay_t<H>
& > auto on_done(const context& ctx, H&& handler) {
  return detail::done_handler_case<std::decay_t<H>>(ctx, std::forward<H>(handler));
}
/// The same for a temporary, which the case keeps.
template <class H>
requires std::invocable < std::decay_t<H>
& > auto on_done(const context&& ctx, H&& handler) {
  return detail::done_handler_case<std::decay_t<H>>(ctx, detail::share, std::forward<H>(handler));
}
inline auto on_done(const context& ctx) {
  return on_done(ctx, [] {});
}
inline auto on_done(const context&& ctx) {
  return on_done(std::move(ctx), [] {});  // NOLINT: chooses the overload that shares
}

}  // namespace runnel

template <>
struct std::is_error_code_enum<runnel::context_errc> : std::true_type {};
