// future: the result of a goroutine started with `async`.
//
// The state is shared by two owners, the promise in the goroutine and the future, and dies with the later one. Its
// result is written before the state is published and read only afterwards; who waits is guarded by its lock.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/time.hpp>

namespace runnel {

template <class T>
class future;

namespace detail {

/// What all future states have in common: who waits, and whether the result is there.
class future_core {
 public:
  future_core() noexcept = default;
  future_core(const future_core&) = delete;
  future_core& operator=(const future_core&) = delete;

  bool is_ready() const noexcept {
    return published_.load(
        std::memory_order_acquire);  // acquire: pairs with the release in publish()
  }
  /// False: `deadline` came first.
  bool wait(std::int64_t deadline) { return is_ready() || wait_slow(deadline); }
  /// The result has been stored: wakes whoever waits. The caller keeps its share until it returns.
  void publish() noexcept;
  void fail(std::exception_ptr e) noexcept { failure_ = std::move(e); }
  bool has_failed() const noexcept { return failure_ != nullptr; }
  void rethrow_failure() {
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  void release() noexcept {
    // acq_rel: pairs with itself, so that the last owner destroys what the other has written
    if (shares_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // For on_ready(): under lock().
  spinlock& lock() noexcept { return lock_; }
  void enqueue(waiter& w) noexcept { waiters_.push_back(w); }
  void dequeue(waiter& w) noexcept { waiters_.remove(w); }

 protected:
  virtual ~future_core() = default;

 private:
  bool wait_slow(std::int64_t deadline);

  std::atomic<std::uint32_t> shares_{2};
  std::atomic<bool> published_{false};  // written under lock_
  spinlock lock_;
  wait_queue waiters_;          // guarded by lock_; empty once published_
  std::exception_ptr failure_;  // the promise before publish(), the future afterwards
};

template <class T>
class future_state final : public future_core {
 public:
  ~future_state() override {
    if constexpr (has_value) {
      if (stored_) value()->~stored_type();
    }
  }

  /// Keeps what `f()` returns, constructed in place.
  template <class F>
  void store(F& f) {
    if constexpr (std::is_void_v<T>) {
      f();
    } else if constexpr (std::is_reference_v<T>) {
      ::new (static_cast<void*>(space_)) stored_type(std::addressof(f()));
    } else {
      ::new (static_cast<void*>(space_)) stored_type(f());
    }
    stored_ = true;
  }

  /// The promise has a result for it.
  bool is_filled() const noexcept { return stored_ || has_failed(); }

  T take() {
    rethrow_failure();
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**value());
    } else if constexpr (has_value) {
      return std::move(*value());
    }
  }

 private:
  static constexpr bool has_value = !std::is_void_v<T>;
  struct nothing {};
  using stored_type = std::conditional_t<
      std::is_void_v<T>, nothing,
      std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>>;

  stored_type* value() noexcept { return std::launder(reinterpret_cast<stored_type*>(space_)); }

  bool stored_ = false;  // as failure_: there is a value
  alignas(stored_type) std::byte space_[sizeof(stored_type)];
};

/// The goroutine's end of a future. When it goes, the future has the result; without one it fails with broken_promise.
template <class T>
class promise {
 public:
  explicit promise(future_state<T>* state) noexcept : state_(state) {}
  promise(promise&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  promise& operator=(promise&&) = delete;
  ~promise() {
    if (state_ == nullptr) return;
    if (!state_->is_filled())
      state_->fail(std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
    state_->publish();
    state_->release();
  }

  /// Takes what `f()` returns or throws as the result.
  template <class F>
  void run(F& f) noexcept {
    try {
      state_->store(f);
    } catch (...) {
      state_->fail(std::current_exception());
    }
  }

 private:
  future_state<T>* state_;  // an owned share; null: moved from
};

/// What a goroutine of async() runs. The call goes before the promise: who has the result finds what was captured gone.
template <class T, class Call>
struct async_call {
  detail::promise<T> promise;
  Call call;

  void operator()() noexcept { promise.run(call); }
};

struct future_access {
  template <class T>
  static future<T> make(future_state<T>* state) noexcept {
    return future<T>(state);
  }
  template <class T>
  static future_core& core(const future<T>& f) {
    return f.checked();
  }
};

/// Both ends of a new future.
template <class T>
struct promise_and_future {
  detail::promise<T> promise;
  runnel::future<T> future;
};
template <class T>
promise_and_future<T> make_promise() {
  auto* state = new future_state<T>;
  return {promise<T>(state), future_access::make(state)};
}

/// What a timed wait for a future found: a bool, true when the result is there, and a std::future_status (ready or
/// timeout).
class future_wait_result {
 public:
  constexpr explicit future_wait_result(bool ready) noexcept : ready_(ready) {}
  constexpr operator bool() const noexcept { return ready_; }  // NOLINT: implicit, as the other
  constexpr operator std::future_status() const noexcept {  // NOLINT: implicit, to be used like one
    return ready_ ? std::future_status::ready : std::future_status::timeout;
  }
  friend constexpr bool operator==(future_wait_result a, std::future_status b) noexcept {
    return static_cast<std::future_status>(a) == b;
  }

 private:
  bool ready_;
};

}  // namespace detail

/// The result of a goroutine started with `async`. Move-only. Its destructor does not wait; an exception that nobody
/// took is dropped with it.
///
/// May be destroyed as soon as a wait or get() has returned. Members other than valid() throw std::future_error
/// (no_state) where valid() is false.
template <class T>
class [[nodiscard]] future {
 public:
  /// Not valid: names no goroutine.
  future() noexcept = default;
  future(future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  future& operator=(future&& other) noexcept {
    future taken(std::move(other));
    std::swap(state_, taken.state_);
    return *this;
  }
  ~future() {
    if (state_ != nullptr) state_->release();
  }

  /// Whether there is a result to wait for and nobody has taken it.
  bool valid() const noexcept { return state_ != nullptr; }

  /// Waits for the goroutine and gives its result or throws its exception, once: valid() is false afterwards.
  T get() {
    checked().wait(detail::never);
    const future taken(std::move(*this));
    return taken.state_->take();
  }

  /// Blocks until the result is there.
  void wait() const { checked().wait(detail::never); }

  /// The same for at most `timeout`. True (std::future_status::ready) when the result is there. Zero or less: does
  /// not block.
  template <detail::any_duration D>
  detail::future_wait_result wait_for(D timeout) const {
    detail::future_core& core = checked();
    return detail::future_wait_result(core.is_ready() ||
                                      core.wait(detail::deadline_after(timeout)));
  }
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <detail::any_time_point TP>
  detail::future_wait_result wait_until(TP deadline) const {
    return detail::future_wait_result(checked().wait(detail::deadline_at(deadline)));
  }

 private:
  friend struct detail::future_access;
  explicit future(detail::future_state<T>* state) noexcept : state_(state) {}

  detail::future_core& checked() const {
    if (state_ == nullptr) throw std::future_error(std::future_errc::no_state);
    return *state_;
  }

  detail::future_state<T>* state_ = nullptr;  // an owned share; null: not valid
};

namespace detail {

// The compiled half of on_ready().
class future_case : public case_base {
 public:
  explicit future_case(future_core& core) noexcept : core_(&core) {}

  spinlock* lock() noexcept { return &core_->lock(); }
  bool try_now(agent*&) noexcept override { return core_->is_ready(); }
  void enqueue(waiter& w) noexcept override { core_->enqueue(w); }
  void dequeue(waiter& w) noexcept override { core_->dequeue(w); }
  void complete(waiter&) noexcept override {}
  bool miss_hint() noexcept override { return !core_->is_ready(); }

 protected:
  ~future_case() = default;

 private:
  future_core* core_;
};

template <class T, class H>
class ready_case final : public future_case {
 public:
  static constexpr bool is_otherwise = false;

  ready_case(future<T>& f, H handler)
      : future_case(future_access::core(f)), future_(&f), handler_(std::move(handler)) {}

  void run() {
    if constexpr (std::is_invocable_v<H&, future<T>&>) {
      std::invoke(handler_, *future_);
    } else {
      std::invoke(handler_);
    }
  }

 private:
  future<T>* future_;
  H handler_;
};

}  // namespace detail

/// A select case that goes ahead when the result of `f` is there; get() does not block then. `handler()` or
/// `handler(f)` runs after the select has decided. `f` must be valid (std::future_error otherwise) and must neither
/// move nor end before the select returns.
template <class T, class H>
auto on_ready(future<T>& f, H&& handler) {
  return detail::ready_case<T, std::decay_t<H>>(f, std::forward<H>(handler));
}
template <class T>
auto on_ready(future<T>& f) {
  return on_ready(f, [] {});
}

}  // namespace runnel
