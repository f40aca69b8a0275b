#include "timer/timer.hpp"

#include <algorithm>
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
    const std::uint32_t ticket = free_;
    free_ = position_[ticket];
    node_[ticket] = &node;
    node.heap = this;
    node.ticket = ticket;
    if (sift_up(size_++, {when, ticket}) != 0) return false;
    publish_earliest();
    return true;
  }

  bool remove(timer_node& node) noexcept {
    std::lock_guard lock(mu_);
    if (node.ticket == timer_node::not_armed) return false;
    const std::uint32_t at = position_[node.ticket];
    remove_at(at);
    node.ticket = timer_node::not_armed;
    if (at == 0) publish_earliest();
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
    for (; n < due.size() && size_ > 0 && entries_[0].when <= now; ++n) {
      tickets[n] = entries_[0].ticket;
      remove_at(0);
    }
    // Each node, and whoever waits by it, is on a page of its own: fetched side by side, and before they are used.
    for (std::uint32_t i = 0; i < n; ++i) {
      due[i] = node_[tickets[i]];
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
  struct entry {
    std::int64_t when;
    std::uint32_t ticket;
  };

  static void claim(wait_node& node, batch& out) noexcept {
    agent* who = node.who;  // the node may be gone once it is claimed
    std::uint32_t expected = unclaimed;
    if (!node.claim->compare_exchange_strong(expected, claimed_by_timeout)) return;
    __builtin_prefetch(who, 1);
    out.agents[out.agent_count++] = who;
  }

  void place(std::uint32_t i, entry e) noexcept {
    entries_[i] = e;
    position_[e.ticket] = i;
  }

  // Puts `e` where it belongs, from the free place `i` upwards; where that is.
  std::uint32_t sift_up(std::uint32_t i, entry e) noexcept {
    while (i > 0) {
      const std::uint32_t parent = (i - 1) / 4;
      if (entries_[parent].when <= e.when) break;
      place(i, entries_[parent]);
      i = parent;
    }
    place(i, e);
    return i;
  }

  // Of the four from `first` on; each one's lie in a cache line. One of these is compared next.
  void fetch_children(std::uint32_t first) noexcept {
    const std::uint32_t child = 4 * first + 1;
    if (child >= size_) return;
    for (std::uint32_t i = 0; i < 16; i += 4) __builtin_prefetch(&entries_[child + i]);
  }

  // The same downwards.
  void sift_down(std::uint32_t i, entry e) noexcept {
    for (;;) {
      const std::uint32_t first = 4 * i + 1;
      if (first >= size_) break;
      fetch_children(first);
      std::uint32_t least = first;
      for (std::uint32_t c = first + 1; c < first + 4 && c < size_; ++c)
        if (entries_[c].when < entries_[least].when) least = c;
      if (entries_[least].when >= e.when) break;
      place(i, entries_[least]);
      i = least;
    }
    place(i, e);
  }

  // The node's own ticket is left to the caller.
  void remove_at(std::uint32_t i) noexcept {
    const std::uint32_t ticket = entries_[i].ticket;
    position_[ticket] = free_;
    free_ = ticket;
    if (i != --size_) fill(i, entries_[size_]);
  }
  // Apart, as grow() is: mostly the last is removed, and that needs few registers.
  [[gnu::noinline]] void fill(std::uint32_t i, entry e) noexcept { sift_down(sift_up(i, e), e); }

  void publish_earliest() noexcept {
    const std::int64_t earliest = size_ > 0 ? entries_[0].when : never;
    // relaxed: written under mu_ only
    if (owner_.next_timer.load(std::memory_order_relaxed) != earliest)
      owner_.next_timer.store(earliest);
  }

  template <class T>
  static void enlarge(T*& array, std::uint32_t room) noexcept {
    void* bigger = std::realloc(static_cast<void*>(array), room * sizeof(T));
    if (bigger == nullptr) fatal("out of memory for timers");
    array = static_cast<T*>(bigger);
  }

  // The four children of an entry share a cache line: the first entry lies at the end of one.
  void enlarge_entries(std::uint32_t room) noexcept {
    constexpr std::uint32_t before = cache_line / sizeof(entry) - 1;
    const std::size_t lines = (before + std::size_t{room}) * sizeof(entry) / cache_line + 1;
    void* block = std::aligned_alloc(cache_line, lines * cache_line);
    if (block == nullptr) fatal("out of memory for timers");
    auto* bigger = static_cast<entry*>(block) + before;
    if (size_ > 0) std::copy_n(entries_, size_, bigger);
    if (entries_ != nullptr) std::free(static_cast<void*>(entries_ - before));
    entries_ = bigger;
  }

  [[gnu::noinline]] void grow() noexcept {
    const std::uint32_t room = room_ == 0 ? 64 : room_ * 2;
    enlarge_entries(room);
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

  std::uint32_t run_due(processor& owner, std::int64_t now) noexcept override {
    std::uint32_t fired = 0;
    bool more = true;
    while (more) {
      timer_heap::batch due;
      more = owner.timers->take_due(now, due);
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
