// What `go` makes: a goroutine that has no stack yet.
//
// A seed lives from the call of go to the end of its goroutine. It holds the closure, and what dumps tell of where the
// goroutine comes from. The stack comes when a processor is about to run it: a goroutine that ends soon passes its
// stack on, still warm, to the next one, so that a thousand that were started at once may need one stack. That there
// will be a stack (of default_stacks()) is promised to every seed, in use or not (stack_class::promise).
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <runnel/detail/spawn.hpp>
#include <runnel/detail/spinlock.hpp>

#include "base/cpu.hpp"
#include "base/free_list.hpp"

namespace runnel::detail {

/// What a run queue holds: a goroutine, or the seed of one that has not begun.
struct runnable {
  runnable* link = nullptr;  // owner: the queue or free list that it is in
  bool begun = false;        // immutable while queued; true: it is a goroutine
};

struct alignas(cache_line) seed : runnable {
  std::atomic<bool> alive{false};         // from start_goroutine() to the end of the goroutine
  std::atomic<goroutine*> body{nullptr};  // the goroutine, once it has a stack
  seed* batch_link = nullptr;             // in the store's list of batches: the next batch
  // Immutable while it is alive, but for the name, which only the goroutine changes, and the scope (run_main).
  std::uint64_t id = 0;
  std::uint64_t parent = 0;          // 0: started by a plain thread
  std::uint64_t scope = 0;           // the run() under which it was started; 0: none
  void* created_at = nullptr;        // return address of the call of go
  void (*entry)(void*) = nullptr;    // runs and destroys the closure
  std::atomic<char*> name{nullptr};  // owned, from malloc; null: none
  alignas(closure_alignment) std::byte closure[largest_inline_closure];
};
static_assert(sizeof(seed) == 192);

/// All seeds. Thread-safe.
///
/// Invariant: a seed is in exactly one place: in use, in one processor's cache, in `free_`, or in its slab, cold or not
/// yet made. A slab is in `open_` exactly while it has some of the last two kinds.
class seed_store {
 public:
  /// A free list of 1 to batch_size seeds. Throws std::bad_alloc, and std::system_error where no stack can be promised.
  free_list<seed> take();
  void give(free_list<seed> batch) noexcept;
  seed* take_one();
  void give_one(seed* s) noexcept;
  /// Gives the memory of slabs none of whose seeds has been needed since the last call back to the kernel. True: some
  /// are left to look at.
  bool trim() noexcept;
  /// Calls f for every seed there is. Takes no lock.
  template <class F>
  void for_each(F&& f) {
    for (slab* s = slabs_.load(); s != nullptr; s = s->next)
      for (std::uint32_t i = 0, n = s->used.load(); i < n; ++i) f(s->at(i));
  }

 private:
  static constexpr std::size_t slab_bytes = std::size_t{64} << 10;
  static constexpr std::uint32_t seeds_per_slab = (slab_bytes - cache_line) / sizeof(seed);

  // Aligned to its size, so that the address of a seed tells its slab.
  struct alignas(slab_bytes) slab {
    slab* next = nullptr;                // immutable
    slab* next_open = nullptr;           // guarded by mu_
    std::atomic<std::uint32_t> used{0};  // seeds that were made; written under mu_
    // Guarded by mu_: the most that were used, and so the stacks promised; those that nobody has needed for a while.
    std::uint32_t promised = 0;
    free_list<seed> cold;
    alignas(cache_line) std::byte room[seeds_per_slab * sizeof(seed)];

    slab() noexcept {}  // leaves the room untouched
    seed& at(std::uint32_t i) noexcept { return reinterpret_cast<seed*>(room)[i]; }
    bool has_some() const noexcept { return cold.count > 0 || used.load() < seeds_per_slab; }
  };
  static_assert(sizeof(slab) == slab_bytes);

  void add_slab();
  free_list<seed> take_from_slab(std::uint32_t most);
  static void make_seeds(slab& s, std::uint32_t most, free_list<seed>& into);
  void cool(seed* one) noexcept;

  std::atomic<slab*> slabs_{nullptr};  // the newest first; written under mu_, never taken away
  spinlock mu_;
  slab* open_ = nullptr;   // guarded by mu_
  free_depot<seed> free_;  // guarded by mu_
};

extern seed_store seeds;

}  // namespace runnel::detail
