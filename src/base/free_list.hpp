// Free blocks of what is made and ends all the time. A processor keeps a cache of them; caches and the common store
// behind them pass blocks on by the batch.
#pragma once
#include <cstdint>
#include <utility>

namespace runnel::detail {

inline constexpr std::uint32_t batch_size = 64;
inline constexpr std::uint32_t most_cached = 2 * batch_size;

/// A last-in-first-out list of free blocks, chained through T::link, with its length.
template <class T>
struct free_list {
  T* head = nullptr;
  std::uint32_t count = 0;

  void push(T* b) noexcept {
    b->link = head;
    head = b;
    ++count;
  }
  T* pop() noexcept {
    T* b = head;
    head = static_cast<T*>(b->link);
    --count;
    return b;
  }
};

/// The free blocks behind the caches. Guarded by its owner's lock.
template <class T>
class free_depot {
 public:
  /// As many as there are, up to batch_size.
  free_list<T> take() noexcept {
    if (batches_ != nullptr) return pop_batch();
    if (loose_.count <= batch_size) return take_loose();
    free_list<T> some;
    while (some.count < batch_size) some.push(loose_.pop());
    note_least();
    return some;
  }
  /// Null: there is none.
  T* take_one() noexcept {
    if (loose_.count == 0 && batches_ != nullptr) loose_ = pop_batch();
    if (loose_.count == 0) return nullptr;
    T* b = loose_.pop();
    note_least();
    return b;
  }
  /// `full`: batch_size blocks.
  void give(free_list<T> full) noexcept {
    full.head->batch_link = batches_;
    batches_ = full.head;
    ++batch_count_;
  }
  void give_one(T* b) noexcept { loose_.push(b); }

  /// Up to batch_size of those that nobody has needed since the last mark(). None: there is no such.
  free_list<T> take_idle() noexcept {
    if (least_batches_ > 0) return pop_batch();
    free_list<T> idle;
    for (; least_loose_ > 0 && idle.count < batch_size; --least_loose_) idle.push(loose_.pop());
    return idle;
  }
  /// True: some are left.
  bool mark() noexcept {
    least_batches_ = batch_count_;
    least_loose_ = loose_.count;
    return batch_count_ > 0 || loose_.count > 0;
  }

 private:
  free_list<T> pop_batch() noexcept {
    const free_list<T> full{batches_, batch_size};
    batches_ = batches_->batch_link;
    --batch_count_;
    if (batch_count_ < least_batches_) least_batches_ = batch_count_;
    return full;
  }
  free_list<T> take_loose() noexcept {
    least_loose_ = 0;
    return std::exchange(loose_, {});
  }
  void note_least() noexcept {
    if (loose_.count < least_loose_) least_loose_ = loose_.count;
  }

  T* batches_ = nullptr;  // linked by T::batch_link
  free_list<T> loose_;
  std::uint32_t batch_count_ = 0;
  std::uint32_t least_batches_ = 0;  // since the last mark()
  std::uint32_t least_loose_ = 0;
};

/// Two lists, so that a batch goes to or comes from the store at most once in batch_size operations. Used by its owner
/// only. A store has take(), which returns a list of 1 to batch_size blocks or throws, and give(list).
template <class T>
class free_cache {
 public:
  template <class Store>
  T* get(Store& store) {
    if (a_.count == 0) [[unlikely]]
      refill(store);
    return a_.pop();
  }
  template <class Store>
  void put(Store& store, T* b) noexcept {
    if (a_.count == batch_size) [[unlikely]]
      spill(store);
    a_.push(b);
  }

 private:
  template <class Store>
  [[gnu::noinline]] void refill(Store& store) {
    if (b_.count > 0)
      std::swap(a_, b_);
    else
      a_ = store.take();
  }
  template <class Store>
  [[gnu::noinline]] void spill(Store& store) noexcept {
    if (b_.count > 0) store.give(b_);
    b_ = std::exchange(a_, {});
  }

  free_list<T> a_, b_;
};

}  // namespace runnel::detail
