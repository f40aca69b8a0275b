// The passes of a select (see the file's functions in this order):
//   look once      each case by itself, in the order to try: most selects end here, with one lock taken
//   lock all       in the order of addresses, so that two selects cannot wait for each other
//   look again     with everything locked: what is found (or not found) now is true at one instant
//   enqueue, park  a waiter in each queue, one claim word for all; the locks are released once off the stack
//   dequeue        whoever moved the claim word has won; the losers' waiters are taken out
//
// Why releasing several locks after parking is safe: the goroutine may be woken as soon as the first lock is free, but
// before it returns it takes the lock of every case that lost, and the winner's lock was free before it could win. So
// the list of locks, which lies on its stack, outlives the last unlock.
#include <runnel/select.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "base/random.hpp"
#include "sched/scheduler.hpp"
#include "sched/thread_agent.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t few = 8;    // cases of most selects; they should not need much stack
constexpr std::size_t many = 64;  // cases up to which nothing is allocated

// Room for trivially destructible things that the caller makes: so many of them lie here, uninitialised until then.
template <class T, std::size_t Room>
class small_array {
 public:
  static_assert(std::is_trivially_destructible_v<T>);

  explicit small_array(std::size_t n) {
    if (n > Room) [[unlikely]] {
      heap_ = std::make_unique<std::byte[]>(n * sizeof(T));
      items_ = reinterpret_cast<T*>(heap_.get());
    }
  }
  void make(std::size_t i, const T& value) noexcept {
    ::new (static_cast<void*>(items_ + i)) T(value);
  }
  T& operator[](std::size_t i) noexcept { return items_[i]; }

 private:
  alignas(T) std::byte here_[Room * sizeof(T)];
  T* items_ = reinterpret_cast<T*>(here_);
  std::unique_ptr<std::byte[]> heap_;
};

random_source& own_random() noexcept {
  processor* p = current_processor();
  return p != nullptr ? p->random : this_thread()->random;
}

template <std::size_t Room>
class select_run {
 public:
  select_run(std::span<case_base* const> cases, std::size_t otherwise, select_order order)
      : cases_(cases),
        otherwise_(otherwise),
        in_order_(order == select_order::in_order),
        lock_of_(cases.size()),
        order_(cases.size()),
        locks_(cases.size()) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      spinlock* lock = cases[i]->lock();
      lock_of_.make(i, lock);
      if (lock != nullptr) order_.make(count_++, static_cast<std::uint32_t>(i));
    }
    if (!in_order_ && count_ > 1) shuffle();
  }

  std::size_t run() {
    if (otherwise_ == no_case || count_ <= 1) {
      if (const std::size_t found = look_once(); found != no_case) return found;
      if (otherwise_ != no_case) return otherwise_;
    }
    if (otherwise_ == no_case) {
      find_deadline();
      if (deadline_ == 0) return deadline_case_;
    }
    if (count_ == 0) return wait_for_nothing();
    lock_all();
    if (const std::size_t found = look_locked(); found != no_case) return found;
    if (otherwise_ != no_case) {
      unlock_all();
      return otherwise_;
    }
    return wait();
  }

 private:
  // One random number does for a few cases: what is left of it after a choice decides the next.
  void shuffle() noexcept {
    random_source& random = own_random();  // no suspension until the end of this function
    std::uint32_t r = random.next();
    for (std::size_t i = count_; i > 1; --i) {
      const std::uint64_t scaled = std::uint64_t{r} * i;
      std::swap(order_[i - 1], order_[static_cast<std::size_t>(scaled >> 32)]);
      r = count_ > few ? random.next() : static_cast<std::uint32_t>(scaled);
    }
  }

  // What a hint says is out of date at once; a select that blocks looks again with everything locked, and beside an
  // otherwise there is only one case here.
  std::size_t look_once() noexcept {
    for (std::size_t k = 0; k < count_; ++k) {
      const std::uint32_t i = order_[k];
      if (cases_[i]->miss_hint()) continue;
      agent* wake = nullptr;
      lock_of_[i]->lock();
      const bool done = cases_[i]->try_now(wake);
      lock_of_[i]->unlock();
      if (wake != nullptr) ready(wake);
      if (done) return i;
    }
    return no_case;
  }

  // Of several with the same deadline (as those that are past have) any may be the one, as among other ready cases.
  void find_deadline() noexcept {
    std::uint32_t equal = 0;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (lock_of_[i] != nullptr) continue;
      const std::int64_t at = cases_[i]->deadline();
      if (at > deadline_ || at == never) continue;
      equal = at < deadline_ ? 1 : equal + 1;
      if (equal > 1 && (in_order_ || own_random().below(equal) != 0)) continue;
      deadline_ = at;
      deadline_case_ = i;
    }
  }

  // Nil channels and timeouts only.
  std::size_t wait_for_nothing() {
    if (deadline_ == never)
      park_forever(cases_.empty() ? wait_reason::select_no_cases : wait_reason::select);
    claim_word claim{unclaimed};
    if (!park_until(
            wait_reason::select, [](void*) {}, nullptr, claim, deadline_))
      throw_deadlock();
    return deadline_case_;
  }

  // Sorted from the order of the cases, which is mostly the same at the next call: the branches are then foreseen.
  void lock_all() noexcept {
    std::size_t n = 0;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      if (lock_of_[i] != nullptr) locks_.make(n++, lock_of_[i]);
    if (n <= few) {
      for (std::size_t i = 1; i < n; ++i)
        for (std::size_t j = i; j > 0 && std::less<>{}(locks_[j], locks_[j - 1]); --j)
          std::swap(locks_[j], locks_[j - 1]);
    } else {
      std::sort(&locks_[0], &locks_[0] + n, std::less<>{});
    }
    lock_count_ = static_cast<std::size_t>(std::unique(&locks_[0], &locks_[0] + n) - &locks_[0]);
    for (std::size_t i = 0; i < lock_count_; ++i) locks_[i]->lock();
  }

  void unlock_all() noexcept {
    // The run may be gone as soon as the last lock is free: the count is copied.
    const std::size_t n = lock_count_;
    spinlock** lock = &locks_[0];
    for (std::size_t i = 0; i < n; ++i) lock[i]->unlock();
  }
  static void unlock_run(void* run) { static_cast<select_run*>(run)->unlock_all(); }

  std::size_t look_locked() noexcept {
    for (std::size_t k = 0; k < count_; ++k) {
      agent* wake = nullptr;
      if (!cases_[order_[k]]->try_now(wake)) continue;
      unlock_all();
      if (wake != nullptr) ready(wake);
      return order_[k];
    }
    return no_case;
  }

  std::size_t wait() {
    claim_word claim{unclaimed};
    small_array<waiter, Room> waiters(cases_.size());
    agent* const self = this_agent();
    for (std::uint32_t i = 0; i < cases_.size(); ++i) {
      if (lock_of_[i] == nullptr) continue;
      waiters.make(i, {.who = self, .claim = &claim, .index = i});
      cases_[i]->enqueue(waiters[i]);
    }
    const bool woken = park_until(wait_reason::select, unlock_run, this, claim, deadline_);
    const std::uint32_t won = claim.load();
    const std::size_t chosen = won == claimed_by_timeout ? deadline_case_ : std::size_t{won} - 1;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (lock_of_[i] == nullptr) continue;
      if (i == chosen && woken) {
        cases_[i]->complete(waiters[i]);
        continue;
      }
      std::lock_guard lock(*lock_of_[i]);
      cases_[i]->dequeue(waiters[i]);
    }
    if (!woken) throw_deadlock();
    return chosen;
  }

  std::span<case_base* const> cases_;
  const std::size_t otherwise_;
  const bool in_order_;
  small_array<spinlock*, Room> lock_of_;    // by case; null: it is never ready
  small_array<std::uint32_t, Room> order_;  // the cases that have a lock, in the order to try
  small_array<spinlock*, Room> locks_;      // theirs, by address, each once
  std::size_t count_ = 0;                   // of order_
  std::size_t lock_count_ = 0;              // of locks_
  std::int64_t deadline_ = never;
  std::size_t deadline_case_ = no_case;
};

// Not a part of select_cases(): its frame is a page and more.
[[gnu::noinline]] std::size_t select_many(std::span<case_base* const> cases, std::size_t otherwise,
                                          select_order order) {
  return select_run<many>(cases, otherwise, order).run();
}

}  // namespace

std::size_t select_cases(std::span<case_base* const> cases, std::size_t otherwise,
                         select_order order) {
  check_attention();
  if (cases.size() > few) [[unlikely]]
    return select_many(cases, otherwise, order);
  return select_run<few>(cases, otherwise, order).run();
}

std::size_t select_span(std::span<select_case> cases, select_order order) {
  std::vector<case_base*> all;
  all.reserve(cases.size());
  std::size_t otherwise = no_case;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].is_otherwise()) {
      if (otherwise != no_case) throw std::invalid_argument("select: more than one otherwise");
      otherwise = i;
    }
    all.push_back(&cases[i].base());
  }
  const std::size_t chosen = select_cases(all, otherwise, order);
  cases[chosen].run();
  return chosen;
}

}  // namespace runnel::detail
