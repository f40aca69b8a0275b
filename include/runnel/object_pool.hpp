// object_pool: keeps objects that are costly to make for the next one who needs one.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include <runnel/detail/place.hpp>
#include <runnel/detail/spinlock.hpp>

namespace runnel {

/// Hands out objects and takes them back when their handle goes. Of those idle, the one that the same processor was given
/// back last is handed out first, as its user left it. Handles may outlive the pool; their objects are then destroyed with
/// them.
template <class T>
class object_pool {
  class core;
  struct node;

 public:
  /// An object on loan, as a std::unique_ptr whose destructor gives it back to the pool. Move-only.
  class handle {
   public:
    /// Empty.
    handle() noexcept = default;
    handle(handle&& other) noexcept
        : node_(std::exchange(other.node_, nullptr)), core_(other.core_) {}
    handle& operator=(handle&& other) noexcept {
      handle held(std::move(other));
      std::swap(node_, held.node_);
      std::swap(core_, held.core_);
      return *this;
    }
    ~handle() { reset(); }

    T& operator*() const noexcept { return *node_->object; }
    T* operator->() const noexcept { return node_->object.get(); }
    T* get() const noexcept { return node_ != nullptr ? node_->object.get() : nullptr; }
    explicit operator bool() const noexcept { return node_ != nullptr; }

    /// Gives it back now.
    void reset() noexcept {
      if (node_ != nullptr) core_->take_back(*std::exchange(node_, nullptr));
    }
    /// Keeps it: the pool does not get it back.
    std::unique_ptr<T> release() noexcept {
      if (node_ == nullptr) return nullptr;
      std::unique_ptr<T> object = std::move(node_->object);
      core_->destroy(std::exchange(node_, nullptr));
      return object;
    }

   private:
    friend class object_pool;
    handle(node* n, core* c) noexcept : node_(n), core_(c) {}

    node* node_ = nullptr;
    core* core_ = nullptr;
  };

  /// `make` makes a new object when none is idle; it may be called by several at once. Up to `max_idle` objects are
  /// kept; more are destroyed when they come back. Throws std::invalid_argument for an empty `make`.
  explicit object_pool(std::function<std::unique_ptr<T>()> make, std::size_t max_idle = 64)
      : make_(std::move(make)) {
    if (!make_) throw std::invalid_argument("object_pool without a function to make objects");
    core_ = new core(max_idle);
  }
  object_pool(const object_pool&) = delete;
  object_pool& operator=(const object_pool&) = delete;
  ~object_pool() { core_->close(); }

  /// An idle object, or a new one. Does not wait for others to give theirs back. Throws what `make` throws, and
  /// std::logic_error if it gives null.
  handle get() {
    if (node* idle = core_->take_idle(); idle != nullptr) return handle(idle, core_);
    auto made = std::make_unique<node>();
    made->object = make_();
    if (made->object == nullptr) throw std::logic_error("object_pool: nothing was made");
    core_->add();
    return handle(made.release(), core_);
  }

  /// How many objects wait to be used again.
  std::size_t idle() const noexcept { return core_->count_idle(); }

 private:
  // An object and its place in a shelf.
  struct node {
    std::unique_ptr<T> object;
    node* next = nullptr;
  };

  // Some of the idle objects. Each processor mostly uses a shelf of its own.
  struct alignas(detail::place_size) shelf {
    bool put(node& n) noexcept {
      if (count.load(std::memory_order_relaxed) >= room.load(std::memory_order_relaxed))
        return false;
      lock.lock();
      const std::size_t now = count.load(std::memory_order_relaxed);
      const bool fits = now < room.load(std::memory_order_relaxed);
      if (fits) {
        n.next = std::exchange(first, &n);
        count.store(now + 1, std::memory_order_relaxed);
      }
      lock.unlock();
      return fits;
    }

    node* take() noexcept {
      if (count.load(std::memory_order_relaxed) == 0) return nullptr;
      lock.lock();
      node* const n = first;
      if (n != nullptr) {
        first = n->next;
        count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
      }
      lock.unlock();
      return n;
    }

    // All that is there. Nothing can be put there afterwards.
    node* close() noexcept {
      lock.lock();
      room.store(0, std::memory_order_relaxed);
      count.store(0, std::memory_order_relaxed);
      node* const all = std::exchange(first, nullptr);
      lock.unlock();
      return all;
    }

    detail::spinlock lock;  // no user's code runs under it
    // Changed under the lock; relaxed looks without it may be late.
    std::atomic<std::size_t> count{0};
    std::atomic<std::size_t> room{0};
    node* first = nullptr;  // guarded by the lock
  };

  // Lives until the pool and all its objects are gone.
  class core {
   public:
    explicit core(std::size_t max_idle)
        : shelf_count_(detail::place_count()), shelves_(new shelf[shelf_count_]) {
      for (std::size_t i = 0; i < shelf_count_; ++i)
        shelves_[i].room.store(max_idle / shelf_count_ + (i < max_idle % shelf_count_ ? 1 : 0),
                               std::memory_order_relaxed);
    }

    node* take_idle() noexcept {
      const std::size_t own = detail::own_place(shelf_count_);
      for (std::size_t i = 0; i < shelf_count_; ++i)
        if (node* n = shelf_at(own + i).take(); n != nullptr) return n;
      return nullptr;
    }

    void take_back(node& n) noexcept {
      const std::size_t own = detail::own_place(shelf_count_);
      for (std::size_t i = 0; i < shelf_count_; ++i)
        if (shelf_at(own + i).put(n)) return;
      destroy(&n);
    }

    void add() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }

    void destroy(node* n) noexcept {
      delete n;
      drop();
    }

    void close() noexcept {
      for (std::size_t i = 0; i < shelf_count_; ++i) {
        node* n = shelves_[i].close();
        while (n != nullptr) destroy(std::exchange(n, n->next));
      }
      drop();
    }

    std::size_t count_idle() const noexcept {
      std::size_t n = 0;
      for (std::size_t i = 0; i < shelf_count_; ++i)
        n += shelves_[i].count.load(std::memory_order_relaxed);
      return n;
    }

   private:
    shelf& shelf_at(std::size_t i) noexcept { return shelves_[i & (shelf_count_ - 1)]; }

    // acq_rel: whoever is last sees what the others did
    void drop() noexcept {
      if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    const std::size_t shelf_count_;  // a power of two
    const std::unique_ptr<shelf[]> shelves_;
    std::atomic<std::size_t> owners_{1};  // the pool and the objects
  };

  const std::function<std::unique_ptr<T>()> make_;
  core* core_ = nullptr;
};

}  // namespace runnel
