// A descriptor that belongs to the library, which knows therefore when it is closed: it is registered once,
// edge-triggered, and waiting takes no system call.
//
// Not a report too few: whoever finds the file empty clears the edge only if no report came since before he asked it, so
// what comes later is reported later; and whoever waits looks at the edge under the lock that a report takes. Whether
// "empty" may be concluded from a short read is for the caller to know.
#pragma once
#include <atomic>
#include <cstdint>

#include "poll/descriptor.hpp"

namespace runnel::detail {

class own_descriptor {
 public:
  /// Takes `fd`, which is open and non-blocking, over. Throws std::bad_alloc; then it stays the caller's.
  explicit own_descriptor(int fd);
  own_descriptor(const own_descriptor&) = delete;
  own_descriptor& operator=(const own_descriptor&) = delete;

  int fd() const noexcept { return descriptor_->fd; }
  edge_word& edge(poll_direction d) noexcept { return descriptor_->edge(d); }
  descriptor& shared() noexcept { return *descriptor_; }

  /// Blocks until the edge of `direction` is up, wake() or give_up() is called, or `deadline` has come: the caller finds
  /// out which. `deadline` is read after wake() can be seen. An errno if the poller cannot watch the descriptor, or zero.
  int wait(poll_direction direction, const std::atomic<std::int64_t>& deadline);
  /// Makes those who wait look again.
  void wake(poll_direction direction) noexcept;

  /// Ends the registration. Nobody begins to wait after it; who waits goes on. It may be closed then.
  void give_up() noexcept;

 private:
  descriptor* descriptor_;
};

}  // namespace runnel::detail
