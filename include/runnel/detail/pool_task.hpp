// What a worker pool runs: a move-only callable, kept in place when it is small.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <runnel/group.hpp>
#include <type_traits>
#include <utility>

namespace runnel::detail {

/// Whether `f` says that there is nothing to call: a null pointer, an empty std::function or the
/// like.
template <class F>
bool is_empty_callable(const F& f) noexcept {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
    return f == nullptr;
  } else if constexpr (std::is_constructible_v<F, std::nullptr_t> &&
                       requires { static_cast<bool>(f); }) {
    return !static_cast<bool>(f);
  } else {
    return false;
  }
}

class pool_task {
 public:
  /// Callables up to this size, of pointer alignment and with a nothrow move, cost no allocation.
  static constexpr std::size_t inline_size = 56;

  /// An empty task; a pool refuses it.
  pool_task() noexcept : ops_(nullptr) {}
  pool_task(std::nullptr_t) noexcept : ops_(nullptr) {}  // NOLINT: implicit, as std::function
  /// From f() or f(const context&) that returns void, error or std::error_code; empty if `f` is a
  /// null pointer or an empty std::function.
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, pool_task> && context_task<std::decay_t<F>>)
      pool_task(F&& f)
      : ops_(nullptr) {  // NOLINT: implicit, as std::function
    using callable = std::decay_t<F>;
    if (is_empty_callable<callable>(f)) return;
    if constexpr (fits<callable>) {
      ::new (static_cast<void*>(storage_)) callable(std::forward<F>(f));
      ops_ = &inline_ops<callable>;
    } else {
      auto* boxed = new callable(std::forward<F>(f));
      ::new (static_cast<void*>(storage_)) callable*(boxed);
      ops_ = &boxed_ops<callable>;
    }
  }

  pool_task(pool_task&& other) noexcept : ops_(std::exchange(other.ops_, nullptr)) {
    take_storage(other);
  }
  pool_task& operator=(pool_task&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = std::exchange(other.ops_, nullptr);
      take_storage(other);
    }
    return *this;
  }
  ~pool_task() { reset(); }

  /// Whether there is something to call.
  explicit operator bool() const noexcept { return ops_ != nullptr; }

  /// Calls it; what it returned or threw. May be called again. Precondition: not empty.
  error operator()(const context& ctx) { return ops_->invoke(storage_, ctx); }

  /// Destroys the callable.
  void reset() noexcept {
    if (ops_ == nullptr) return;
    if (ops_->destroy != nullptr) ops_->destroy(storage_);
    ops_ = nullptr;
  }

 private:
  struct operations {
    error (*invoke)(void* storage, const context& ctx);
    void (*relocate)(void* to, void* from) noexcept;  // null: copy the bytes
    void (*destroy)(void* storage) noexcept;          // null: nothing to do
  };

  template <class F>
  static constexpr bool fits =
      sizeof(F) <= inline_size &&
      alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static F& stored(void* storage) noexcept {
    return *std::launder(static_cast<F*>(storage));
  }

  template <class F>
  static constexpr operations inline_ops{
      [](void* storage, const context& ctx) { return run_task(stored<F>(storage), ctx); },
      std::is_trivially_copyable_v<F> ? nullptr
                                      : +[](void* to, void* from) noexcept {
                                          F& source = stored<F>(from);
                                          ::new (to) F(std::move(source));
                                          source.~F();
                                        },
      std::is_trivially_destructible_v<F>
          ? nullptr
          : +[](void* storage) noexcept { stored<F>(storage).~F(); }};

  template <class F>
  static constexpr operations boxed_ops{
      [](void* storage, const context& ctx) { return run_task(*stored<F*>(storage), ctx); },
      nullptr, [](void* storage) noexcept { delete stored<F*>(storage); }};

  // `other` has given its operations away already.
  void take_storage(pool_task& other) noexcept {
    if (ops_ == nullptr) return;
    if (ops_->relocate != nullptr) {
      ops_->relocate(storage_, other.storage_);
    } else {
      copy_bytes(storage_, other.storage_);
    }
  }

  // All bytes, whatever the callable's size: a fixed number is a few vector moves, and the rest is
  // never read.
  static void copy_bytes(std::byte* to, const std::byte* from) noexcept {
#ifndef __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
    std::memcpy(to, from, inline_size);
#ifndef __clang__
#pragma GCC diagnostic pop
#endif
  }

  const operations* ops_;
  alignas(void*) std::byte storage_[inline_size];
};

}  // namespace runnel::detail
