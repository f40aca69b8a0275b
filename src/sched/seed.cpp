#include "sched/seed.hpp"

#include <iterator>
#include <memory>
#include <mutex>

#include "stack/stack.hpp"

namespace runnel::detail {

constinit seed_store seeds;

// Called with mu_ held. Each seed comes with the promise of a stack.
void seed_store::add_slab() {
  std::unique_ptr<slab> made(new slab);
  default_stacks().promise(std::size(made->seeds));
  slab* s = made.release();
  s->next = slabs_.load();
  for (auto one = std::rbegin(s->seeds); one != std::rend(s->seeds); ++one) free_.give_one(&*one);
  slabs_.store(s);
}

free_list<seed> seed_store::take() {
  const std::lock_guard lock(mu_);
  const free_list<seed> some = free_.take();
  if (some.count > 0) return some;
  add_slab();
  return free_.take();
}

void seed_store::give(free_list<seed> batch) noexcept {
  const std::lock_guard lock(mu_);
  free_.give(batch);
}

seed* seed_store::take_one() {
  const std::lock_guard lock(mu_);
  if (seed* s = free_.take_one()) return s;
  add_slab();
  return free_.take_one();
}

void seed_store::give_one(seed* s) noexcept {
  const std::lock_guard lock(mu_);
  free_.give_one(s);
}

}  // namespace runnel::detail
