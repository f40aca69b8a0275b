// Signals for channels.
//
// The handler notes the signal's bit in `pending` and then adds to an event descriptor; the courier, a goroutine, waits
// for that descriptor, empties it, then takes the bits and sends them on. So a bit that the courier has not taken has a
// wakeup behind it. Descriptors and `owner` are set before the first handler is installed and stay for ever, for a
// handler may run on any thread until long after it was replaced.
//
// A signal that every thread blocks, as a mask that main had when the runtime began, reaches no handler and stays
// pending in the process: a signalfd has those. The courier waits for both descriptors through one of epoll. What is
// not blocked everywhere may come either way, but only one.
//
// The list of subscribers, what is known about each signal and whether there is a courier are guarded by `mu`. Under it
// nothing is called that could park or yield, so a std::mutex will do; the channels are sent to without it.
// Subscriptions are made one at a time (`one_at_a_time`), because to start the courier is such a call.
#include <runnel/signal.hpp>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>

#include <runnel/go.hpp>
#include <runnel/mutex.hpp>
#include <runnel/poll.hpp>
#include <runnel/time.hpp>

#include "base/file_descriptor.hpp"
#include "sched/goroutine.hpp"
#include "sched/seed.hpp"
#include "sched/start.hpp"
#include "sched/thread_agent.hpp"
#include "signal/disposition.hpp"
#include "watch/stack_walk.hpp"

namespace runnel {
namespace detail {

using signal_set = std::uint64_t;  // bit n - 1 stands for signal n

struct signal_subscriber {
  explicit signal_subscriber(signal_set wanted) : signals(wanted) {}

  static constexpr int room = 16;

  const signal_set signals;
  const runnel::chan<int> channel{room};
  // Guarded by `mu`.
  std::uint64_t number = 0;  // rises along the list
  signal_subscriber* next = nullptr;
};

namespace {

constexpr int most_signals = 64;

constexpr signal_set bit_of(int number) noexcept { return signal_set{1} << (number - 1); }

template <class F>
void for_each_signal(signal_set set, F f) {
  for (; set != 0; set &= set - 1) f(std::countr_zero(set) + 1);
}

// For the handler.
constinit signal_set pending = 0;  // by atomic operations only
constinit int wake_fd = -1;
constinit pid_t owner = 0;

struct known_signal {
  int subscriptions = 0;
  saved_disposition before;
};

// For the courier.
constinit int blocked_fd = -1;  // a signalfd
constinit int either_fd = -1;   // wake_fd or blocked_fd is ready

constinit runnel::mutex one_at_a_time;
constinit std::mutex mu;
// Held from taking what is pending until it has been sent. Before `mu`.
constinit runnel::timed_mutex delivering;
// Guarded by mu.
constinit std::array<known_signal, most_signals> known{};
constinit signal_subscriber* first = nullptr;
constinit std::uint64_t numbers = 0;
constinit bool has_courier = false;

known_signal& known_as(int number) noexcept { return known[static_cast<std::size_t>(number - 1)]; }

// -- the handler -----------------------------------------------------------------------------------------------------

// In the child of a fork there is no courier: there the signal does what it does by default. Sanitizers must not be
// called from here.
RUNNEL_UNCHECKED void on_signal(int number) {
  const int saved = errno;
  if (getpid() == owner) {
    const std::uint64_t one = 1;
    __atomic_fetch_or(&pending, signal_set{1} << (number - 1), __ATOMIC_SEQ_CST);
    syscall(SYS_write, wake_fd, &one, sizeof one);
  } else {
    std::signal(number, SIG_DFL);
    raise(number);
  }
  errno = saved;
}

// -- the courier -----------------------------------------------------------------------------------------------------

void wake_courier() noexcept {
  const std::uint64_t one = 1;
  (void)!write(wake_fd, &one, sizeof one);
}

// What is sent on at once: to those who were on the list when it was taken, for they may have gone, and others come,
// before it is their turn.
struct delivery {
  signal_set came;
  std::uint64_t last;
};

// What does not fit leaves the descriptor ready.
signal_set take_blocked() noexcept {
  std::array<signalfd_siginfo, 4> read_at_once;
  const ssize_t n = read(blocked_fd, read_at_once.data(), sizeof read_at_once);
  signal_set came = 0;
  for (std::size_t i = 0; n > 0 && i < static_cast<std::size_t>(n) / sizeof read_at_once[0]; ++i)
    came |= bit_of(static_cast<int>(read_at_once[i].ssi_signo));
  return came;
}

delivery take_pending() noexcept {
  const std::lock_guard lock(mu);
  return {__atomic_exchange_n(&pending, signal_set{0}, __ATOMIC_SEQ_CST) | take_blocked(), numbers};
}

// Its handle keeps the channel alive.
struct recipient {
  std::uint64_t number = 0;
  signal_set signals = 0;  // none: there is no such subscriber
  runnel::chan<int> channel = nullptr;
};

recipient next_recipient(std::uint64_t after, const delivery& d) {
  const std::lock_guard lock(mu);
  for (const signal_subscriber* s = first; s != nullptr && s->number <= d.last; s = s->next)
    if (s->number > after && (s->signals & d.came) != 0)
      return {s->number, s->signals & d.came, s->channel};
  return {};
}

// A subscription that ends meanwhile closes its channel.
void send_to(const recipient& r) {
  try {
    for_each_signal(r.signals, [&](int number) { (void)r.channel.try_send(number); });
  } catch (const closed_channel&) {
  }
}

void deliver(const delivery& d) {
  for (recipient r = next_recipient(0, d); r.signals != 0; r = next_recipient(r.number, d))
    send_to(r);
}

bool may_end() noexcept {
  const std::lock_guard lock(mu);
  if (first != nullptr) return false;
  has_courier = false;
  return true;
}

// Only where the poller has no descriptors is there something else to do than to wait for ours.
void await_signal() {
  constexpr std::chrono::milliseconds look_again{10};
  if (wait_readable(either_fd)) sleep_for(look_again);
  std::uint64_t count = 0;
  (void)!read(wake_fd, &count, sizeof count);
}

// It belongs to no run(): it is none of those that a run has left behind.
void courier() {
  this_goroutine_or_null()->origin->scope = 0;
  do {
    await_signal();
    const std::lock_guard lock(delivering);
    deliver(take_pending());
  } while (!may_end());
}

void ensure_courier() {
  {
    const std::lock_guard lock(mu);
    if (has_courier) return;
    has_courier = true;
  }
  try {
    go({.name = "runnel signals"}, courier);
  } catch (...) {
    const std::lock_guard lock(mu);
    has_courier = false;
    throw;
  }
}

// -- subscribing -----------------------------------------------------------------------------------------------------

[[noreturn]] void throw_errno(int number) {
  throw std::system_error(number, std::system_category(), "runnel::notify");
}

bool may_be_caught(int number) noexcept {
  if (number < 1 || number > most_signals) return false;
  for (const int never_ours : {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL})
    if (number == never_ours) return false;
  struct sigaction now {};
  return sigaction(number, nullptr, &now) == 0;
}

signal_set checked(std::initializer_list<int> signals) {
  signal_set set = 0;
  for (const int number : signals) {
    if (!may_be_caught(number)) throw_errno(EINVAL);
    set |= bit_of(number);
  }
  return set;
}

// `number` is what the system call has given.
file_descriptor checked_descriptor(int number) {
  file_descriptor fd(number);
  const int e = number < 0 ? errno : fd.leave_standard_numbers();
  if (e != 0) throw_errno(e);
  return fd;
}

void add_to(const file_descriptor& epoll, const file_descriptor& fd) {
  epoll_event readable{};
  readable.events = EPOLLIN;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &readable) != 0) throw_errno(errno);
}

sigset_t as_sigset(signal_set signals) noexcept {
  sigset_t set;
  sigemptyset(&set);
  for_each_signal(signals, [&](int number) { sigaddset(&set, number); });
  return set;
}

void ensure_descriptors() {
  if (wake_fd >= 0) return;
  const sigset_t none = as_sigset(0);
  file_descriptor wake = checked_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  file_descriptor blocked = checked_descriptor(signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK));
  file_descriptor either = checked_descriptor(epoll_create1(EPOLL_CLOEXEC));
  add_to(either, wake);
  add_to(either, blocked);
  owner = getpid();
  either_fd = either.release();
  blocked_fd = blocked.release();
  wake_fd = wake.release();
}

void follow_subscriptions() noexcept {
  signal_set subscribed = 0;
  for (const signal_subscriber* s = first; s != nullptr; s = s->next) subscribed |= s->signals;
  const sigset_t set = as_sigset(subscribed);
  signalfd(blocked_fd, &set, 0);
}

void release(int number) noexcept {
  known_signal& s = known_as(number);
  if (--s.subscriptions == 0) s.before.restore(number);
}

// An errno, or zero; then nothing has changed. What came for earlier subscriptions is not for this one.
int take(int number) noexcept {
  known_signal& s = known_as(number);
  if (s.subscriptions == 0) {
    __atomic_fetch_and(&pending, ~bit_of(number), __ATOMIC_SEQ_CST);
    if (const int e = s.before.replace(number, on_signal); e != 0) return e;
  }
  ++s.subscriptions;
  return 0;
}

int take_all(signal_set signals) noexcept {
  signal_set taken = 0;
  int failed = 0;
  for_each_signal(signals, [&](int number) {
    if (failed == 0) failed = take(number);
    if (failed == 0) taken |= bit_of(number);
  });
  if (failed != 0) for_each_signal(taken, release);
  return failed;
}

void enlist(signal_subscriber& s) noexcept {
  s.number = ++numbers;
  signal_subscriber** end = &first;
  while (*end != nullptr) end = &(*end)->next;
  *end = &s;
}

void strike_off(signal_subscriber& s) noexcept {
  signal_subscriber** at = &first;
  while (*at != &s) at = &(*at)->next;
  *at = s.next;
}

void subscribe(signal_subscriber& s) {
  int failed = 0;
  {
    const std::lock_guard lock(mu);
    enlist(s);
    failed = take_all(s.signals);
    if (failed != 0) strike_off(s);
    follow_subscriptions();
  }
  if (failed != 0) throw_errno(failed);
}

// What a handler has seen is in the channels then. The courier is waited for while it delivers, but not for ever: where
// the process has begun to exit it may have stopped there.
void deliver_before_the_end() noexcept {
  const std::unique_lock lock(delivering, std::chrono::milliseconds(100));
  deliver(take_pending());
}

void unsubscribe(signal_subscriber& s) noexcept {
  const std::lock_guard lock(mu);
  strike_off(s);
  follow_subscriptions();
  for_each_signal(s.signals, release);
  if (first == nullptr) wake_courier();
}

}  // namespace
}  // namespace detail

// The runtime is started before anything is changed, for it looks at SIGQUIT.
signal_subscription notify(std::initializer_list<int> signals) {
  using namespace detail;
  auto state = std::make_unique<signal_subscriber>(checked(signals));
  ensure_started();
  const std::lock_guard lock(one_at_a_time);
  ensure_descriptors();
  subscribe(*state);
  try {
    ensure_courier();
  } catch (...) {
    unsubscribe(*state);
    throw;
  }
  return signal_subscription(state.release());
}

recv_chan<int> signal_subscription::chan() const {
  if (state_ == nullptr) return nullptr;
  return state_->channel;
}

void signal_subscription::end() noexcept {
  if (state_ == nullptr) return;
  const std::unique_ptr<detail::signal_subscriber> ended(std::exchange(state_, nullptr));
  detail::deliver_before_the_end();
  detail::unsubscribe(*ended);
  ended->channel.close();
}

}  // namespace runnel
