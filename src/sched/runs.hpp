// The calls of run() that are going on. The deadlock report looks at them.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>

#include <runnel/go.hpp>

#include "sched/goroutine.hpp"

namespace runnel::detail {

/// Lives on the stack of the thread that called run().
struct active_run {
  std::uint64_t id = 0;                                 // immutable once registered
  deadlock_action action = deadlock_action::terminate;  // immutable once registered
  std::atomic<goroutine*> main{nullptr};  // null before main starts and after it has ended
  active_run* next = nullptr;             // guarded by the list's lock
};

void register_run(active_run& r) noexcept;
void unregister_run(active_run& r) noexcept;
/// Whether there are any; cheap.
bool any_run() noexcept;
/// Calls f for each, under the list's lock: f must not block.
void for_each_run(const std::function<void(active_run&)>& f);

}  // namespace runnel::detail
