#include <mutex>

#include <runnel/detail/timer_core.hpp>
#include <runnel/go.hpp>

#include "sched/start.hpp"

namespace runnel::detail {

// One firing, as a goroutine runs it.
struct func_timer::call {
  explicit call(func_timer& t) noexcept : timer(&t) { t.add_ref(); }
  call(call&& other) noexcept : timer(std::exchange(other.timer, nullptr)) {}
  call& operator=(call&&) = delete;
  ~call() {
    if (timer != nullptr) timer->release();
  }
  void operator()() const { timer->run(); }

  func_timer* timer;
};

void func_timer::start(std::int64_t when) noexcept {
  ensure_started();
  std::lock_guard lock(mu_);
  arm(*this, when);
}

bool func_timer::stop() noexcept {
  std::lock_guard lock(mu_);
  return disarm(*this);
}

bool func_timer::reset(std::int64_t when, std::int64_t) noexcept {
  std::lock_guard lock(mu_);
  const bool was = disarm(*this);
  arm(*this, when);
  return was;
}

void func_timer::fire() noexcept { go_with(go_options{}, created_at_, call(*this)); }

}  // namespace runnel::detail
