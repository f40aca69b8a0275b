// object_pool: keeps objects that are costly to make for the next one who needs one.
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include <runnel/detail/spinlock.hpp>

namespace runnel {

/// Hands out objects and takes them back when their handle goes. The one given back last is handed out first, as its
/// user left it. Handles may outlive the pool; their objects are then destroyed with them.
template <class T>
class object_pool {
  struct core;

 public:
  /// An object on loan, as a std::unique_ptr whose destructor gives it back to the pool. Move-only.
  class handle {
   public:
    /// Empty.
    handle() noexcept = default;
    handle(handle&&) noexcept = default;
    handle& operator=(handle&& other) noexcept {
      handle held(std::move(other));
      std::swap(object_, held.object_);
      std::swap(pool_, held.pool_);
      return *this;
    }
    ~handle() { reset(); }

    T& operator*() const noexcept { return *object_; }
    T* operator->() const noexcept { return object_.get(); }
    T* get() const noexcept { return object_.get(); }
    explicit operator bool() const noexcept { return object_ != nullptr; }

    /// Gives it back now.
    void reset() noexcept {
      if (object_ != nullptr) pool_->take_back(std::move(object_));
    }
    /// Keeps it: the pool does not get it back.
    std::unique_ptr<T> release() noexcept {
      if (object_ != nullptr) pool_->forget();
      return std::move(object_);
    }

   private:
    friend class object_pool;
    handle(std::unique_ptr<T> object, core* pool) noexcept
        : object_(std::move(object)), pool_(pool) {}

    std::unique_ptr<T> object_;
    core* pool_ = nullptr;  // lives for as long as the object is on loan
  };

  /// `make` makes a new object when none is idle; it may be called by several at once. Up to `max_idle` objects are
  /// kept; more are destroyed when they come back.
  explicit object_pool(std::function<std::unique_ptr<T>()> make, std::size_t max_idle = 64)
      : make_(std::move(make)), core_(make_core(max_idle, make_ != nullptr)) {}
  object_pool(const object_pool&) = delete;
  object_pool& operator=(const object_pool&) = delete;
  ~object_pool() { core_->close(); }

  /// An idle object, or a new one. Does not wait for others to give theirs back. Throws what `make` throws, and
  /// std::logic_error if it gives null.
  handle get() {
    std::unique_ptr<T> object = core_->take_idle();
    if (object != nullptr) return handle(std::move(object), core_);
    try {
      object = make_();
      if (object == nullptr) throw std::logic_error("object_pool: nothing was made");
    } catch (...) {
      core_->forget();
      throw;
    }
    return handle(std::move(object), core_);
  }

  /// How many objects wait to be used again.
  std::size_t idle() const noexcept { return core_->count_idle(); }

 private:
  // `idle` always has room for all objects that may come back, so that giving back cannot fail. Lives until the pool is
  // gone and no object on loan.
  struct core {
    explicit core(std::size_t max) : max_idle(max) {}

    // Null: none is idle; the caller makes one, or calls forget().
    std::unique_ptr<T> take_idle() {
      std::unique_ptr<T> object;
      lock.lock();
      if (!idle.empty()) {
        object = std::move(idle.back());
        idle.pop_back();
      }
      ++on_loan;
      const std::size_t room = std::min(max_idle, idle.size() + on_loan);
      const bool grow = !closed && idle.capacity() < room;
      lock.unlock();
      if (grow) reserve(room);
      return object;
    }

    void reserve(std::size_t room) {
      try {
        std::vector<std::unique_ptr<T>> larger;
        larger.reserve(std::max(room, std::min(max_idle, 2 * room)));
        lock.lock();
        if (idle.capacity() < larger.capacity()) {
          for (auto& object : idle) larger.push_back(std::move(object));
          idle.swap(larger);
        }
        lock.unlock();
      } catch (...) {
        forget();
        throw;
      }
    }

    void take_back(std::unique_ptr<T> object) noexcept {
      lock.lock();
      if (!closed && idle.size() < std::min(max_idle, idle.capacity()))
        idle.push_back(std::move(object));
      one_less_and_unlock();
    }  // one that is not kept is destroyed here, without the lock

    void forget() noexcept {
      lock.lock();
      one_less_and_unlock();
    }

    void close() noexcept {
      std::vector<std::unique_ptr<T>> last;
      lock.lock();
      closed = true;
      last.swap(idle);
      const bool was_last = on_loan == 0;
      lock.unlock();
      if (was_last) delete this;
    }

    void one_less_and_unlock() noexcept {
      const bool was_last = --on_loan == 0 && closed;
      lock.unlock();
      if (was_last) delete this;
    }

    std::size_t count_idle() noexcept {
      lock.lock();
      const std::size_t n = idle.size();
      lock.unlock();
      return n;
    }

    const std::size_t max_idle;
    detail::spinlock lock;  // guards all below; no user's code runs under it
    std::vector<std::unique_ptr<T>> idle;
    std::size_t on_loan = 0;
    bool closed = false;  // the pool is gone
  };

  static core* make_core(std::size_t max_idle, bool can_make) {
    if (!can_make) throw std::invalid_argument("object_pool without a function to make objects");
    return new core(max_idle);
  }

  const std::function<std::unique_ptr<T>()> make_;
  core* const core_;
};

}  // namespace runnel
