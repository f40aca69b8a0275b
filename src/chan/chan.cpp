#include <runnel/chan.hpp>

#include "sched/scheduler.hpp"

namespace runnel::detail {
namespace {

enum class side : bool { sends, receives };

template <side Side>
void join_queue(chan_core& c, waiter& w) noexcept {
  if constexpr (Side == side::receives)
    c.enqueue_receiver(w);
  else
    c.senders.push_back(w);
}

template <side Side>
void leave_queue(chan_core& c, waiter& w) noexcept {
  std::lock_guard lock(c.mu);
  if constexpr (Side == side::receives)
    c.dequeue_receiver(w);
  else
    c.senders.remove(w);
}

// One frame for a wait and its waiter: a goroutine that goes on finds its stack in a cache or in memory, line by line.
template <side Side, wait_reason Why>
chan_outcome wait_in_queue(chan_core& c, void* slot, std::int64_t deadline) {
  claim_word claim{unclaimed};
  waiter w{.who = this_agent(), .claim = deadline != never ? &claim : nullptr, .slot = slot};
  join_queue<Side>(c, w);
  const bool woken = park_until(Why, c.mu, claim, deadline);
  if (woken && claim.load() != claimed_by_timeout) [[likely]]
    return w.ok ? chan_outcome::done : chan_outcome::closed;
  leave_queue<Side>(c, w);
  if (!woken) throw_deadlock();
  return chan_outcome::timed_out;
}

}  // namespace

template <wait_reason Why>
chan_outcome wait_to_send(chan_core& c, void* slot, std::int64_t deadline) {
  return wait_in_queue<side::sends, Why>(c, slot, deadline);
}
template chan_outcome wait_to_send<wait_reason::chan_send>(chan_core&, void*, std::int64_t);
template chan_outcome wait_to_send<wait_reason::select>(chan_core&, void*, std::int64_t);

template <wait_reason Why>
chan_outcome wait_to_recv(chan_core& c, void* slot, std::int64_t deadline) {
  return wait_in_queue<side::receives, Why>(c, slot, deadline);
}
template chan_outcome wait_to_recv<wait_reason::chan_receive>(chan_core&, void*, std::int64_t);
template chan_outcome wait_to_recv<wait_reason::select>(chan_core&, void*, std::int64_t);

chan_outcome wait_on_nil(wait_reason reason, std::int64_t deadline) {
  if (deadline == 0) return chan_outcome::would_block;
  if (deadline == never) park_forever(reason);
  claim_word claim{unclaimed};
  if (!park_until(
          reason, [](void*) {}, nullptr, claim, deadline))
    throw_deadlock();
  return chan_outcome::timed_out;
}

// The waiters are taken out under the lock and made ready after it; a waiter is not touched once its agent is ready.
bool chan_core::close() noexcept {
  waiter* woken = nullptr;
  {
    std::lock_guard lock(mu);
    if (closed.load(std::memory_order_relaxed)) return false;
    closed.store(true);
    waiter** end = &woken;
    for (wait_queue* queue : {&receivers, &senders, &watchers}) {
      while (waiter* w = queue->pop()) {
        w->ok = false;
        w->next = nullptr;
        *end = w;
        end = &w->next;
      }
    }
  }
  while (woken != nullptr) {
    waiter* w = woken;
    woken = w->next;
    ready(w->who);
  }
  return true;
}

void throw_send_on_closed() { throw closed_channel("send on closed channel"); }
void throw_send_on_closed_after(std::size_t sent) {
  throw closed_channel("send on closed channel", sent);
}
void throw_close_of_nil() { throw closed_channel("close of nil channel"); }
void throw_close_of_closed() { throw closed_channel("close of closed channel"); }
void throw_bad_capacity() { throw std::length_error("makechan: size out of range"); }

}  // namespace runnel::detail
