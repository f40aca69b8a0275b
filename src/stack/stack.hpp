// Goroutine stacks: reserved in large slabs, committed page by page as touched, each with a guard below it.
//
// Invariants: a block is in exactly one place: in use, in one processor's cache, or in its class's depot (hot or
// cold). A cold slot's memory has been given back to the kernel: it reads as zero, and its guard is still in place.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <runnel/detail/spinlock.hpp>

namespace runnel::detail {

class stack_class;

/// The part of a control block that belongs to the stack and survives reuse. It lies at the top of the stack, above
/// the frames, in the page that a goroutine touches anyway.
struct stack_block {
  stack_block* batch_link = nullptr;  // in a depot's list of batches: the next batch
  std::byte* low = nullptr;           // lowest usable byte; the guard lies below
  stack_class* owner = nullptr;
  // Here a cache line begins (see block_in()), for what is used at every switch.
  stack_block* link = nullptr;  // in a free list: the next block
};

inline constexpr std::size_t guard_bytes = 64 * 1024;
inline constexpr std::size_t control_block_bytes =
    320 + offsetof(stack_block, link);  // room for a goroutine at the top of each stack
inline constexpr std::size_t stagger_step =
    64;  // tops differ, so that they do not share cache sets
inline constexpr std::size_t stagger_steps = 32;
inline constexpr std::size_t default_stack_bytes = 256 * 1024;

/// Begins to fetch what a goroutine touches when it starts: its control block and what lies just below. Null: no effect.
inline void fetch_early(const stack_block* b) noexcept {
  const auto line = reinterpret_cast<std::uintptr_t>(b) + offsetof(stack_block, link);
  for (const std::uintptr_t below : {128, 64, 0})
    __builtin_prefetch(reinterpret_cast<const void*>(line - below), 1);
}

/// A last-in-first-out list of free blocks with its length.
struct stack_list {
  stack_block* head = nullptr;
  std::uint32_t count = 0;

  void push(stack_block* b) noexcept {
    b->link = head;
    head = b;
    ++count;
  }
  stack_block* pop() noexcept {
    stack_block* b = head;
    head = b->link;
    --count;
    return b;
  }
};

/// All stacks of one size. Thread-safe.
class stack_class {
 public:
  explicit constexpr stack_class(unsigned size_log2) noexcept : size_log2_(size_log2) {}

  std::size_t size() const noexcept { return std::size_t{1} << size_log2_; }

  /// A free list of 1 to stack_batch blocks. Throws std::system_error when no more can be had.
  stack_list take();
  /// Takes back a batch of exactly stack_batch blocks, or single blocks.
  void give(stack_list batch) noexcept;
  stack_block* take_one();
  void give_one(stack_block* b) noexcept;
  /// Gives the memory of blocks that lay idle since the last call back to the kernel. True: some are left to look at.
  bool trim() noexcept;
  /// Calls f for every block that was ever handed out and whose memory may hold a control block.
  void for_each(const std::function<void(stack_block*)>& f);

 private:
  struct slab {
    slab* next;
    std::byte* base;
    std::uint32_t slots;
    std::uint32_t used;  // slots below this were handed out at some time
  };

  std::size_t slot_bytes() const noexcept { return size() + guard_bytes; }
  stack_block* block_in(std::byte* slot) const noexcept;
  stack_block* carve();
  void add_slab();
  bool remember_cold(std::byte* slot) noexcept;

  const unsigned size_log2_;
  spinlock mu_;
  slab* slabs_ = nullptr;           // guarded by mu_; the newest first
  stack_block* batches_ = nullptr;  // guarded by mu_; hot batches, linked by batch_link
  std::uint32_t batch_count_ = 0;   // guarded by mu_
  std::uint32_t batch_low_ = 0;     // guarded by mu_; the fewest since the last trim()
  stack_list loose_;                // guarded by mu_; hot blocks outside batches
  std::uint32_t loose_low_ = 0;     // guarded by mu_; the fewest since the last trim()
  std::byte** cold_ = nullptr;      // guarded by mu_; slots whose memory was given back
  std::size_t cold_count_ = 0;      // guarded by mu_
  std::size_t cold_room_ = 0;       // guarded by mu_
};

inline constexpr std::uint32_t stack_batch = 64;

/// The class whose stacks hold at least `bytes`. Throws std::system_error for sizes nobody can have.
stack_class& stack_class_for(std::size_t bytes);

/// All classes that have stacks, for dumps and trimming.
void for_each_stack_class(const std::function<void(stack_class&)>& f);

enum class guard_kind : std::uint8_t { none, guard_install, mprotect };
/// How guards are made here; found out at first use.
guard_kind guards() noexcept;
/// For tests of the path older kernels take; call before the first goroutine.
void use_mprotect_guards() noexcept;

/// One processor's cache of free stacks of the default size: two lists, so that a batch goes to or comes from the
/// depot at most once in stack_batch operations. Used by its owner only.
class stack_cache {
 public:
  stack_block* get(stack_class& c) {
    if (a_.count == 0) [[unlikely]]
      refill(c);
    stack_block* b = a_.pop();
    // Each block is on a page of its own: the next one is fetched while this one is used.
    fetch_early(a_.head);
    return b;
  }
  void put(stack_block* b) noexcept {
    if (a_.count == stack_batch) [[unlikely]]
      spill();
    a_.push(b);
  }
  void flush() noexcept;

 private:
  void refill(stack_class& c);
  void spill() noexcept;

  stack_list a_, b_;
};

}  // namespace runnel::detail
