#include "poll/epoll.hpp"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <mutex>

#include "poll/poll.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr int most_events = 128;  // taken at once; the others stay for the next poll
constexpr std::uint64_t interrupt_mark = ~std::uint64_t{0};  // no descriptor is numbered -1
constexpr std::uint32_t special = EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t wakes_readers = EPOLLIN | special;
constexpr std::uint32_t wakes_writers = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t own_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t millisecond = 1'000'000;

constexpr std::uint32_t interest(poll_direction d) noexcept {
  return d == poll_direction::read ? EPOLLIN : EPOLLOUT;
}

std::uint32_t interest(descriptor& d) noexcept {
  std::uint32_t events = 0;
  for (const poll_direction x : {poll_direction::read, poll_direction::write})
    if (!d.queue(x).empty()) events |= interest(x);
  return events;
}

std::uint64_t mark_of(const descriptor& d) noexcept {
  return std::uint64_t{d.seq} << 32 | static_cast<std::uint32_t>(d.fd);
}

// As epoll_wait with a timeout in nanoseconds; it is rounded up to milliseconds where the kernel (before 5.11) or a
// sandbox does not have the newer call.
int wait_until(int epoll, epoll_event* events, std::int64_t left) noexcept {
#ifdef SYS_epoll_pwait2
  static constinit std::atomic<bool> missing{false};
  if (!missing.load(std::memory_order_relaxed)) {  // relaxed: nothing depends on it
    const timespec timeout{left / second, left % second};
    const long n =
        syscall(SYS_epoll_pwait2, epoll, events, most_events, &timeout, nullptr, std::size_t{0});
    if (n >= 0 || errno == EINTR) return static_cast<int>(n);
    missing.store(true, std::memory_order_relaxed);
  }
#endif
  const std::int64_t whole = left / millisecond + (left % millisecond != 0 ? 1 : 0);
  return epoll_wait(epoll, events, most_events,
                    static_cast<int>(std::min<std::int64_t>(whole, 1'000'000)));
}

}  // namespace

constinit epoll_poller the_poller;

poll_driver& poller() noexcept { return the_poller; }

// -- waiters ---------------------------------------------------------------------------------------------------------

void woken_list::take_all(wait_queue& queue, int result) noexcept {
  while (waiter* w = queue.front()) {
    queue.remove(*w);
    ++taken_;
    if (!w->try_claim()) continue;
    *static_cast<int*>(w->slot) = result;
    w->next = nullptr;
    *tail_ = w;
    tail_ = &w->next;
  }
}

std::int32_t woken_list::ready_all() noexcept {
  waiter* w = head_;
  while (w != nullptr) {
    waiter* const next = w->next;
    ready(w->who);
    w = next;
  }
  return taken_;
}

// Whoever waits while the watcher is in the poller, or is the second to wait, need not wake it: it looks at pending()
// again before it does anything else.
void epoll_poller::count_waiter() noexcept {
  if (waiting_.fetch_add(1) == 0 && !sched.watcher_polls.load()) wake_watcher(0);
}

void epoll_poller::add(descriptor& d, poll_direction direction, waiter& w) noexcept {
  if (w.who->what == agent::kind::thread) static_cast<thread_agent*>(w.who)->armed = true;
  d.queue(direction).push_back(w);
  count_waiter();
}

void epoll_poller::add_failed(descriptor& d, int result, waiter& w) noexcept {
  d.gone.push_back(w);
  count_waiter();
  fail_next(d, result);
}

void epoll_poller::remove(waiter& w) noexcept {
  if (w.queue == nullptr) return;
  w.queue->remove(w);
  waiting_.fetch_sub(1);
}

bool epoll_poller::park(descriptor& d, poll_direction direction, std::int64_t deadline,
                        int& result) {
  claim_word claim{unclaimed};
  waiter w;
  w.who = this_agent();
  w.slot = &result;
  if (deadline != never) w.claim = &claim;
  add(d, direction, w);
  const bool woken = park_until(wait_reason::io_wait, d.mu, claim, deadline);
  if (woken && claim.load() != claimed_by_timeout) return true;
  {
    std::lock_guard lock(d.mu);
    remove(w);
  }
  if (!woken) throw_deadlock();
  return false;
}

void epoll_poller::fail_next(descriptor& d, int result) noexcept {
  d.gone_errno = result;
  if (d.listed) return;
  d.listed = true;
  d.next_listed = listed_.load();
  while (!listed_.compare_exchange_weak(d.next_listed, &d)) {
  }
  interrupt();
}

// Looked at by the deadlock report: whoever was the last one counted may have slept since.
void epoll_poller::let_go(woken_list& woken) noexcept {
  const std::int32_t n = woken.ready_all();
  if (n != 0 && waiting_.fetch_sub(n) == n && sched.wake_monitor != nullptr) sched.wake_monitor();
}

// -- arming ----------------------------------------------------------------------------------------------------------

int epoll_poller::open() noexcept {
  if (epoll_.load() >= 0) return 0;
  std::lock_guard lock(open_lock_);
  return epoll_.load() >= 0 ? 0 : open_locked();
}

int epoll_poller::open_locked() noexcept {
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) return errno;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    const int error = errno;
    close(event);
    return error;
  }
  epoll_event watch{};
  watch.events = EPOLLIN;
  watch.data.u64 = interrupt_mark;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch) != 0) {
    const int error = errno;
    close(epoll);
    close(event);
    return error;
  }
  interrupt_ = event;
  epoll_.store(epoll);
  return 0;
}

int epoll_poller::control(int operation, descriptor& d, std::uint32_t events) noexcept {
  ++d.seq;
  epoll_event e{};
  e.events = events;
  e.data.u64 = mark_of(d);
  return epoll_ctl(epoll_.load(), operation, d.fd, &e) == 0 ? 0 : errno;
}

int epoll_poller::arm(descriptor& d, poll_direction direction) noexcept {
  return d.ours ? register_own(d) : arm_foreign(d, direction);
}

// ENOENT: the number stands for another file than when it was registered, or none was. EEXIST: it stands again for
// one that was registered before.
int epoll_poller::arm_foreign(descriptor& d, poll_direction direction) noexcept {
  if (d.registered) {
    const int error = control(EPOLL_CTL_MOD, d, interest(d) | interest(direction) | EPOLLONESHOT);
    if (error == 0) return 0;
    abandon_waiters(d);
    if (error != ENOENT) return error;
  }
  const std::uint32_t events = interest(direction) | EPOLLONESHOT;
  int error = control(EPOLL_CTL_ADD, d, events);
  if (error == EEXIST) error = control(EPOLL_CTL_MOD, d, events);
  d.registered = error == 0;
  return error;
}

// Registering reports what is ready already. EEXIST: somebody waited for the same file before it became ours.
int epoll_poller::register_own(descriptor& d) noexcept {
  if (d.registered) return 0;
  int error = control(EPOLL_CTL_ADD, d, own_events);
  if (error == EEXIST) error = control(EPOLL_CTL_MOD, d, own_events);
  d.registered = error == 0;
  return error;
}

void epoll_poller::abandon_waiters(descriptor& d) noexcept {
  d.registered = false;
  bool any = false;
  for (wait_queue& q : d.queues) {
    while (waiter* w = q.front()) {
      q.remove(*w);
      d.gone.push_back(*w);
      any = true;
    }
  }
  if (any) fail_next(d, EBADF);
}

void epoll_poller::take_over(descriptor& d) noexcept {
  abandon_waiters(d);
  ++d.seq;
  d.ours = true;
  for (edge_word& e : d.edges) e.reset();
}

// Closing the number does not end the registration while the file lives on in a duplicate.
void epoll_poller::give_up(descriptor& d) noexcept {
  if (d.registered) (void)control(EPOLL_CTL_DEL, d, 0);
  ++d.seq;
  d.registered = false;
  d.ours = false;
}

// -- polling ---------------------------------------------------------------------------------------------------------

// Only the watcher, who is the only one to sleep here, takes the interrupt away: a look in passing must not.
void epoll_poller::poll(std::int64_t deadline) noexcept {
  epoll_event events[most_events];
  const int n = wait_events(events, deadline);
  for (int i = 0; i < n; ++i) {
    if (events[i].data.u64 != interrupt_mark)
      handle(events[i]);
    else if (deadline != 0)
      clear_interrupt();
  }
  if (listed_.load() != nullptr) wake_gone();
}

int epoll_poller::wait_events(epoll_event* events, std::int64_t deadline) noexcept {
  const int epoll = epoll_.load();
  if (deadline == 0) return epoll_wait(epoll, events, most_events, 0);
  if (deadline == never) return epoll_wait(epoll, events, most_events, -1);
  return wait_until(epoll, events, std::max<std::int64_t>(deadline - now_ns(), 0));
}

void epoll_poller::handle(const epoll_event& event) noexcept {
  descriptor* const d = find_descriptor(static_cast<int>(event.data.u64 & 0xffff'ffff));
  woken_list woken;
  {
    std::lock_guard lock(d->mu);
    if (mark_of(*d) != event.data.u64) return;
    if ((event.events & wakes_readers) != 0) {
      if (d->ours) d->edge(poll_direction::read).report((event.events & special) != 0);
      woken.take_all(d->queue(poll_direction::read), 0);
    }
    if ((event.events & wakes_writers) != 0) {
      if (d->ours) d->edge(poll_direction::write).report(false);
      woken.take_all(d->queue(poll_direction::write), 0);
    }
    if (!d->ours) rearm(*d, woken);
  }
  let_go(woken);
}

// The report has disarmed the descriptor.
void epoll_poller::rearm(descriptor& d, woken_list& woken) noexcept {
  const std::uint32_t rest = interest(d);
  if (rest == 0 || control(EPOLL_CTL_MOD, d, rest | EPOLLONESHOT) == 0) return;
  d.registered = false;
  for (wait_queue& q : d.queues) woken.take_all(q, EBADF);
}

void epoll_poller::wake_gone() noexcept {
  descriptor* d = listed_.exchange(nullptr);
  while (d != nullptr) {
    woken_list woken;
    descriptor* const next = d->next_listed;
    {
      std::lock_guard lock(d->mu);
      d->listed = false;
      woken.take_all(d->gone, d->gone_errno);
    }
    let_go(woken);
    d = next;
  }
}

// Who skips the write because the flag is up has changed before what the watcher looks at after it has lowered it.
void epoll_poller::interrupt() noexcept {
  if (interrupted_.exchange(true)) return;
  const std::uint64_t one = 1;
  (void)!write(interrupt_, &one, sizeof one);
}

void epoll_poller::clear_interrupt() noexcept {
  std::uint64_t count = 0;
  (void)!read(interrupt_, &count, sizeof count);
  interrupted_.store(false);
}

}  // namespace runnel::detail
