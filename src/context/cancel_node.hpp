// The part of a context that can be cancelled.
//
// Invariants:
// - `state` goes from open to done once, through closing if there is a channel to close in between;
//   code and cause are written before it leaves open and never again.
// - A child is in its parent's list from its construction (if the parent was open) until its own
//   cancellation is complete: an empty list of a done node means that every descendant is done. This
//   is what lets two cancels of overlapping trees help each other instead of waiting ("helping",
//   cancel_from).
// - While a child is linked, somebody owns a share of it: its cancel_function, whose destructor
//   cancels before it lets go, or a cancel_from that is under way. So whoever sees a linked child
//   under the parent's lock may take a share.
// - Locks are never nested: a node's lock is held alone, and no user's code runs under it.
#pragma once
#include <atomic>
#include <cstdint>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>
#include <stop_token>

#include "context/wait_places.hpp"

namespace runnel::detail {

class cancel_node : public context_node {
 public:
  cancel_node(context_ref up, std::int64_t deadline_ns) noexcept;
  ~cancel_node() override = default;

  /// Cancels `root` and all its descendants; when it returns they are done, whoever did it.
  static void cancel_tree(cancel_node* root, context_errc code, const error& cause);
  /// The same when the deadline has come, from a timer: does not block, and what runs user's code
  /// gets a goroutine.
  static void expire_tree(cancel_node* root, const error& cause) noexcept;

  /// Enters the parent's list; false: there is no parent or it is done already.
  bool link();
  void add_after(std::shared_ptr<after_entry> entry);
  bool stop_after(after_entry& entry);

  bool is_done() const noexcept {
    return state_.load() != state::open;  // seq_cst: see wait_places.hpp
  }
  context_ref share() noexcept {
    retain();
    return context_ref(this);
  }
  error err() const;
  error cause() const;
  recv_chan<void> done();
  std::stop_token stop_token();

  cancel_node* const up;        // the nearest ancestor that can be cancelled; null: none
  const std::int64_t deadline;  // the earliest on the way up
  mutable spinlock mu;
  wait_places places;  // empty once done

 protected:
  /// Ends what else could cancel this node, called once by whoever marked it, without locks.
  virtual void on_marked() noexcept {}

 private:
  enum class state : std::uint8_t { open, closing, done };

  enum class caller : std::uint8_t { agent, timer };

  static void cancel_from(caller who, cancel_node* root, context_errc code, const error& cause);
  bool mark(caller who, context_errc code, const error& cause);
  cancel_node* first_child();
  void unlink(cancel_node* child);
  void finish(caller who);
  void run_afters();
  void wait_closed() const;

  std::atomic<state> state_{state::open};
  context_errc code_{};  // immutable once not open
  error cause_{};        // immutable once not open
  std::atomic<bool> complete_{
      false};  // done, with all descendants, and no longer in the parent's list
  std::atomic<bool> has_chan_{false};
  chan<void> done_chan_{nullptr};            // immutable once has_chan_
  std::stop_source stop_{std::nostopstate};  // guarded by mu
  after_entry* after_head_ = nullptr;        // guarded by mu
  cancel_node* child_head_ = nullptr;        // guarded by mu
  cancel_node* sibling_next_ = nullptr;      // guarded by up->mu
  cancel_node* sibling_prev_ = nullptr;      // guarded by up->mu
  bool linked_ = false;                      // guarded by up->mu
  cancel_node* next_pending_ = nullptr;      // owned by whoever marked the node
};

}  // namespace runnel::detail
