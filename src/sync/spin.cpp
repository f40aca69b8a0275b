#include "sync/spin.hpp"

#include "base/cpu.hpp"
#include "sched/scheduler.hpp"

namespace runnel::detail {

namespace {

constexpr int pauses = 30;

}  // namespace

bool spinning_pays() noexcept {
  const processor* p = current_processor();
  if (p == nullptr) return several_cpus();
  return sched.active.load(std::memory_order_relaxed) > 1 && !p->has_queued_work() &&
         several_cpus();
}

void spin_briefly() noexcept {
  for (int i = 0; i < pauses; ++i) cpu_pause();
}

}  // namespace runnel::detail
