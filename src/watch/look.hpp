// Looking at goroutines from outside.
//
// A parked goroutine is claimed first (state waiting -> scanning), so that nobody lets it run while
// its stack is walked. Its state says waiting a little before it is off its stack: until then its
// saved stack pointer is null. Others cannot be held still: their fields are read and used only if
// the seed still belongs to the same goroutine afterwards.
#pragma once
#include <cstddef>
#include <cstdint>

#include "sched/goroutine.hpp"
#include "watch/stack_walk.hpp"

namespace runnel::detail {

struct goroutine_view {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::uint64_t scope = 0;
  goroutine_state state = goroutine_state::dead;  // runnable, running or waiting
  wait_reason reason = wait_reason::none;
  std::int64_t waiting_since = 0;
  std::uintptr_t created_at = 0;
  char name[256] = "";  // cut where it is longer
  walked_stack stack;   // empty where it could not be walked
};

/// False: `s` is not alive, or has become another goroutine than the one with this id.
bool look_at(seed& s, std::uint64_t id, goroutine_view& into) noexcept;

/// The calling goroutine's view of itself, without a lock; the stack is left empty.
void look_at_self(goroutine& self, goroutine_view& into) noexcept;

/// How many goroutines of this scope are alive, and how many of them are about to run or run.
struct scope_count {
  std::size_t alive = 0;
  std::size_t active = 0;
};
scope_count count_scope(std::uint64_t scope) noexcept;

/// The goroutines that were alive when it was made, by id. Its memory comes from the kernel, not
/// from the heap.
class goroutine_table {
 public:
  struct entry {
    std::uint64_t id;
    seed* s;
  };

  goroutine_table() noexcept;
  goroutine_table(const goroutine_table&) = delete;
  goroutine_table& operator=(const goroutine_table&) = delete;
  ~goroutine_table();

  const entry* begin() const noexcept { return entries_; }
  const entry* end() const noexcept { return entries_ + size_; }

 private:
  bool fill(std::size_t room) noexcept;

  entry* entries_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace runnel::detail
