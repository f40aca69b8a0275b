// group: goroutines that belong together, end together and fail together, as
// golang.org/x/sync/errgroup.
#pragma once
#include <concepts>
#include <memory>
#include <optional>
#include <runnel/context.hpp>
#include <runnel/detail/group_state.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <type_traits>
#include <utility>

namespace runnel {

namespace detail {

/// A function that may be handed to a group or a pool: f() or f(const context&), returning void,
/// error or std::error_code.
template <class F>
concept context_task = error_function<F, const context&> || error_function<F>;

/// Calls it, and gives what it returned or threw.
template <context_task F>
error run_task(F& f, const context& ctx) {
  if constexpr (error_function<F, const context&>) {
    return call_to_error(f, ctx);
  } else {
    return call_to_error(f);
  }
}

}  // namespace detail

/// A set of goroutines that share a context. The first one that fails cancels it; wait() gives that
/// error. The destructor cancels and waits: no goroutine outlives its group (but one that can never go on, after
/// deadlock_error, or at process exit).
///
/// Functions may be f() or f(const context&) and may return void, error or std::error_code; what
/// one throws is an error like one returned. All members may be called from many goroutines and
/// threads at once.
class group {
 public:
  group() : group(background()) {}
  explicit group(const context& parent);
  group(const group&) = delete;
  group& operator=(const group&) = delete;
  ~group();

  /// At most `n` goroutines at once; negative: any number (the default); 0: none can be started any
  /// more. Throws std::logic_error while goroutines of the group are active.
  void set_limit(int n) { state_->set_limit(n); }

  /// Runs `f` in a goroutine of the group; blocks while the limit is reached.
  template <class F>
  requires detail::context_task<std::decay_t<F>>
  void go(F&& f) {
    state_->enter();
    start(std::forward<F>(f));
  }

  /// The same, but false, and nothing is started, where go() would block.
  template <class F>
  requires detail::context_task<std::decay_t<F>>
  bool try_go(F&& f) {
    if (!state_->try_enter()) return false;
    start(std::forward<F>(f));
    return true;
  }

  /// Blocks until all goroutines of the group have ended, then cancels its context. The first
  /// error, also when called again.
  error wait() { return state_->wait(); }

  /// The group's context: done when a goroutine fails (with that error as its cause), when wait()
  /// returns or when the parent is done.
  context ctx() const { return state_->ctx(); }

 private:
  template <class F>
  void start(F&& f) {
    detail::group_state* const state = state_.get();
    try {
      runnel::go([state,
                  f = std::optional<std::decay_t<F>>(std::in_place, std::forward<F>(f))]() mutable {
        error e = detail::run_task(*f, state->ctx());
        f.reset();  // before its place goes: it may refer to what lives only as long as the group
        state->leave(std::move(e));
      });
    } catch (...) {
      state->leave({});
      throw;
    }
  }

  std::unique_ptr<detail::group_state> state_;
};

}  // namespace runnel
