#include "sched/locals.hpp"

#include <atomic>
#include <utility>
#include <vector>

#include "sched/thread_agent.hpp"

namespace runnel::detail {

struct local_table {
  struct entry {
    std::uint64_t key;
    void* value;
    void (*destroy)(void*);
  };
  std::vector<entry> entries;

  // A destructor may make new ones.
  void clear() {
    while (!entries.empty()) {
      const entry last = entries.back();
      entries.pop_back();
      last.destroy(last.value);
    }
  }
  ~local_table() { clear(); }
};

namespace {

RUNNEL_OPAQUE local_table& thread_table() {
  thread_local local_table table;
  asm volatile("" ::: "memory");
  return table;
}

local_table* table_or_null() {
  if (goroutine* g = this_goroutine_or_null()) return g->locals;
  return &thread_table();
}

}  // namespace

std::uint64_t new_local_key() noexcept {
  static constinit std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1) + 1;
}

void* find_local(std::uint64_t key) noexcept {
  if (local_table* t = table_or_null())
    for (const auto& e : t->entries)
      if (e.key == key) return e.value;
  return nullptr;
}

void add_local(std::uint64_t key, void* value, void (*destroy)(void*)) {
  local_table* t = table_or_null();
  if (t == nullptr) {
    goroutine* g = this_goroutine_or_null();
    g->locals = t = new local_table;
  }
  t->entries.push_back({key, value, destroy});
}

void destroy_locals(goroutine& g) {
  while (g.locals != nullptr && !g.locals->entries.empty()) g.locals->clear();
  delete std::exchange(g.locals, nullptr);
}

}  // namespace runnel::detail
