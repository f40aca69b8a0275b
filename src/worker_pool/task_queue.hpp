// The queue of a pool: first in, first out, in blocks, so that nothing is moved when it grows and
// memory goes back when it drains. Not synchronised.
//
// Invariants: tasks live in [head_, 0 < size) of the first block through [.., tail_) of the last;
// every block in the list holds at least one task, except the only one of an empty queue, which is
// empty and starts at 0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <runnel/detail/pool_task.hpp>
#include <utility>

namespace runnel::detail {

class task_queue {
 public:
  task_queue() noexcept = default;
  task_queue(task_queue&& other) noexcept { swap(other); }
  task_queue& operator=(task_queue&&) = delete;
  ~task_queue() {
    while (first_ != nullptr) delete std::exchange(first_, first_->next);
    delete spare_;
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  /// `stamp` comes out again with the task. Throws std::bad_alloc, and then has not touched `t`.
  void push(pool_task&& t, std::int64_t stamp) {
    if (last_ == nullptr || tail_ == block_size) append_block();
    last_->tasks[tail_] = std::move(t);
    last_->stamps[tail_] = stamp;
    ++tail_;
    ++size_;
  }

  /// Precondition: not empty. Gives the stamp.
  std::int64_t pop(pool_task& out) noexcept {
    out = std::move(first_->tasks[head_]);
    const std::int64_t stamp = first_->stamps[head_];
    ++head_;
    if (--size_ == 0) {
      head_ = tail_ = 0;
    } else if (head_ == block_size) {
      head_ = 0;
      recycle(std::exchange(first_, first_->next));
    }
    return stamp;
  }

  void swap(task_queue& other) noexcept {
    std::swap(first_, other.first_);
    std::swap(last_, other.last_);
    std::swap(spare_, other.spare_);
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr std::size_t block_size = 32;
  struct block {
    pool_task tasks[block_size];
    std::int64_t stamps[block_size];
    block* next = nullptr;
  };

  void append_block() {
    block* b = spare_ != nullptr ? std::exchange(spare_, nullptr) : new block;
    b->next = nullptr;
    (last_ != nullptr ? last_->next : first_) = b;
    last_ = b;
    tail_ = 0;
  }

  // One empty block is kept, so that a queue that stays small does not allocate all the time.
  void recycle(block* b) noexcept { delete std::exchange(spare_, b); }

  block* first_ = nullptr;
  block* last_ = nullptr;
  block* spare_ = nullptr;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::size_t size_ = 0;
};

}  // namespace runnel::detail
