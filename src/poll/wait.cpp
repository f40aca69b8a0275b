// Waiting for a descriptor, alone and as a case of a select.
//
// A wait looks with poll(2) first: who is ready then goes on without a switch and without standing behind the run queue
// (a plain thread: without waiting for another one), a deadline that is past gets an answer, and a descriptor epoll
// cannot watch is ready for poll(2). After a read that gave EAGAIN the look is for nothing: descriptors that were not
// ready the last times are mostly not asked (look_habit).
#include <fcntl.h>
#include <poll.h>
#include <cerrno>
#include <mutex>
#include <system_error>

#include "poll/epoll.hpp"
#include "sched/start.hpp"

namespace runnel::detail {
namespace {

// Zero: ready. EAGAIN: not ready. EBADF: not open.
int look(int fd, poll_direction direction) noexcept {
  if (fd < 0) return EBADF;
  pollfd p{fd, static_cast<short>(direction == poll_direction::read ? POLLIN : POLLOUT), 0};
  int n = 0;
  do {
    n = ::poll(&p, 1, 0);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return EAGAIN;
  return (p.revents & POLLNVAL) != 0 ? EBADF : 0;
}

error as_error(int number) { return std::error_code(number, std::system_category()); }

error as_answer(int looked) {
  return looked == EAGAIN ? error(std::errc::timed_out) : as_error(looked);
}

// What a select waits for in place of a number that is not open. Nobody is ever queued there.
constinit descriptor not_open;

descriptor& descriptor_for_case(int fd) {
  if (fd < 0) return not_open;
  if (descriptor* d = find_descriptor(fd)) return *d;
  return fcntl(fd, F_GETFD) >= 0 ? descriptor_of(fd) : not_open;
}

}  // namespace

error wait_descriptor(int fd, poll_direction direction, std::int64_t deadline) {
  check_attention();
  descriptor* const known = fd >= 0 ? find_descriptor(fd) : nullptr;
  const bool no_time = has_come(deadline);
  if (known == nullptr || no_time || known->habit(direction).worth_trying()) {
    const int now = look(fd, direction);
    if (known != nullptr) known->habit(direction).tried(now != EAGAIN);
    if (now != EAGAIN || no_time) return as_answer(now);
  }
  ensure_started();
  if (const int e = the_poller.open(); e != 0) return as_error(e);

  descriptor& d = known != nullptr ? *known : descriptor_of(fd);
  d.mu.lock();
  if (const int e = the_poller.arm(d, direction); e != 0) {
    d.mu.unlock();
    return e == EPERM ? error() : as_error(e);
  }
  if (d.ours) {
    const int now = look(fd, direction);
    if (now != EAGAIN) {
      d.mu.unlock();
      return as_answer(now);
    }
  }
  int result = 0;
  if (the_poller.park(d, direction, deadline, result)) return as_error(result);
  return as_answer(look(fd, direction));
}

descriptor_case::descriptor_case(int fd, poll_direction direction)
    : descriptor_(&descriptor_for_case(fd)), fd_(fd), direction_(direction) {
  ensure_started();
  if (const int e = the_poller.open(); e != 0)
    throw std::system_error(e, std::system_category(), "runnel: poller");
}

spinlock* descriptor_case::lock() noexcept { return &descriptor_->mu; }

bool descriptor_case::try_now(agent*&) noexcept {
  errno_ = descriptor_ != &not_open ? look(fd_, direction_) : EBADF;
  return errno_ != EAGAIN;
}

bool descriptor_case::miss_hint() noexcept { return look(fd_, direction_) == EAGAIN; }

// A case cannot say here that it is ready after all: poll() says it once the select sleeps.
void descriptor_case::enqueue(waiter& w) noexcept {
  w.slot = &errno_;
  const int e = the_poller.arm(*descriptor_, direction_);
  if (e == 0)
    the_poller.add(*descriptor_, direction_, w);
  else
    the_poller.add_failed(*descriptor_, e == EPERM ? 0 : e, w);
}

void descriptor_case::dequeue(waiter& w) noexcept { the_poller.remove(w); }

error descriptor_case::failure() const { return as_error(errno_); }

}  // namespace runnel::detail
