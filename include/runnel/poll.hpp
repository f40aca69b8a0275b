// Waiting for a file descriptor of any origin: what a C library with a descriptor (libpq, hiredis, ...) needs to block
// a goroutine and not its thread.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <type_traits>
#include <utility>

namespace runnel {

class context;

namespace detail {

enum class poll_direction : std::uint8_t { read, write };

struct descriptor;

/// Waits until `deadline` (clock nanoseconds; `never` is allowed); see wait_readable.
error wait_descriptor(int fd, poll_direction direction, std::int64_t deadline);

/// The compiled half of on_readable() and on_writable().
class descriptor_case : public case_base {
 public:
  descriptor_case(int fd, poll_direction direction);

  spinlock* lock() noexcept;
  bool try_now(agent*& wake) noexcept override;
  void enqueue(waiter& w) noexcept override;
  void dequeue(waiter& w) noexcept override;
  void complete(waiter&) noexcept override {}
  bool miss_hint() noexcept override;

  /// Why it went ahead: none if the descriptor is ready.
  error failure() const;
  /// The same as an errno; zero: ready.
  int failure_number() const noexcept { return errno_; }

 protected:
  ~descriptor_case() = default;

 private:
  descriptor* descriptor_;
  int fd_;
  int errno_ = 0;  // written by whoever makes the case go ahead
  poll_direction direction_;
};

template <class H>
class descriptor_handler_case final : public descriptor_case {
 public:
  static constexpr bool is_otherwise = false;

  descriptor_handler_case(int fd, poll_direction direction, H handler)
      : descriptor_case(fd, direction), handler_(std::move(handler)) {}
  void run() { std::invoke(handler_); }

 private:
  [[no_unique_address]] H handler_;
};

}  // namespace detail

/// Blocks until reading from `fd` would not block: there is input, the end of it, or an error to be fetched.
///
/// Level-triggered: returns at once, and again and again, while the descriptor is ready. One that cannot be waited for
/// (a regular file) is always ready. Any number of goroutines and threads may wait for one descriptor, in both
/// directions; all are woken. Whoever reads first may leave nothing for the others, so the descriptor should be
/// non-blocking.
///
/// Close a descriptor only when nobody waits for it. The kernel says nothing about one that is closed: its waiters
/// stay until their deadline or context ends the wait, or until somebody waits for another file of the same number,
/// which gives the old waiters std::errc::bad_file_descriptor.
///
/// Gives no error when ready, std::errc::bad_file_descriptor if `fd` is not open, and what the system says when it
/// cannot watch any more descriptors (std::errc::no_space_on_device, std::errc::not_enough_memory,
/// std::errc::too_many_files_open). Throws std::bad_alloc when there is no memory.
inline error wait_readable(int fd) {
  return detail::wait_descriptor(fd, detail::poll_direction::read, detail::never);
}
/// The same until `deadline`, of `runnel::clock` or `std::chrono::steady_clock`: std::errc::timed_out if the descriptor
/// is not ready then. A deadline that is past: does not block.
template <detail::any_time_point TP>
error wait_readable(int fd, TP deadline) {
  return detail::wait_descriptor(fd, detail::poll_direction::read, detail::deadline_at(deadline));
}
/// The same unless `ctx` is done first, or from the start: then its error.
error wait_readable(const context& ctx, int fd);

/// Blocks until writing to `fd` would not block: there is room, or an error (nobody reads any more) to be fetched. In
/// all else as wait_readable.
inline error wait_writable(int fd) {
  return detail::wait_descriptor(fd, detail::poll_direction::write, detail::never);
}
template <detail::any_time_point TP>
error wait_writable(int fd, TP deadline) {
  return detail::wait_descriptor(fd, detail::poll_direction::write, detail::deadline_at(deadline));
}
error wait_writable(const context& ctx, int fd);

/// A select case that goes ahead when reading from `fd` would not block, as wait_readable; `handler()` runs after the
/// select has decided. For a descriptor that is not open it goes ahead, too: the read will say so. Throws
/// std::system_error if the poller cannot be opened (no more descriptors), std::bad_alloc when there is no memory.
template <class H>
requires std::invocable < std::decay_t<H>
& > auto on_readable(int fd, H&& handler) {
  return detail::descriptor_handler_case<std::decay_t<H>>(fd, detail::poll_direction::read,
                                                          std::forward<H>(handler));
}
inline auto on_readable(int fd) {
  return on_readable(fd, [] {});
}

/// The same when writing to `fd` would not block, as wait_writable.
template <class H>
requires std::invocable < std::decay_t<H>
& > auto on_writable(int fd, H&& handler) {
  return detail::descriptor_handler_case<std::decay_t<H>>(fd, detail::poll_direction::write,
                                                          std::forward<H>(handler));
}
inline auto on_writable(int fd) {
  return on_writable(fd, [] {});
}

}  // namespace runnel
