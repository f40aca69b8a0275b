// once, once_value: something that is done exactly once, whoever comes first.
#pragma once
#include <atomic>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/mutex.hpp>

namespace runnel {

/// Runs one function once, as Go's sync.Once. Unlike std::call_once it also counts as done if the function throws.
class once {
 public:
  constexpr once() noexcept = default;
  once(const once&) = delete;
  once& operator=(const once&) = delete;

  /// Calls `f()` in the first call, on any function; all others block until that has ended and do nothing. If `f`
  /// throws, the first call throws that. A call from within `f` blocks for ever.
  template <class F>
  requires std::invocable<F>
  void call(F&& f) {
    if (!done_.load(std::memory_order_acquire)) [[unlikely]]  // pairs with the release in ~finish()
      call_slow(std::forward<F>(f));
  }

 private:
  struct finish {
    std::atomic<bool>& done;
    ~finish() { done.store(true, std::memory_order_release); }
  };

  template <class F>
  void call_slow(F&& f) {
    const std::scoped_lock lock(mutex_);
    if (done_.load(std::memory_order_relaxed)) return;  // ordered by the mutex
    const finish last{done_};
    std::invoke(std::forward<F>(f));
  }

  std::atomic<bool> done_{false};  // written by the holder of mutex_
  mutex mutex_;
};

namespace detail {

template <class F>
class once_state {
 public:
  using result = std::invoke_result_t<F&>;

  template <class G>
  explicit once_state(G&& f) : f_(std::in_place, std::forward<G>(f)) {}

  decltype(auto) get() {
    once_.call([this] { run(); });
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    if constexpr (std::is_reference_v<result>) {
      return static_cast<result>(*value_);
    } else if constexpr (!std::is_void_v<result>) {
      return static_cast<const result&>(*value_);
    }
  }

 private:
  void run() noexcept {
    try {
      if constexpr (std::is_void_v<result>) {
        std::invoke(*f_);
      } else if constexpr (std::is_reference_v<result>) {
        value_ = std::addressof(std::invoke(*f_));
      } else {
        value_.emplace(std::invoke(*f_));
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    f_.reset();  // what it holds is not needed any more
  }

  struct nothing {};
  using storage = std::conditional_t<
      std::is_void_v<result>, nothing,
      std::conditional_t<std::is_reference_v<result>, std::remove_reference_t<result>*,
                         std::optional<result>>>;

  once once_;
  std::optional<F> f_;  // these three: written by the one run, read after it
  std::exception_ptr failure_;
  [[no_unique_address]] storage value_{};
};

/// What once_value gives. Copies share the one run and its value.
template <class F>
class once_function {
 public:
  template <class G>
  requires std::constructible_from<F, G> once_function(std::in_place_t, G&& f)
      : state_(std::make_shared<once_state<F>>(std::forward<G>(f))) {}

  /// The value, by const reference; valid as long as a copy of this is. Throws what `f` threw, every time.
  decltype(auto) operator()() const { return state_->get(); }

 private:
  std::shared_ptr<once_state<F>> state_;
};

}  // namespace detail

/// A callable that runs `f()` in its first call and gives the value, or throws the exception, to every caller. Calls
/// meanwhile block until it is there. `f` is destroyed after its run. Copies of the callable share the one run.
template <class F>
requires std::invocable < std::decay_t<F>
& > auto once_value(F&& f) {
  return detail::once_function<std::decay_t<F>>(std::in_place, std::forward<F>(f));
}

}  // namespace runnel
