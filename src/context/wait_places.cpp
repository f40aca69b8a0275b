#include "context/wait_places.hpp"

#include <mutex>
#include <new>

#include "sched/processor.hpp"

namespace runnel::detail {

wait_places::~wait_places() { delete[] spread_.load(); }

wait_place& wait_places::choose() noexcept {
  if (!crowded_.load(std::memory_order_relaxed)) [[likely]]
    return home_;
  if (spread_.load() == nullptr) spread();
  spread_place* const places = spread_.load();
  const processor* const p = current_processor();
  return places != nullptr && p != nullptr ? places[p->index % spread_count] : home_;
}

void wait_places::spread() noexcept {
  auto* fresh = new (std::nothrow) spread_place[spread_count];
  spread_place* none = nullptr;
  if (!spread_.compare_exchange_strong(none, fresh)) delete[] fresh;
}

void wait_places::enter(wait_place& at, waiter& w) noexcept {
  at.waiters.push_back(w);
  if (&at != &home_) return;
  const processor* const p = current_processor();
  if (p == last_) return;
  last_ = p;
  if (++turns_ == most_turns) crowded_.store(true, std::memory_order_relaxed);
}

waiter* wait_places::take_all() noexcept {
  waiter* taken = nullptr;
  const auto empty = [&taken](wait_place& place) {
    const std::lock_guard lock(place.mu);
    while (waiter* w = place.waiters.pop()) {
      w->next = taken;
      taken = w;
    }
  };
  empty(home_);
  if (spread_place* const places = spread_.load(); places != nullptr)
    for (std::uint32_t i = 0; i < spread_count; ++i) empty(places[i]);
  return taken;
}

}  // namespace runnel::detail
