#include "timer/timer.hpp"

#include <array>
#include <cstddef>
#include <mutex>

#include "sched/thread_agent.hpp"
#include "timer/timer_queue.hpp"

namespace runnel::detail {

/// The timers of one processor, which others may add to, remove from, and fire.
class timer_heap {
 public:
  explicit timer_heap(processor& owner) noexcept : owner_(owner) {}

  /// True: `when` is the earliest now.
  bool add(timer_node& node, std::int64_t when) noexcept {
    std::lock_guard lock(mu_);
    node.heap = this;
    queue_.add(node, when);
    return publish_earliest();
  }

  bool remove(timer_node& node) noexcept {
    std::lock_guard lock(mu_);
    if (node.ticket == timer_node::not_armed) return false;
    queue_.remove(node);
    publish_earliest();
    return true;
  }

  static constexpr std::size_t batch_size = 32;  // taken under one lock

  struct batch {
    std::array<agent*, batch_size> agents;
    std::uint32_t agent_count = 0;
    std::array<timer_object*, batch_size> objects;
    std::uint32_t object_count = 0;

    std::uint32_t size() const noexcept { return agent_count + object_count; }
  };

  /// Takes what is due, as far as it fits; claims waits. True: there may be more.
  bool take_due(std::int64_t now, batch& out) noexcept {
    std::array<timer_node*, batch_size> due;
    std::array<std::uint32_t, batch_size> tickets;
    std::uint32_t n = 0;
    std::lock_guard lock(mu_);
    while (n < due.size() && queue_.earliest() <= now) tickets[n++] = queue_.pop();
    // Each node, and whoever waits by it, is on a page of its own: fetched side by side, and before they are used.
    for (std::uint32_t i = 0; i < n; ++i) {
      due[i] = queue_.popped(tickets[i]);
      __builtin_prefetch(due[i], 1);
    }
    for (std::uint32_t i = 0; i < n; ++i) {
      due[i]->ticket = timer_node::not_armed;
      if (due[i]->is_wait)
        claim(*static_cast<wait_node*>(due[i]), out);
      else
        out.objects[out.object_count++] = static_cast<timer_object*>(due[i]);
    }
    publish_earliest();
    return n == due.size();
  }

 private:
  static void claim(wait_node& node, batch& out) noexcept {
    agent* who = node.who;  // the node may be gone once it is claimed
    std::uint32_t expected = unclaimed;
    if (!node.claim->compare_exchange_strong(expected, claimed_by_timeout)) return;
    __builtin_prefetch(who, 1);
    out.agents[out.agent_count++] = who;
  }

  bool publish_earliest() noexcept {
    const std::int64_t earliest = queue_.earliest();
    const std::int64_t before =
        owner_.next_timer.load(std::memory_order_relaxed);  // written under mu_ only
    if (before != earliest) owner_.next_timer.store(earliest);
    return earliest < before;
  }

  processor& owner_;
  spinlock mu_;
  timer_queue queue_;  // guarded by mu_
};

namespace {

// Nobody has touched them for as long as it slept, and it is about to go on in them.
void fetch_frames(const agent& who) noexcept {
  if (who.what != agent::kind::goroutine) return;
  const auto* const sp = static_cast<const std::byte*>(static_cast<const goroutine&>(who).sp);
  for (unsigned i = 0; i < 8; ++i) __builtin_prefetch(sp + i * cache_line);
}

struct heap_timers final : timer_driver {
  timer_heap* make_heap(processor& owner) override { return new timer_heap(owner); }

  std::uint32_t run_due(processor& owner, std::int64_t now) noexcept override {
    std::uint32_t fired = 0;
    bool more = true;
    while (more) {
      timer_heap::batch due;
      more = owner.timers->take_due(now, due);
      for (std::uint32_t i = 0; i < due.agent_count; ++i) fetch_frames(*due.agents[i]);
      for (std::uint32_t i = 0; i < due.agent_count; ++i) ready(due.agents[i]);
      for (std::uint32_t i = 0; i < due.object_count; ++i) {
        due.objects[i]->fire();
        due.objects[i]->release();
      }
      fired += due.size();
    }
    return fired;
  }
};

}  // namespace

timer_driver& timers() noexcept {
  static constinit heap_timers driver;
  return driver;
}

void arm(timer_node& node, std::int64_t when) noexcept {
  processor* p = current_processor();
  if (p == nullptr) {
    this_thread()->armed = true;
    p = sched.all[0].load();
  }
  if (!node.is_wait) static_cast<timer_object&>(node).add_ref();
  if (p->timers->add(node, when)) wake_watcher(when);
}

bool disarm(timer_node& node) noexcept {
  if (node.heap == nullptr || !node.heap->remove(node)) return false;
  if (!node.is_wait) static_cast<timer_object&>(node).release();
  return true;
}

}  // namespace runnel::detail
