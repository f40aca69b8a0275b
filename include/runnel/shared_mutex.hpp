// shared_mutex, shared_timed_mutex: many readers or one writer.
#pragma once
#include <atomic>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <runnel/mutex.hpp>

namespace runnel {

namespace detail {
class shared_mutex_case;
class wake_list;
}  // namespace detail

/// A lock that many may share or one may have alone. Meets Lockable and SharedLockable: std::scoped_lock,
/// std::unique_lock and std::shared_lock work. Owned by nobody in particular: another goroutine than the one that
/// locked may unlock.
///
/// A writer that waits for readers holds off new ones, so locking it shared twice in one goroutine can block for ever. When
/// a writer unlocks, all readers and one writer that wait are woken and compete with newcomers; who has lost for a
/// millisecond is handed it, readers before a writer, so that neither side starves.
class shared_mutex {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  /// Blocks until the caller has it alone.
  void lock() {
    detail::check_attention();
    if (!take()) [[unlikely]]
      (void)lock_slow(detail::never);
  }

  /// Takes it if nobody has it. Does not block.
  bool try_lock() noexcept {
    if (take()) return true;
    detail::check_attention();
    return false;
  }

  /// Lets it go. Unlocking what is not locked (or is locked shared) ends the process:
  /// `fatal error: unlock of unlocked shared_mutex`.
  void unlock() noexcept {
    std::uint64_t held = writer;
    // release: pairs with the acquires of whoever takes or shares it next
    if (!state_.compare_exchange_strong(held, 0, std::memory_order_release,
                                        std::memory_order_relaxed)) [[unlikely]]
      unlock_slow();
  }

  /// Blocks until no writer has it or waits for readers to let it go, then shares it.
  void lock_shared() {
    detail::check_attention();
    // acquire: pairs with the release of a writer's unlock()
    if ((state_.fetch_add(share, std::memory_order_acquire) & (writer | closed)) != 0) [[unlikely]]
      (void)lock_shared_slow(detail::never, registered::yes);
  }

  /// Shares it if no writer has it or waits for readers to let it go. Does not block.
  bool try_lock_shared() noexcept {
    if (try_share()) return true;
    detail::check_attention();
    return try_lock_shared_slow();
  }

  /// Lets a share go. Where there is none the process ends: `fatal error: unlock of unlocked shared_mutex`.
  void unlock_shared() noexcept {
    // release: pairs with the acquire of the writer that takes it next
    const std::uint64_t before = state_.fetch_sub(share + left, std::memory_order_release);
    if ((before & (writer | closed)) != 0 || shares(before) == 0) [[unlikely]]
      unlock_shared_slow(before);
  }

  /// Blocks until the caller has it alone (no error) or `ctx` is done (its error; not locked). A context that is done
  /// from the start wins.
  error lock(const context& ctx);
  /// The same for a share.
  error lock_shared(const context& ctx);

 protected:
  /// Whether the caller counts in the state already, as lock_shared() makes it.
  enum class registered : bool { no, yes };

  /// False: `deadline` came first.
  bool lock_slow(std::int64_t deadline);
  bool lock_shared_slow(std::int64_t deadline, registered is_registered = registered::no);

 private:
  friend class detail::shared_mutex_case;
  struct contender;
  enum class outcome : std::uint8_t { owns, competes, gave_up };

  // The state (see shared_mutex.cpp).
  static constexpr std::uint64_t writer = 1;  // somebody has it alone
  static constexpr std::uint64_t closed = 2;  // somebody may wait
  static constexpr std::uint64_t share = 4;   // times the shares: 30 bits
  // Times those that have still to be let go: 32 bits.
  static constexpr std::uint64_t left = std::uint64_t{1} << 32;

  static std::uint32_t shares(std::uint64_t s) noexcept {
    return static_cast<std::uint32_t>(s) / share;
  }
  static std::uint32_t shares_left(std::uint64_t s) noexcept {
    return static_cast<std::uint32_t>(s / left);
  }

  bool take() noexcept {
    std::uint64_t s = state_.load(std::memory_order_relaxed);
    // acquire: pairs with the releases in unlock() and unlock_shared()
    return static_cast<std::uint32_t>(s) == 0 &&
           state_.compare_exchange_strong(s, writer, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  bool try_share() noexcept {
    std::uint64_t s = state_.load(std::memory_order_relaxed);
    while ((s & (writer | closed)) == 0) {
      // acquire: pairs with the release in unlock()
      if (state_.compare_exchange_weak(s, s + share, std::memory_order_acquire,
                                       std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  void unlock_slow() noexcept;
  void unlock_shared_slow(std::uint64_t before) noexcept;
  bool try_lock_shared_slow() noexcept;
  bool take_or_close() noexcept;
  bool is_granted(registered is_registered) noexcept;
  bool share_or_close(registered is_registered) noexcept;
  bool share_if_open(registered is_registered) noexcept;
  std::uint64_t taken() const noexcept;
  outcome sleep_in(detail::wait_queue& queue, detail::wait_reason reason, contender& self,
                   std::int64_t deadline);
  std::uint32_t wake_readers(bool all_are_handed_it, detail::wake_list& woken) noexcept;
  std::uint32_t pass(std::uint32_t n, std::uint64_t bits) noexcept;
  void hand_to_writer(detail::waiter& next, detail::wake_list& woken) noexcept;
  void open(std::uint32_t handed) noexcept;
  void pass_on_from_writer(detail::wake_list& woken) noexcept;
  void pass_on_from_readers(detail::wake_list& woken) noexcept;
  void leave_queue(detail::waiter& w, detail::wake_list& woken) noexcept;

  std::atomic<std::uint64_t> state_{0};
  std::uint32_t granted_ = 0;  // guarded by queue_lock(this), as the rest
  bool writer_competes_ = false;
  detail::wait_queue readers_;
  detail::wait_queue writers_;
};

/// A shared_mutex that can be waited for with a time limit. Meets TimedLockable and SharedTimedLockable.
class shared_timed_mutex : public shared_mutex {
 public:
  /// Blocks for at most `timeout`. False: it could not be had alone in that time. Zero or less: does not block.
  template <detail::any_duration D>
  bool try_lock_for(D timeout) {
    return try_lock() || lock_slow(detail::deadline_after(timeout));
  }
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <detail::any_time_point TP>
  bool try_lock_until(TP deadline) {
    return try_lock() || lock_slow(detail::deadline_at(deadline));
  }
  /// Blocks for at most `timeout`. False: it could not be shared in that time. Zero or less: does not block.
  template <detail::any_duration D>
  bool try_lock_shared_for(D timeout) {
    return try_lock_shared() || lock_shared_slow(detail::deadline_after(timeout));
  }
  /// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`.
  template <detail::any_time_point TP>
  bool try_lock_shared_until(TP deadline) {
    return try_lock_shared() || lock_shared_slow(detail::deadline_at(deadline));
  }
};

namespace detail {

// The compiled half of on_lock() and on_lock_shared().
class shared_mutex_case : public case_base {
 public:
  shared_mutex_case(shared_mutex& m, bool shared) noexcept : mutex_(&m), share_(shared) {}

  spinlock* lock() noexcept;
  bool try_now(agent*& wake) noexcept override;
  void enqueue(waiter& w) noexcept override;
  void dequeue(waiter& w) noexcept override;
  void complete(waiter&) noexcept override {}

 protected:
  ~shared_mutex_case() = default;

 private:
  shared_mutex* mutex_;
  bool share_;
};

template <bool Share>
class shared_mutex_case_of : public shared_mutex_case {
 public:
  explicit shared_mutex_case_of(shared_mutex& m) noexcept : shared_mutex_case(m, Share) {}

 protected:
  ~shared_mutex_case_of() = default;
};

}  // namespace detail

/// A select case that takes the mutex alone. The caller owns it when `handler()` runs, and unlocks it itself.
template <class H>
auto on_lock(shared_mutex& m, H&& handler) {
  return detail::lock_case<detail::shared_mutex_case_of<false>, std::decay_t<H>>(
      m, std::forward<H>(handler));
}
inline auto on_lock(shared_mutex& m) {
  return on_lock(m, [] {});
}

/// The same for a share; the caller calls unlock_shared().
template <class H>
auto on_lock_shared(shared_mutex& m, H&& handler) {
  return detail::lock_case<detail::shared_mutex_case_of<true>, std::decay_t<H>>(
      m, std::forward<H>(handler));
}
inline auto on_lock_shared(shared_mutex& m) {
  return on_lock_shared(m, [] {});
}

}  // namespace runnel
