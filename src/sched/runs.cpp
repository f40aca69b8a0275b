#include "sched/runs.hpp"

#include <mutex>

namespace runnel::detail {
namespace {

constinit spinlock list_lock;
constinit active_run* first = nullptr;  // guarded by list_lock
constinit std::atomic<std::uint32_t> count{0};

}  // namespace

void register_run(active_run& r) noexcept {
  std::lock_guard lock(list_lock);
  r.next = first;
  first = &r;
  count.fetch_add(1);
}

void unregister_run(active_run& r) noexcept {
  std::lock_guard lock(list_lock);
  active_run** link = &first;
  while (*link != &r) link = &(*link)->next;
  *link = r.next;
  count.fetch_sub(1);
}

bool any_run() noexcept { return count.load() != 0; }

void for_each_run(const std::function<void(active_run&)>& f) {
  std::lock_guard lock(list_lock);
  for (active_run* r = first; r != nullptr; r = r->next) f(*r);
}

}  // namespace runnel::detail
