// The timers of one processor, by deadline. No locks here.
//
// What is due soon lies in a heap of arity four. Where there are many timers, the later ones lie in buckets by when they
// are due, each an array in no order; a bucket's timers go on when there is nothing before them: from a narrow one into
// the heap, from a wide one into narrower ones. So the heap stays in the first cache however many timers there are, most
// timers that are removed before they are due never get into it, and each moves a few times, next to its neighbours.
// (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, with a heap in place of the finest wheel: order and
// deadlines are exact.)
//
// Where an entry lies is noted in a table beside it rather than in the node: a node is on a stack of its own, and moving
// entries would touch another page at every step.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <runnel/detail/park.hpp>
#include <runnel/detail/timer_object.hpp>

#include "base/cpu.hpp"

namespace runnel::detail {

class timer_queue {
 public:
  /// `never` where there is none.
  std::int64_t earliest() const noexcept { return size_ > 0 ? near_[0].when : never; }

  void add(timer_node& node, std::int64_t when) noexcept {
    const std::uint32_t ticket = free_ != none ? free_ : new_ticket();
    free_ = std::exchange(slots_[ticket].at, 0);
    slots_[ticket].node = &node;
    node.ticket = ticket;
    put({when, ticket});
    if (size_ >= crowd_) [[unlikely]]
      spread();
  }

  void remove(timer_node& node) noexcept {
    remove(std::exchange(node.ticket, timer_node::not_armed));
  }

  /// Removes the earliest, which there must be; its node is still to be told. What stood for it, until the next add().
  std::uint32_t pop() noexcept {
    const std::uint32_t ticket = near_[0].ticket;
    remove(ticket);
    return ticket;
  }
  timer_node* popped(std::uint32_t ticket) const noexcept { return slots_[ticket].node; }

  timer_queue() noexcept = default;
  timer_queue(const timer_queue&) = delete;
  timer_queue& operator=(const timer_queue&) = delete;
  ~timer_queue() {
    std::free(slots_);
    if (near_ != nullptr) std::free(static_cast<void*>(near_ - before_near));
    free_wheels(wheels_);
  }

 private:
  struct entry {
    std::int64_t when;
    std::uint32_t ticket;
  };
  struct slot {  // by ticket
    timer_node* node;
    std::uint32_t bucket;  // its number; in_heap, also of one that is free
    std::uint32_t at;      // the place there; of one that is free: the next such ticket
  };
  struct bucket {
    entry* entries;
    std::uint32_t size;
    std::uint32_t room;
  };

  // A unit of time is some millisecond. A wheel has a bucket for each unit, and the wheel above it one for each turn of it.
  static constexpr int unit_bits = 20;
  static constexpr int digit_bits = 8;
  static constexpr std::uint32_t digits = 1U << digit_bits;
  static constexpr int levels = (63 - unit_bits + digit_bits - 1) / digit_bits;
  static constexpr std::uint32_t in_heap = levels * digits;
  static constexpr std::uint32_t none = ~std::uint32_t{0};
  static constexpr std::int64_t all_time = never;
  static constexpr std::uint32_t first_crowd = 512;
  static constexpr std::uint32_t kept_room = 64;
  static constexpr std::uint32_t before_near = cache_line / sizeof(entry) - 1;

  struct wheels {
    bucket buckets[levels * digits];               // by level and digit
    std::uint64_t occupied[levels * digits / 64];  // a bit for each
    std::uint32_t count;                           // entries in all buckets
  };

  static std::int64_t unit_of(std::int64_t when) noexcept { return when >> unit_bits; }

  void put(entry e) noexcept {
    const std::int64_t unit = unit_of(e.when);
    if (unit <= near_until_) [[likely]]
      put_near(e);
    else
      put_far(e, unit);
  }

  void remove(std::uint32_t ticket) noexcept {
    slot& s = slots_[ticket];
    const std::uint32_t at = std::exchange(s.at, std::exchange(free_, ticket));
    if (s.bucket != in_heap) return remove_far(std::exchange(s.bucket, in_heap), at);
    if (at != --size_) fill(at, near_[size_]);
    if (size_ == 0 && near_until_ != all_time) [[unlikely]]
      advance();
  }

  // -- the heap -------------------------------------------------------------------------------------------------------

  void put_near(entry e) noexcept {
    if (size_ == room_) grow_near();
    sift_up(size_++, e);
  }

  void place(std::uint32_t i, entry e) noexcept {
    near_[i] = e;
    slots_[e.ticket].at = i;
  }

  // Puts `e` where it belongs, from the free place `i` upwards; where that is.
  std::uint32_t sift_up(std::uint32_t i, entry e) noexcept {
    while (i > 0) {
      const std::uint32_t parent = (i - 1) / 4;
      if (near_[parent].when <= e.when) break;
      place(i, near_[parent]);
      i = parent;
    }
    place(i, e);
    return i;
  }

  // The same downwards.
  void sift_down(std::uint32_t i, entry e) noexcept {
    for (;;) {
      const std::uint32_t first = 4 * i + 1;
      if (first >= size_) break;
      std::uint32_t least = first;
      for (std::uint32_t c = first + 1; c < first + 4 && c < size_; ++c)
        if (near_[c].when < near_[least].when) least = c;
      if (near_[least].when >= e.when) break;
      place(i, near_[least]);
      i = least;
    }
    place(i, e);
  }

  // Apart: mostly the last is removed, and that needs few registers.
  [[gnu::noinline]] void fill(std::uint32_t i, entry e) noexcept { sift_down(sift_up(i, e), e); }

  // The four children of an entry share a cache line: the first entry lies at the end of one.
  [[gnu::noinline]] void grow_near() noexcept {
    const std::uint32_t room = room_ == 0 ? 64 : room_ * 2;
    const std::size_t lines = (before_near + std::size_t{room}) * sizeof(entry) / cache_line + 1;
    void* block = std::aligned_alloc(cache_line, lines * cache_line);
    if (block == nullptr) out_of_memory();
    auto* bigger = static_cast<entry*>(block) + before_near;
    if (size_ > 0) std::copy_n(near_, size_, bigger);
    if (near_ != nullptr) std::free(static_cast<void*>(near_ - before_near));
    near_ = bigger;
    room_ = room;
  }

  // -- the wheels -----------------------------------------------------------------------------------------------------

  // The wheel of the highest digit in which the unit differs from near_until_. All in a wheel come after all in those
  // below it, and in a wheel the digits tell the order.
  [[gnu::noinline]] void put_far(entry e, std::int64_t unit) noexcept {
    const auto difference = static_cast<std::uint64_t>(unit ^ near_until_);
    const int level = (std::bit_width(difference) - 1) / digit_bits;
    const auto digit = static_cast<std::uint32_t>(unit >> (level * digit_bits)) & (digits - 1);
    const std::uint32_t number = static_cast<std::uint32_t>(level) * digits + digit;
    bucket& b = wheels_->buckets[number];
    if (b.size == b.room) {
      b.room = b.room == 0 ? 16 : b.room * 2;
      enlarge(b.entries, b.room);
    }
    slot& s = slots_[e.ticket];
    s.bucket = number;
    s.at = b.size;
    b.entries[b.size++] = e;
    wheels_->occupied[number / 64] |= std::uint64_t{1} << number % 64;
    ++wheels_->count;
  }

  void remove_far(std::uint32_t number, std::uint32_t at) noexcept {
    bucket& b = wheels_->buckets[number];
    const entry last = b.entries[--b.size];
    if (at != b.size) {
      b.entries[at] = last;
      slots_[last.ticket].at = at;
    }
    if (b.size == 0) {
      mark_empty(number);
      if (b.room > kept_room) std::free(std::exchange(b, bucket{}).entries);
    }
    --wheels_->count;
  }

  void mark_empty(std::uint32_t number) noexcept {
    wheels_->occupied[number / 64] &= ~(std::uint64_t{1} << number % 64);
  }

  // The earliest bucket that is not empty; there must be one.
  std::uint32_t first_bucket() const noexcept {
    std::uint32_t word = 0;
    while (wheels_->occupied[word] == 0) ++word;
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(wheels_->occupied[word]));
  }

  // The heap is empty: what comes next goes there.
  [[gnu::noinline]] void advance() noexcept {
    while (size_ == 0 && wheels_->count > 0) {
      const std::uint32_t number = first_bucket();
      const int shift = static_cast<int>(number / digits) * digit_bits;
      const std::int64_t above = near_until_ >> shift >> digit_bits << digit_bits;
      near_until_ = (above | number % digits) << shift;
      mark_empty(number);
      const bucket next = std::exchange(wheels_->buckets[number], bucket{});
      wheels_->count -= next.size;
      empty_into_place(next);
    }
    if (wheels_->count == 0) leave_wheels();
  }

  void empty_into_place(bucket b) noexcept {
    for (std::uint32_t i = 0; i < b.size; ++i) {
      if (i + 8 < b.size) __builtin_prefetch(&slots_[b.entries[i + 8].ticket], 1);
      slots_[b.entries[i].ticket].bucket = in_heap;
      put(b.entries[i]);
    }
    std::free(b.entries);
  }

  void leave_wheels() noexcept {
    near_until_ = all_time;
    crowd_ = std::max(first_crowd, 2 * size_);
  }

  // Too many for the heap: they go into buckets, but for those of the first unit.
  [[gnu::noinline]] void spread() noexcept {
    wheels* before = std::exchange(wheels_, static_cast<wheels*>(std::calloc(1, sizeof(wheels))));
    if (wheels_ == nullptr) out_of_memory();
    near_until_ = std::max<std::int64_t>(unit_of(near_[0].when), 0);
    const std::uint32_t n = std::exchange(size_, 0);
    for (std::uint32_t i = 0; i < n; ++i) {
      const entry e = near_[i];
      put(e);  // into the heap's first size_ places, all of which have been read
    }
    if (before != nullptr) {
      for (bucket& b : before->buckets) empty_into_place(std::exchange(b, bucket{}));
      std::free(before);
    }
    crowd_ = std::max({first_crowd, 2 * size_, size_ + wheels_->count / 4});
    if (wheels_->count == 0) leave_wheels();
  }

  static void free_wheels(wheels* w) noexcept {
    if (w == nullptr) return;
    for (bucket& b : w->buckets) std::free(b.entries);
    std::free(w);
  }

  // -- the table ------------------------------------------------------------------------------------------------------

  [[gnu::noinline]] std::uint32_t new_ticket() noexcept {
    const std::uint32_t before = tickets_;
    tickets_ = before == 0 ? 64 : before * 2;
    enlarge(slots_, tickets_);
    for (std::uint32_t t = before; t < tickets_; ++t) slots_[t] = {nullptr, in_heap, t + 1};
    slots_[tickets_ - 1].at = none;
    return before;
  }

  template <class T>
  static void enlarge(T*& array, std::uint32_t room) noexcept {
    void* bigger = std::realloc(static_cast<void*>(array), room * sizeof(T));
    if (bigger == nullptr) out_of_memory();
    array = static_cast<T*>(bigger);
  }

  [[noreturn]] static void out_of_memory() noexcept { fatal("out of memory for timers"); }

  entry* near_ = nullptr;  // the heap: what is due until near_until_
  std::uint32_t size_ = 0;
  std::uint32_t room_ = 0;
  std::int64_t near_until_ = all_time;  // a unit; all_time: the wheels are not used
  std::uint32_t crowd_ = first_crowd;   // so many in the heap are spread over the wheels
  std::uint32_t free_ = none;           // the first free ticket
  slot* slots_ = nullptr;
  std::uint32_t tickets_ = 0;
  wheels* wheels_ = nullptr;
};

}  // namespace runnel::detail
