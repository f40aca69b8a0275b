#include "watch/look.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <algorithm>

#include "sched/names.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr int most_attempts = 2000;

RUNNEL_UNCHECKED void read_origin(const seed& s, goroutine_view& into) noexcept {
  into.id = s.id;
  into.parent = s.parent;
  into.scope = s.scope;
  into.created_at = reinterpret_cast<std::uintptr_t>(s.created_at);
}

void read_wait(const goroutine& g, goroutine_view& into) noexcept {
  into.reason = g.reason.load();
  into.waiting_since = g.since.load();
}

RUNNEL_UNCHECKED std::uint64_t id_of(const seed& s) noexcept { return s.id; }
RUNNEL_UNCHECKED std::uint64_t scope_of(const seed& s) noexcept { return s.scope; }
RUNNEL_UNCHECKED const seed* origin_of(const goroutine& g) noexcept { return g.origin; }
RUNNEL_UNCHECKED bool off_its_stack(const goroutine& g) noexcept {
  return __atomic_load_n(&g.sp, __ATOMIC_ACQUIRE) !=
         nullptr;  // acquire: pairs with the store in runnel_switch
}

/// Somebody else's claim counts as what it was before.
goroutine_state shown(goroutine_state s) noexcept {
  return s == goroutine_state::scanning ? goroutine_state::waiting : s;
}

// One without a stack has yet to begin. acquire: pairs with the release in plant()
goroutine_state state_of(const seed& s) noexcept {
  const goroutine* g = s.body.load(std::memory_order_acquire);
  return g != nullptr ? shown(g->state.load()) : goroutine_state::runnable;
}

// Not held still: true if it was the same goroutine before and after.
bool read_in_passing(seed& s, std::uint64_t id, goroutine_view& into) noexcept {
  // acquire: pairs with the release in start_goroutine()
  if (!s.alive.load(std::memory_order_acquire)) return false;
  into.state = state_of(s);
  if (const goroutine* g = s.body.load()) read_wait(*g, into);
  read_origin(s, into);
  copy_goroutine_name(s, into.name, sizeof into.name);
  std::atomic_thread_fence(std::memory_order_acquire);  // the fields before what follows
  return into.state != goroutine_state::dead && into.id == id && s.alive.load() && id_of(s) == id;
}

enum class claim_result { looked, not_parked, try_again };

// A stack may have passed to another goroutine before it was claimed.
[[nodiscard]] claim_result look_if_parked(seed& s, std::uint64_t id,
                                          goroutine_view& into) noexcept {
  goroutine* const g = s.body.load(std::memory_order_acquire);  // acquire: pairs with plant()
  if (g == nullptr) return claim_result::not_parked;
  auto expected = goroutine_state::waiting;
  if (!g->state.compare_exchange_strong(expected, goroutine_state::scanning))
    return expected == goroutine_state::scanning ? claim_result::try_again
                                                 : claim_result::not_parked;
  const bool still = off_its_stack(*g);
  const bool same = origin_of(*g) == &s && id_of(s) == id;
  if (still && same) {
    read_origin(s, into);
    read_wait(*g, into);
    into.state = goroutine_state::waiting;
    copy_goroutine_name(s, into.name, sizeof into.name);
    walk_parked_stack(*g, into.stack);
  }
  g->state.store(goroutine_state::waiting);
  if (!same) return claim_result::not_parked;
  return still ? claim_result::looked : claim_result::try_again;
}

bool by_id(const goroutine_table::entry& a, const goroutine_table::entry& b) noexcept {
  return a.id < b.id;
}

template <class F>
void for_each_alive(F f) {
  seeds.for_each([&f](seed& s) {
    if (s.alive.load()) f(s);
  });
}

}  // namespace

// The wait for one that is leaving its stack is bounded, and nothing is claimed meanwhile: what it
// still does there may itself have to wait for the claim.
bool look_at(seed& s, std::uint64_t id, goroutine_view& into) noexcept {
  into.stack.count = 0;
  const goroutine* const caller = this_goroutine_or_null();
  const bool self = caller != nullptr && caller->origin == &s;
  for (int i = 0; !self && i < most_attempts; ++i) {
    const claim_result r = look_if_parked(s, id, into);
    if (r == claim_result::looked) return true;
    if (r == claim_result::not_parked) break;
    sched_yield();
  }
  if (!read_in_passing(s, id, into)) return false;
  if (self) walk_own_stack(into.stack);
  return true;
}

void look_at_self(goroutine& self, goroutine_view& into) noexcept {
  read_origin(*self.origin, into);
  read_wait(self, into);
  into.state = goroutine_state::running;
  into.stack.count = 0;
  const char* name = self.origin->name.load();
  if (name == nullptr) name = "";
  std::size_t n = 0;
  for (; name[n] != '\0' && n + 1 < sizeof into.name; ++n) into.name[n] = name[n];
  into.name[n] = '\0';
}

scope_count count_scope(std::uint64_t scope) noexcept {
  scope_count n;
  for_each_alive([&n, scope](seed& one) {
    if (scope_of(one) != scope) return;
    const goroutine_state s = state_of(one);
    if (s == goroutine_state::dead) return;  // it is just ending
    ++n.alive;
    if (s == goroutine_state::runnable || s == goroutine_state::running) ++n.active;
  });
  return n;
}

goroutine_table::goroutine_table() noexcept {
  std::size_t n = 0;
  for_each_alive([&n](seed&) { ++n; });
  while (!fill(n + n / 8 + 64)) n = 2 * n + 64;
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
  for_each_alive([&](seed& s) {
    if (size_ < room)
      entries_[size_++] = {id_of(s), &s};
    else
      fits = false;
  });
  return fits;
}

}  // namespace runnel::detail
