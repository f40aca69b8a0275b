#include "watch/look.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <algorithm>

#include "sched/names.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr int most_attempts = 2000;

RUNNEL_UNCHECKED void read_fields(goroutine& g, goroutine_view& into) noexcept {
  into.id = g.id;
  into.parent = g.parent;
  into.scope = g.scope;
  into.reason = g.reason.load();
  into.waiting_since = g.since.load();
  into.created_at = reinterpret_cast<std::uintptr_t>(g.created_at);
}

RUNNEL_UNCHECKED std::uint64_t id_of(const goroutine& g) noexcept { return g.id; }
RUNNEL_UNCHECKED std::uint64_t scope_of(const goroutine& g) noexcept { return g.scope; }
RUNNEL_UNCHECKED bool off_its_stack(const goroutine& g) noexcept {
  return __atomic_load_n(&g.sp, __ATOMIC_ACQUIRE) !=
         nullptr;  // acquire: pairs with the store in runnel_switch
}

/// Somebody else's claim counts as what it was before.
goroutine_state shown(goroutine_state s) noexcept {
  return s == goroutine_state::scanning ? goroutine_state::waiting : s;
}

// Not held still: true if it was the same goroutine before and after.
bool read_in_passing(goroutine& g, std::uint64_t id, goroutine_view& into) noexcept {
  into.state = shown(g.state.load());
  read_fields(g, into);
  copy_goroutine_name(g, into.name, sizeof into.name);
  std::atomic_thread_fence(
      std::memory_order_acquire);  // pairs with the release of the state at a goroutine's start
  return into.state != goroutine_state::dead && into.id == id &&
         g.state.load() != goroutine_state::dead && id_of(g) == id;
}

enum class claim_result { looked, not_parked, try_again };

[[nodiscard]] claim_result look_if_parked(goroutine& g, goroutine_view& into) noexcept {
  auto expected = goroutine_state::waiting;
  if (!g.state.compare_exchange_strong(expected, goroutine_state::scanning))
    return expected == goroutine_state::scanning ? claim_result::try_again
                                                 : claim_result::not_parked;
  const bool still = off_its_stack(g);
  if (still) {
    read_fields(g, into);
    into.state = goroutine_state::waiting;
    copy_goroutine_name(g, into.name, sizeof into.name);
    walk_parked_stack(g, into.stack);
  }
  g.state.store(goroutine_state::waiting);
  return still ? claim_result::looked : claim_result::try_again;
}

bool by_id(const goroutine_table::entry& a, const goroutine_table::entry& b) noexcept {
  return a.id < b.id;
}

template <class F>
void for_each_alive(F f) {
  for_each_stack_class([&f](stack_class& c) {
    c.for_each([&f](stack_block* b) {
      auto& g = *static_cast<goroutine*>(b);
      const goroutine_state s = g.state.load();
      if (s != goroutine_state::dead) f(g, s);
    });
  });
}

}  // namespace

// The wait for one that is leaving its stack is bounded, and nothing is claimed meanwhile: what it
// still does there may itself have to wait for the claim.
bool look_at(goroutine& g, std::uint64_t id, goroutine_view& into) noexcept {
  into.stack.count = 0;
  const bool self = &g == this_goroutine_or_null();
  for (int i = 0; !self && i < most_attempts; ++i) {
    const claim_result r = look_if_parked(g, into);
    if (r == claim_result::looked) return into.id == id;
    if (r == claim_result::not_parked) break;
    sched_yield();
  }
  if (!read_in_passing(g, id, into)) return false;
  if (self) walk_own_stack(into.stack);
  return true;
}

void look_at_self(goroutine& self, goroutine_view& into) noexcept {
  read_fields(self, into);
  into.state = goroutine_state::running;
  into.stack.count = 0;
  const char* name = self.name.load();
  if (name == nullptr) name = "";
  std::size_t n = 0;
  for (; name[n] != '\0' && n + 1 < sizeof into.name; ++n) into.name[n] = name[n];
  into.name[n] = '\0';
}

scope_count count_scope(std::uint64_t scope) noexcept {
  scope_count n;
  for_each_alive([&n, scope](goroutine& g, goroutine_state s) {
    if (scope_of(g) != scope) return;
    ++n.alive;
    if (s == goroutine_state::runnable || s == goroutine_state::running) ++n.active;
  });
  return n;
}

goroutine_table::goroutine_table() noexcept {
  std::size_t n = 0;
  for_each_alive([&n](goroutine&, goroutine_state) { ++n; });
  while (!fill(n + n / 8 + 64)) n *= 2;
  std::sort(entries_, entries_ + size_, by_id);
}

goroutine_table::~goroutine_table() {
  if (entries_ != nullptr) munmap(entries_, mapped_);
}

// False: more have been started meanwhile than there is room for.
bool goroutine_table::fill(std::size_t room) noexcept {
  const std::size_t bytes = room * sizeof(entry);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return true;  // then there is nothing to show
  if (entries_ != nullptr) munmap(entries_, mapped_);
  entries_ = static_cast<entry*>(memory);
  mapped_ = bytes;
  size_ = 0;
  bool fits = true;
  for_each_alive([&](goroutine& g, goroutine_state) {
    if (size_ < room)
      entries_[size_++] = {id_of(g), &g};
    else
      fits = false;
  });
  return fits;
}

}  // namespace runnel::detail
