// semaphore: a number of units that are taken and given back, as golang.org/x/sync/semaphore.
#pragma once
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/error.hpp>
#include <runnel/mutex.hpp>

namespace runnel {

class context;

namespace detail {
class semaphore_case;
class wake_list;
}  // namespace detail

/// A weighted semaphore. First come, first served: while somebody waits, nobody gets past him, even if what he wants
/// would be there. May be destroyed as soon as an acquire has returned.
class semaphore {
 public:
  /// `n` units, all free. Throws std::invalid_argument if `n` is negative.
  explicit semaphore(std::int64_t n) : size_(checked_size(n)), free_(n) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// Blocks until `n` units are free and takes them. Throws std::invalid_argument if `n` is negative or more than
  /// there are in all.
  void acquire(std::int64_t n = 1) {
    detail::check_attention();
    if (!take(n)) [[unlikely]]
      acquire_slow(n);
  }

  /// The same, unless `ctx` is done first or from the start: then its error, and nothing is taken. More than there are
  /// in all: waits for the end of the context, and holds up nobody. Throws std::invalid_argument if `n` is negative.
  error acquire(const context& ctx, std::int64_t n = 1);

  /// Takes `n` units if they are free and nobody waits. Does not block. Throws std::invalid_argument if `n` is
  /// negative.
  bool try_acquire(std::int64_t n = 1) {
    if (take(n)) return true;
    detail::check_attention();
    return false;
  }

  /// Gives `n` units back. Throws std::logic_error, and changes nothing, if fewer are taken; std::invalid_argument if
  /// `n` is negative.
  void release(std::int64_t n = 1) {
    if (n < 0) [[unlikely]]
      throw_negative();
    lock_.lock();
    if (n <= size_ - free_ && waiters_.empty()) [[likely]] {
      free_ += n;
      lock_.unlock();
    } else {
      release_slow(n);
    }
  }

 private:
  friend class detail::semaphore_case;
  template <class H>
  friend auto on_acquire(semaphore& s, std::int64_t n, H&& handler);

  bool take(std::int64_t n) {
    if (n < 0) [[unlikely]]
      throw_negative();
    lock_.lock();
    const bool got = n <= free_ && waiters_.empty();
    if (got) free_ -= n;
    lock_.unlock();
    return got;
  }

  static std::int64_t checked_size(std::int64_t n);
  void check_request(std::int64_t n) const;
  [[noreturn]] static void throw_negative();
  void acquire_slow(std::int64_t n);
  void release_slow(std::int64_t n);
  void grant(detail::wake_list& woken) noexcept;

  const std::int64_t size_;
  detail::spinlock lock_;
  std::int64_t free_;           // guarded by lock_
  detail::wait_queue waiters_;  // guarded by lock_; a waiter's slot points to the number it wants
};

namespace detail {

// The compiled half of on_acquire().
class semaphore_case : public case_base {
 public:
  semaphore_case(semaphore& s, std::int64_t n) noexcept : semaphore_(&s), wanted_(n) {}

  spinlock* lock() noexcept { return &semaphore_->lock_; }
  bool try_now(agent*& wake) noexcept override;
  void enqueue(waiter& w) noexcept override;
  void dequeue(waiter& w) noexcept override;
  void complete(waiter&) noexcept override {}

 protected:
  ~semaphore_case() = default;

 private:
  semaphore* semaphore_;
  std::int64_t wanted_;
};

template <class H>
class acquire_case final : public semaphore_case {
 public:
  static constexpr bool is_otherwise = false;

  acquire_case(semaphore& s, std::int64_t n, H handler)
      : semaphore_case(s, n), handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  H handler_;
};

}  // namespace detail

/// A select case that takes `n` units. The caller owns them when `handler()` runs, and releases them itself. Throws
/// std::invalid_argument if `n` is negative or more than there are in all.
template <class H>
auto on_acquire(semaphore& s, std::int64_t n, H&& handler) {
  s.check_request(n);
  return detail::acquire_case<std::decay_t<H>>(s, n, std::forward<H>(handler));
}
inline auto on_acquire(semaphore& s, std::int64_t n = 1) {
  return on_acquire(s, n, [] {});
}

}  // namespace runnel
