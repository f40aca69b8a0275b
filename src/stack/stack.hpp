// Goroutine stacks: reserved in large slabs, committed page by page as touched, each with a guard below it.
//
// Invariants: a block is in exactly one place: in use, in one processor's cache, or in its class's depot (hot or
// cold). A cold slot's memory has been given back to the kernel: it reads as zero, and its guard is still in place.
// Whoever takes a block has been promised one before: slots_ >= promised_ + kept_, where at most kept_ blocks that
// nobody uses are out of the depot's reach. So there is always one to take.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include <runnel/detail/spinlock.hpp>

#include "base/cpu.hpp"
#include "base/free_list.hpp"

namespace runnel::detail {

class stack_class;

/// The part of a control block that belongs to the stack and survives reuse. It lies at the top of the stack, above
/// the frames, in the page that a goroutine touches anyway.
struct stack_block {
  stack_block* batch_link = nullptr;  // in a depot's list of batches: the next batch
  stack_block* link = nullptr;        // in a free list: the next block
  std::byte* low = nullptr;           // lowest usable byte; the guard lies below
  stack_class* owner = nullptr;
  // Here a cache line begins (see block_in()), for what is used at every switch.
};

inline constexpr std::size_t guard_bytes = std::size_t{64} * 1024;
inline constexpr std::size_t control_block_bytes =
    128 + sizeof(stack_block);  // room for a goroutine at the top of each stack
inline constexpr std::size_t stagger_step =
    64;  // tops differ, so that they do not share cache sets
inline constexpr std::size_t stagger_steps = 32;
inline constexpr std::size_t default_stack_bytes = std::size_t{256} * 1024;

/// All stacks of one size. Thread-safe.
class stack_class {
 public:
  explicit constexpr stack_class(unsigned size_log2) noexcept : size_log2_(size_log2) {}

  std::size_t size() const noexcept { return std::size_t{1} << size_log2_; }

  /// Makes sure that `n` stacks can be taken at any time, beyond those promised before. Throws std::system_error where
  /// so much address space cannot be had.
  void promise(std::uint32_t n);
  void take_back(std::uint32_t n) noexcept;
  /// One cache more will keep up to most_cached blocks from others. Throws as promise() does.
  void allow_cache();

  /// A free list of 1 to batch_size blocks. Throws std::system_error where a guard cannot be made.
  free_list<stack_block> take();
  void give(free_list<stack_block> batch) noexcept;
  stack_block* take_one();
  void give_one(stack_block* b) noexcept;
  /// Gives the memory of blocks that lay idle since the last call back to the kernel. True: some are left to look at.
  bool trim() noexcept;

 private:
  struct slab {
    slab* next;
    std::byte* base;
    std::uint32_t slots;
    std::uint32_t used;  // slots below this were handed out at some time
  };
  // Slots side by side.
  struct slot_run {
    std::byte* first;
    std::uint32_t count;
  };

  std::size_t slot_bytes() const noexcept { return size() + guard_bytes; }
  stack_block* block_in(std::byte* slot) const noexcept;
  stack_block* make_block(std::byte* slot) noexcept;
  slot_run unused_slots(std::uint32_t most) noexcept;
  std::uint32_t guard(slot_run fresh) const noexcept;
  free_list<stack_block> make_blocks(slot_run fresh);
  free_list<stack_block> make_some(std::unique_lock<spinlock> lock, std::uint32_t most);
  void map_slots(std::uint64_t at_least);
  void add_slab();
  bool add_unused(slot_run slots) noexcept;
  void cool(free_list<stack_block> idle) noexcept;
  bool remember_cold(std::byte* slot) noexcept;

  const unsigned size_log2_;
  spinlock mu_;
  std::uint64_t slots_ = 0;     // guarded by mu_; of all slabs
  std::uint64_t promised_ = 0;  // guarded by mu_
  std::uint64_t kept_ =
      batch_size;  // guarded by mu_; most_cached for each cache, and what trim() has in hand
  slab* fresh_ = nullptr;        // guarded by mu_; slabs with slots that were never handed out
  free_depot<stack_block> hot_;  // guarded by mu_
  std::byte** cold_ = nullptr;   // guarded by mu_; slots whose memory was given back
  std::size_t cold_count_ = 0;   // guarded by mu_
  std::size_t cold_room_ = 0;    // guarded by mu_
};

/// The class whose stacks hold at least `bytes`. Throws std::system_error for sizes nobody can have.
stack_class& stack_class_for(std::size_t bytes);

inline constexpr unsigned least_stack_log2 = 14;  // 16 KiB
inline constexpr unsigned most_stack_log2 = 36;   // 64 GiB
extern std::array<stack_class, most_stack_log2 - least_stack_log2 + 1> stack_classes;

/// The class of default_stack_bytes.
inline stack_class& default_stacks() noexcept {
  constexpr unsigned log2 = std::bit_width(default_stack_bytes - 1);
  static_assert(default_stack_bytes == std::size_t{1} << log2);
  return stack_classes[log2 - least_stack_log2];
}

enum class guard_kind : std::uint8_t { none, guard_install, mprotect };
/// How guards are made here; found out at first use.
guard_kind guards() noexcept;
/// For tests of the path older kernels take; call before the first goroutine.
void use_mprotect_guards() noexcept;

}  // namespace runnel::detail
