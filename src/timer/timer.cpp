#include "timer/timer.hpp"

#include <array>
#include <cstdlib>
#include <mutex>
#include <new>

namespace runnel::detail {

/// A heap of arity four. Deadlines lie in it, and where in it an entry lies is noted in a table beside it rather than
/// in the node: a node is on a stack of its own, and sifting would touch another page at every step.
class timer_heap {
 public:
  explicit timer_heap(processor& owner) noexcept : owner_(owner) {}

  /// True: `when` is the earliest now.
  bool add(timer_node& node, std::int64_t when) noexcept {
    std::lock_guard lock(mu_);
    if (size_ == room_) grow();
    node.heap = this;
    node.ticket = free_;
    free_ = position_[node.ticket];
    node_[node.ticket] = &node;
    place(size_, {when, node.ticket});
    ++size_;
    sift_up(size_ - 1);
    return publish_earliest() && position_[node.ticket] == 0;
  }

  bool remove(timer_node& node) noexcept {
    std::lock_guard lock(mu_);
    if (node.ticket == timer_node::not_armed) return false;
    remove_at(position_[node.ticket]);
    publish_earliest();
    return true;
  }

  struct batch {
    std::array<agent*, 32> agents;
    std::uint32_t agent_count = 0;
    std::array<timer_object*, 32> objects;
    std::uint32_t object_count = 0;
  };

  /// Takes what is due, as far as it fits; claims waits. True: there may be more.
  bool take_due(std::int64_t now, batch& out) noexcept {
    std::lock_guard lock(mu_);
    while (size_ > 0 && entries_[0].when <= now) {
      if (out.agent_count == out.agents.size() || out.object_count == out.objects.size()) {
        publish_earliest();
        return true;
      }
      timer_node* node = node_[entries_[0].ticket];
      remove_at(0);
      if (node->is_wait) {
        auto* wait = static_cast<wait_node*>(node);
        agent* who = wait->who;
        std::uint32_t expected = unclaimed;
        if (wait->claim->compare_exchange_strong(expected, claimed_by_timeout))
          out.agents[out.agent_count++] = who;
      } else {
        out.objects[out.object_count++] = static_cast<timer_object*>(node);
      }
    }
    publish_earliest();
    return false;
  }

 private:
  struct entry {
    std::int64_t when;
    std::uint32_t ticket;
  };

  void place(std::uint32_t i, entry e) noexcept {
    entries_[i] = e;
    position_[e.ticket] = i;
  }

  void sift_up(std::uint32_t i) noexcept {
    const entry e = entries_[i];
    while (i > 0) {
      const std::uint32_t parent = (i - 1) / 4;
      if (entries_[parent].when <= e.when) break;
      place(i, entries_[parent]);
      i = parent;
    }
    place(i, e);
  }

  void sift_down(std::uint32_t i) noexcept {
    const entry e = entries_[i];
    for (;;) {
      const std::uint32_t first = 4 * i + 1;
      if (first >= size_) break;
      std::uint32_t least = first;
      for (std::uint32_t c = first + 1; c < first + 4 && c < size_; ++c)
        if (entries_[c].when < entries_[least].when) least = c;
      if (entries_[least].when >= e.when) break;
      place(i, entries_[least]);
      i = least;
    }
    place(i, e);
  }

  void remove_at(std::uint32_t i) noexcept {
    const std::uint32_t ticket = entries_[i].ticket;
    node_[ticket]->ticket = timer_node::not_armed;
    position_[ticket] = free_;
    free_ = ticket;
    --size_;
    if (i == size_) return;
    const std::uint32_t moved = entries_[size_].ticket;
    place(i, entries_[size_]);
    sift_up(i);
    sift_down(position_[moved]);
  }

  bool publish_earliest() noexcept {
    const std::int64_t earliest = size_ > 0 ? entries_[0].when : never;
    if (owner_.next_timer.load(std::memory_order_relaxed) == earliest)
      return false;  // written under mu_ only
    owner_.next_timer.store(earliest);
    return true;
  }

  template <class T>
  static void enlarge(T*& array, std::uint32_t room) noexcept {
    void* bigger = std::realloc(static_cast<void*>(array), room * sizeof(T));
    if (bigger == nullptr) fatal("out of memory for timers");
    array = static_cast<T*>(bigger);
  }

  void grow() noexcept {
    const std::uint32_t room = room_ == 0 ? 64 : room_ * 2;
    enlarge(entries_, room);
    enlarge(position_, room);
    enlarge(node_, room);
    for (std::uint32_t t = room_; t < room; ++t) position_[t] = t + 1;
    free_ = room_;  // called when no ticket is free
    room_ = room;
  }

  processor& owner_;
  spinlock mu_;
  entry* entries_ = nullptr;  // guarded by mu_
  std::uint32_t* position_ =
      nullptr;  // guarded by mu_; by ticket: where its entry is, or the next free ticket
  timer_node** node_ = nullptr;  // guarded by mu_; by ticket
  std::uint32_t free_ = 0;       // guarded by mu_; the first free ticket, where size_ < room_
  std::uint32_t size_ = 0;       // guarded by mu_
  std::uint32_t room_ = 0;       // guarded by mu_
};

namespace {

struct heap_timers final : timer_driver {
  timer_heap* make_heap(processor& owner) override { return new timer_heap(owner); }

  void run_due(processor& owner, std::int64_t now) noexcept override {
    bool more = true;
    while (more) {
      timer_heap::batch due;
      more = owner.timers->take_due(now, due);
      for (std::uint32_t i = 0; i < due.agent_count; ++i) ready(due.agents[i]);
      for (std::uint32_t i = 0; i < due.object_count; ++i) {
        due.objects[i]->fire();
        due.objects[i]->release();
      }
    }
  }
};

}  // namespace

timer_driver& timers() noexcept {
  static constinit heap_timers driver;
  return driver;
}

void arm(timer_node& node, std::int64_t when) noexcept {
  processor* p = current_processor();
  if (p == nullptr) p = sched.all[0].load();
  if (!node.is_wait) static_cast<timer_object&>(node).add_ref();
  if (p->timers->add(node, when)) wake_watcher(when);
}

bool disarm(timer_node& node) noexcept {
  if (node.heap == nullptr || !node.heap->remove(node)) return false;
  if (!node.is_wait) static_cast<timer_object&>(node).release();
  return true;
}

}  // namespace runnel::detail
