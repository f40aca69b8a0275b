// What contexts are made of, as far as templates need to see it. The part that can be cancelled is
// compiled (src/context).
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <runnel/detail/case_operand.hpp>
#include <runnel/detail/park.hpp>
#include <utility>

namespace runnel::detail {

class cancel_node;
class context_node;

/// An owned share of a node, or none.
class context_ref {
 public:
  constexpr context_ref() noexcept = default;
  /// Takes over the caller's share.
  explicit context_ref(context_node* node) noexcept : node_(node) {}
  /// One more share of what another keeps alive.
  context_ref(context_node* other, share_t) noexcept;
  context_ref(const context_ref& other) noexcept;
  context_ref(context_ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  context_ref& operator=(context_ref other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~context_ref();

  context_node* get() const noexcept { return node_; }
  cancel_node* canceler() const noexcept;
  context_node* detach() noexcept { return std::exchange(node_, nullptr); }

 private:
  context_node* node_ = nullptr;
};

/// One link of a chain of contexts: immutable but for the share count. The background context has
/// no node.
class context_node {
 public:
  context_node(context_ref up, cancel_node* c, const void* k) noexcept
      : parent(up.detach()), canceler(c), key(k) {}
  context_node(const context_node&) = delete;
  context_node& operator=(const context_node&) = delete;

  void retain() noexcept {
    // relaxed: the caller holds a share, so the count cannot reach zero meanwhile
    shares_.fetch_add(1, std::memory_order_relaxed);
  }
  static void release(context_node* node) noexcept;
  /// False: the last share is gone; the caller keeps the memory from going some other way.
  [[nodiscard]] bool try_retain() noexcept;
  /// False: the caller's share is the last, and still held.
  [[nodiscard]] bool release_unless_last() noexcept;

  context_node* const parent;  // an owned share; null: background
  cancel_node* const
      canceler;           // the nearest that can be cancelled, itself included; null: never done
  const void* const key;  // which Key a value_node holds a value of

 protected:
  virtual ~context_node() = default;

 private:
  std::atomic<std::size_t> shares_{1};
};

inline context_ref::context_ref(context_node* other, share_t) noexcept : node_(other) {
  if (node_ != nullptr) node_->retain();
}
inline context_ref::context_ref(const context_ref& other) noexcept
    : context_ref(other.node_, share) {}
inline context_ref::~context_ref() {
  if (node_ != nullptr) context_node::release(node_);
}
inline cancel_node* context_ref::canceler() const noexcept {
  return node_ != nullptr ? node_->canceler : nullptr;
}

/// Its address stands for the type; writable, so that no linker folds two of them.
template <class Key>
inline char context_key = 0;

template <class Key>
class value_node final : public context_node {
 public:
  value_node(context_ref up, cancel_node* c, typename Key::type v)
      : context_node(std::move(up), c, &context_key<Key>), value(std::move(v)) {}

  const typename Key::type value;
};

/// A function to be started when a context is done. Linked into the context's list until it is
/// started or stopped; while linked, `self` keeps it alive.
class after_entry {
 public:
  virtual void run() = 0;
  virtual void drop() noexcept = 0;

  after_entry* next = nullptr;          // guarded by the node's lock
  after_entry* prev = nullptr;          // guarded by the node's lock
  std::shared_ptr<after_entry> self{};  // guarded by the node's lock; null: not linked
  std::atomic<bool> settled{false};     // started or stopped; for contexts that are never done

 protected:
  ~after_entry() = default;
};

template <class F>
class after_function final : public after_entry {
 public:
  template <class G>
  explicit after_function(G&& f) : f_(std::in_place, std::forward<G>(f)) {}
  void run() override {
    F f = std::move(*f_);
    f_.reset();
    f();
  }
  void drop() noexcept override { f_.reset(); }

 private:
  std::optional<F> f_;  // whoever unlinked the entry
};

// The part of a node that can be cancelled, as select and the lock-free looks need it.

/// Whether the context is done; one load.
bool is_done(const cancel_node* node) noexcept;
/// A place to wait for the end of the context; see case_base.
struct wait_place {
  spinlock mu;
  wait_queue waiters;  // guarded by mu
};
wait_place& choose_place(cancel_node* node) noexcept;
/// With the place's lock.
void enter(cancel_node* node, wait_place& at, waiter& w) noexcept;

}  // namespace runnel::detail
