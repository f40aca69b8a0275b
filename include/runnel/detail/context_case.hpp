// The end of a context as a case of a select.
#pragma once
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/select_case.hpp>

namespace runnel::detail {

/// Ready when the context is done. The context (or a copy) has to live as long as the case.
class done_case : public case_base {
 public:
  explicit done_case(cancel_node* node) noexcept
      : node_(node), place_(node != nullptr ? &choose_place(node) : nullptr) {}

  spinlock* lock() noexcept { return place_ != nullptr ? &place_->mu : nullptr; }
  bool try_now(agent*&) noexcept override { return is_done(node_); }
  void enqueue(waiter& w) noexcept override { enter(node_, *place_, w); }
  void dequeue(waiter& w) noexcept override { place_->waiters.remove(w); }
  void complete(waiter&) noexcept override {}
  bool miss_hint() noexcept override { return node_ == nullptr || !is_done(node_); }

 private:
  cancel_node* node_;  // null: the context is never done
  wait_place* place_;
};

}  // namespace runnel::detail
