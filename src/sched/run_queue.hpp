// The two queues of a processor. Both are fixed rings; what does not fit goes to the global queue.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/cpu.hpp"
#include "sched/seed.hpp"

namespace runnel::detail {

inline constexpr std::uint32_t queue_capacity = 256;
inline constexpr std::uint32_t started_capacity = 4096;

/// An intrusive list through runnable::link, with its length.
struct run_list {
  runnable* head = nullptr;
  runnable* tail = nullptr;
  std::size_t count = 0;

  void push_back(runnable* r) noexcept {
    r->link = nullptr;
    if (tail != nullptr)
      tail->link = r;
    else
      head = r;
    tail = r;
    ++count;
  }
  runnable* pop_front() noexcept {
    runnable* r = head;
    if (r == nullptr) return nullptr;
    head = r->link;
    if (head == nullptr) tail = nullptr;
    --count;
    return r;
  }
  void append(run_list& other) noexcept {
    if (other.head == nullptr) return;
    if (tail != nullptr)
      tail->link = other.head;
    else
      head = other.head;
    tail = other.tail;
    count += other.count;
    other = run_list{};
  }
};

/// First in, first out, for goroutines that were woken. The owner pushes and pops; anybody steals half.
/// head: advanced by compare-and-swap by whoever takes; tail: written by the owner only.
class woken_queue {
 public:
  bool empty() const noexcept { return size() == 0; }
  std::uint32_t size() const noexcept {
    const std::uint32_t h = head_.load();
    const std::uint32_t t = tail_.load();
    return static_cast<std::int32_t>(t - h) > 0 ? t - h : 0;
  }

  /// Owner only. False: full. seq_cst where a look for idle processors follows (see sched/idle.cpp), else release; an
  /// argument of the template, because g++ takes an order that it does not know for seq_cst.
  template <std::memory_order order = std::memory_order_seq_cst>
  bool push(runnable* r) noexcept {
    const std::uint32_t t = tail_.load(std::memory_order_relaxed);  // only the owner writes it
    // acquire: pairs with the compare-and-swap of a thief, whose reads of the slots must be over
    if (t - head_.load(std::memory_order_acquire) >= queue_capacity) return false;
    slots_[t % queue_capacity].store(r, std::memory_order_relaxed);
    tail_.store(t + 1, order);  // pairs with the acquire in steal_half()
    return true;
  }

  /// Owner only. As many as there is room for, from the head of `list`; all are seen at once.
  void push_from(run_list& list) noexcept {
    std::uint32_t t = tail_.load(std::memory_order_relaxed);  // only the owner writes it
    const std::uint32_t end =
        head_.load(std::memory_order_acquire) + queue_capacity;  // as in push()
    while (t != end) {
      runnable* r = list.pop_front();
      if (r == nullptr) break;
      slots_[t++ % queue_capacity].store(r, std::memory_order_relaxed);
    }
    tail_.store(t);
  }

  /// Owner only. The oldest, or null.
  runnable* pop() noexcept {
    std::uint32_t h = head_.load(std::memory_order_relaxed);
    const std::uint32_t t = tail_.load(std::memory_order_relaxed);  // only the owner writes it
    while (h != t) {
      runnable* r = slots_[h % queue_capacity].load(std::memory_order_relaxed);
      if (head_.compare_exchange_weak(h, h + 1, std::memory_order_acq_rel,
                                      std::memory_order_relaxed))
        return r;
    }
    return nullptr;
  }

  /// Takes the older half into `out` (room for queue_capacity / 2); how many.
  std::uint32_t steal_half(runnable** out) noexcept {
    std::uint32_t h = head_.load(std::memory_order_acquire);
    for (;;) {
      // acquire: pairs with the release (or seq_cst) in push(), so that the slots are seen
      const std::uint32_t t = tail_.load(std::memory_order_acquire);
      std::uint32_t n = t - h;
      n -= n / 2;
      if (n == 0) return 0;
      if (n > queue_capacity / 2) {  // head and tail were read apart
        h = head_.load(std::memory_order_acquire);
        continue;
      }
      for (std::uint32_t i = 0; i < n; ++i)
        out[i] = slots_[(h + i) % queue_capacity].load(std::memory_order_relaxed);
      // release: pairs with the acquire in push(), which may overwrite the slots after it
      if (head_.compare_exchange_weak(h, h + n, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
        return n;
    }
  }

 private:
  alignas(cache_line) std::atomic<std::uint32_t> head_{0};
  std::atomic<std::uint32_t> tail_{0};
  std::array<std::atomic<runnable*>, queue_capacity> slots_{};
};

/// Newest first for the owner, oldest first for thieves: goroutines that were just started (Chase and Lev's deque on
/// a fixed ring, with the orders of Le, Pop, Cohen and Zappa Nardelli).
class started_queue {
 public:
  bool empty() const noexcept { return bottom_.load() <= top_.load(); }
  std::int64_t size() const noexcept {
    const std::int64_t n = bottom_.load() - top_.load();
    return n > 0 ? n : 0;
  }

  /// Owner only. False: full.
  bool push(runnable* r) noexcept {
    const std::int64_t b = bottom_.load(std::memory_order_relaxed);  // only the owner writes it
    if (b - top_.load(std::memory_order_acquire) >= started_capacity) return false;
    slot(b).store(r, std::memory_order_relaxed);
    bottom_.store(
        b +
        1);  // seq_cst: publishes the slot, and precedes the look for idle processors (sched/idle.cpp)
    return true;
  }

  /// Owner only. The newest, or null.
  runnable* pop() noexcept {
    std::int64_t b = bottom_.load(std::memory_order_relaxed);
    if (b <= top_.load(std::memory_order_relaxed))
      return nullptr;  // top only grows: certainly empty
    --b;
    bottom_.store(
        b);  // seq_cst: before the look at top, as the thief's look at bottom follows top's
    std::int64_t t = top_.load();
    if (t > b) {  // a thief was faster
      bottom_.store(b + 1, std::memory_order_relaxed);
      return nullptr;
    }
    runnable* r = slot(b).load(std::memory_order_relaxed);
    if (t == b) {  // the last one: race the thieves for it
      if (!top_.compare_exchange_strong(t, t + 1)) r = nullptr;
      bottom_.store(b + 1, std::memory_order_relaxed);
    }
    return r;
  }

  /// Owner only. Where the next one will stand: what is pushed from now on stands there or beyond.
  std::int64_t mark() const noexcept {
    return bottom_.load(std::memory_order_relaxed);  // only the owner writes it
  }

  /// The oldest, or null (also when another thief was faster).
  runnable* steal() noexcept {
    std::int64_t t = top_.load();
    const std::int64_t b = bottom_.load();
    if (t >= b) return nullptr;
    runnable* r = slot(t).load(std::memory_order_relaxed);
    return top_.compare_exchange_strong(t, t + 1) ? r : nullptr;
  }

 private:
  std::atomic<runnable*>& slot(std::int64_t i) noexcept {
    return slots_[static_cast<std::uint64_t>(i) % started_capacity];
  }

  alignas(cache_line) std::atomic<std::int64_t> top_{0};
  alignas(cache_line) std::atomic<std::int64_t> bottom_{0};
  std::array<std::atomic<runnable*>, started_capacity> slots_{};
};

}  // namespace runnel::detail
