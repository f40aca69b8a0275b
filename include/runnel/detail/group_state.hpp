// What the goroutines of a group share.
#pragma once
#include <utility>

#include <runnel/context.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>

namespace runnel::detail {

class group_state {
 public:
  explicit group_state(const context& parent);

  const context& ctx() const noexcept { return ctx_; }
  void cancel() { cancel_(); }
  /// A place for a goroutine is taken; blocks while there is none / false while there is none.
  void enter();
  bool try_enter();
  /// Gives it back, with what became of the goroutine.
  void leave(error e) noexcept;
  void set_limit(int n);
  /// Blocks until all places are free.
  void wait_all();
  error wait();

 private:
  waiter* admit_locked() noexcept;

  context ctx_;
  cancel_function cancel_;
  spinlock mu_;
  int active_ = 0;       // guarded by mu_
  int limit_ = -1;       // guarded by mu_
  error first_;          // guarded by mu_
  wait_queue entering_;  // guarded by mu_; empty unless the limit is reached
  wait_queue waiting_;   // guarded by mu_; empty unless goroutines are active
};

}  // namespace runnel::detail
