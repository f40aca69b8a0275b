// error: a nullable error value that can be passed around, wrapped, joined and asked what it is.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace runnel {

namespace detail {

struct error_node;  // reference-counted and immutable; see src/base/error.cpp

void retain_error(error_node* node) noexcept;
void release_error(error_node* node) noexcept;

template <class E>
concept error_enum = std::is_error_code_enum_v<E> || std::is_error_condition_enum_v<E>;

}  // namespace detail

/// An error, or none. Copying shares the error; a default constructed `error` is no error at all.
///
/// An error is a code, an exception, a text, an error with more context (`wrap`), or several errors
/// (`join`). Values are immutable: any number of goroutines and threads may use copies of one at
/// once. Constructing an error allocates and throws `std::bad_alloc` when that fails; copying never
/// throws.
class error {
 public:
  /// No error.
  constexpr error() noexcept = default;
  constexpr error(std::nullptr_t) noexcept {}  // NOLINT: implicit, as for pointers
  /// The error `code` stands for; no error when its value is zero.
  error(std::error_code code);  // NOLINT: implicit by contract, like the constructors below
  /// The error an enumerator of an error enum stands for; no error when it is zero.
  template <detail::error_enum E>
  error(E e) : error(std::error_code(make_error_code(e))) {}  // NOLINT
  /// The exception `e` points to; no error when it is null. An exception that is itself an `error`
  /// gives that error.
  error(std::exception_ptr e);  // NOLINT
  /// An error that says `text`, also when that is empty.
  error(std::string text);       // NOLINT
  error(std::string_view text);  // NOLINT
  /// An error that says `text`; no error when the pointer is null.
  error(const char* text);  // NOLINT

  error(const error& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) detail::retain_error(node_);
  }
  error(error&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  error& operator=(const error& other) noexcept {
    error copy(other);
    std::swap(node_, copy.node_);
    return *this;
  }
  error& operator=(error&& other) noexcept {
    error taken(std::move(other));
    std::swap(node_, taken.node_);
    return *this;
  }
  ~error() {
    if (node_ != nullptr) detail::release_error(node_);
  }

  /// The exception being handled (as `std::current_exception`); no error outside a handler.
  static error current();

  /// True: there is an error.
  explicit operator bool() const noexcept { return node_ != nullptr; }

  /// What it says: the code's message, the exception's `what()`, the text, "context: cause" for a
  /// wrapped error and one message a line for joined ones. Empty when there is no error.
  std::string message() const;

  /// Whether `code` is this error or one anywhere in its chain: wrapped, joined, or carried by a
  /// `std::system_error`.
  bool is(std::error_code code) const noexcept;
  /// Whether an error anywhere in the chain has a code equivalent to `condition`.
  bool is(std::error_condition condition) const noexcept;
  template <detail::error_enum E>
  bool is(E e) const noexcept {
    if constexpr (std::is_error_code_enum_v<E>) {
      return is(std::error_code(make_error_code(e)));
    } else {
      return is(std::error_condition(make_error_condition(e)));
    }
  }
  /// Whether `target` is this error object or one anywhere in its chain (as Go's `errors.Is`).
  template <std::same_as<error> T>
  bool is(const T& target) const noexcept {
    return is_object(target);
  }

  /// The first exception in the chain that a `catch (const E&)` would catch; nullptr when there is
  /// none. The pointer lives as long as a copy of this error does.
  template <class E>
  const E* as() const {
    const E* found = nullptr;
    visit_exceptions(
        [](void* out, const std::exception_ptr& e) {
          try {
            std::rethrow_exception(e);
          } catch (const E& caught) {
            *static_cast<const E**>(out) = std::addressof(caught);
            return true;
          } catch (...) {
            return false;
          }
        },
        &found);
    return found;
  }

  /// The cause of a wrapped error; no error for any other.
  error unwrap() const noexcept;

  /// Throws the first exception in the chain; where there is none, `std::system_error` with the
  /// first code, else `std::runtime_error` with the message. Does nothing when there is no error.
  void rethrow() const;

  /// The same error object, or both none. Two errors made separately differ, also when they say the
  /// same.
  friend bool operator==(const error& a, const error& b) noexcept { return a.node_ == b.node_; }
  /// As `is(e)`; true for an enumerator of value zero when there is no error.
  template <detail::error_enum E>
  friend bool operator==(const error& a, E e) noexcept {
    return static_cast<int>(e) == 0 ? !a : a.is(e);
  }
  /// As `is(code)`; true for a code of value zero when there is no error.
  template <std::same_as<std::error_code> C>
  friend bool operator==(const error& a, const C& code) noexcept {
    return code ? a.is(code) : !a;
  }

  /// Writes the message; "no error" when there is none.
  friend std::ostream& operator<<(std::ostream& out, const error& e) { return e.print(out); }

  friend error wrap(std::string context, error cause);
  friend error join(std::span<const error> errors);

 private:
  explicit error(detail::error_node* node) noexcept : node_(node) {}

  bool is_object(const error& target) const noexcept;
  void visit_exceptions(bool (*match)(void*, const std::exception_ptr&), void* arg) const;
  std::ostream& print(std::ostream& out) const;

  detail::error_node* node_ = nullptr;  // owned share; immutable once published
};

/// `cause` with context: its message is "context: cause". `is`, `as` and `rethrow` see through it,
/// `unwrap` gives the cause. No error when the cause is none.
error wrap(std::string context, error cause);

/// Several errors as one, in order; those that are none are left out, and no other is dropped. No
/// error when none is left, that very error when one is.
error join(std::span<const error> errors);
inline error join(std::initializer_list<error> errors) {
  return join(std::span<const error>(errors.begin(), errors.size()));
}

namespace detail {

template <class R>
inline constexpr bool is_task_result =
    std::is_void_v<R> || std::same_as<R, error> || std::same_as<R, std::error_code>;

/// A function that may be handed to a group, a pool or a parallel loop.
template <class F, class... A>
concept error_function = std::invocable<F&, A...> && is_task_result<std::invoke_result_t<F&, A...>>;

/// Calls `f` and gives what it returned or threw as an error.
template <class F, class... A>
requires error_function<F, A...> error call_to_error(F& f, A&&... args) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F&, A...>>) {
      std::invoke(f, std::forward<A>(args)...);
      return {};
    } else {
      return error(std::invoke(f, std::forward<A>(args)...));
    }
  } catch (...) {
    return error::current();
  }
}

}  // namespace detail

}  // namespace runnel
