// The passes of a select (see the file's functions in this order):
//   look once      each case that may be ready by itself, at random: most selects end here, with one lock taken
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
#include <bit>
#include <cstddef>
#include <cstdint>
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
constexpr std::size_t many = 64;  // up to which nothing is allocated; a case_set has as many bits
constexpr std::size_t any_number = 0;

// Room for trivially destructible things, uninitialised.
template <class T, std::size_t Room>
class scratch {
 public:
  static_assert(std::is_trivially_destructible_v<T>);

  explicit scratch(std::size_t) noexcept {}
  T* at(std::size_t i) noexcept { return reinterpret_cast<T*>(room_) + i; }

 private:
  alignas(T) std::byte room_[Room * sizeof(T)];
};

template <class T>
class scratch<T, any_number> {
 public:
  explicit scratch(std::size_t n)
      : room_(std::make_unique_for_overwrite<std::byte[]>(n * sizeof(T))) {}
  T* at(std::size_t i) noexcept { return reinterpret_cast<T*>(room_.get()) + i; }

 private:
  std::unique_ptr<std::byte[]> room_;
};

random_source& own_random() noexcept {
  processor* p = current_processor();
  return p != nullptr ? p->random : this_thread()->random;
}

case_set without_lowest(case_set set) noexcept { return set & (set - 1); }

// One of the set, which may not be empty; the lowest if it is to be in order.
std::size_t pick(case_set set, bool in_order) noexcept {
  if (!in_order && without_lowest(set) != 0) {
    std::uint32_t size = 0;  // without popcount, which is a call on plain x86-64
    for (case_set rest = set; rest != 0; rest = without_lowest(rest)) ++size;
    for (std::uint32_t skip = own_random().below(size); skip > 0; --skip) set = without_lowest(set);
  }
  return static_cast<std::size_t>(std::countr_zero(set));
}

template <std::size_t Room>
class select_run {
 public:
  select_run(std::span<const guarded_case> cases, std::size_t otherwise, select_order order)
      : cases_(cases),
        otherwise_(otherwise),
        in_order_(order == select_order::in_order),
        locks_(cases.size()),
        turns_(cases.size()) {}

  std::size_t run(case_set may_be_ready) {
    const std::size_t found = Room == any_number ? look_at_one() : look_once(may_be_ready);
    if (found != no_case) return found;
    find_deadline();
    if (deadline_ == 0) otherwise_ = deadline_case_;  // before a real otherwise, after all else
    const std::size_t guarded = collect_locks();
    if (guarded == 0) return otherwise_ != no_case ? otherwise_ : wait_for_nothing();
    // Looked at already, unless there are too many cases for that.
    if (guarded == 1 && otherwise_ != no_case && Room != any_number) return otherwise_;
    scratch<waiter, Room> waiters(cases_.size());  // before anything is locked
    for (std::size_t i = 0; i < lock_count_; ++i) lock_at(i)->lock();
    draw_turns(guarded);
    if (const std::size_t taken = look_locked(); taken != no_case) return taken;
    if (otherwise_ != no_case) {
      unlock_all();
      return otherwise_;
    }
    return wait(waiters);
  }

 private:
  // What a hint says is out of date at once; a select that blocks looks again with everything locked.
  std::size_t look_once(case_set may_be_ready) noexcept {
    while (may_be_ready != 0) {
      const std::size_t i = pick(may_be_ready, in_order_);
      may_be_ready &= ~(case_set{1} << i);
      spinlock& lock = *cases_[i].lock;
      lock.lock();
      if (in_order_ && any_may_be_ready_before(i)) {
        lock.unlock();
        return no_case;
      }
      if (take_alone(i)) return i;
    }
    return no_case;
  }

  // With the lock of case i, and no other; releases it.
  RUNNEL_ALWAYS_INLINE bool take_alone(std::size_t i) noexcept {
    agent* wake = nullptr;
    const bool done = cases_[i].it->try_now(wake);
    cases_[i].lock->unlock();
    if (wake != nullptr) ready(wake);
    return done;
  }

  // The same for more cases than a set has: all are asked, and one of those that may be ready is tried.
  std::size_t look_at_one() noexcept {
    if (in_order_) return no_case;
    std::size_t chosen = no_case;
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      if (cases_[i].lock != nullptr && !cases_[i].it->miss_hint() && own_random().below(++n) == 0)
        chosen = i;
    if (chosen == no_case) return no_case;
    cases_[chosen].lock->lock();
    return take_alone(chosen) ? chosen : no_case;
  }

  // Asked while case i is locked: what happened before it became ready is seen.
  bool any_may_be_ready_before(std::size_t i) noexcept {
    for (std::size_t j = 0; j < i; ++j)
      if (cases_[j].lock != nullptr && !cases_[j].it->miss_hint()) return true;
    return false;
  }

  // Of several with the same deadline (as those that are past have) any may be the one, as among other ready cases.
  void find_deadline() noexcept {
    std::uint32_t equal = 0;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (cases_[i].lock != nullptr) continue;
      const std::int64_t at = cases_[i].it->deadline();
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

  // Each once, by address. Sorted from the order of the cases, which is mostly the same at the next call: the branches are
  // then foreseen. The number of cases that have one.
  std::size_t collect_locks() noexcept {
    std::size_t guarded = 0;
    for (const auto& [it, lock] : cases_) {
      if (lock == nullptr) continue;
      ++guarded;
      if (Room == few)
        insert_sorted(lock);
      else
        lock_at(lock_count_++) = lock;
    }
    if (Room != few) {
      std::sort(locks_.at(0), locks_.at(lock_count_), std::less<>{});
      lock_count_ = static_cast<std::size_t>(std::unique(locks_.at(0), locks_.at(lock_count_)) -
                                             locks_.at(0));
    }
    return guarded;
  }

  void insert_sorted(spinlock* lock) noexcept {
    std::size_t i = lock_count_++;
    for (; i > 0 && std::less<>{}(lock, lock_at(i - 1)); --i) lock_at(i) = lock_at(i - 1);
    if (i == 0 || lock_at(i - 1) != lock) {
      lock_at(i) = lock;
      return;
    }
    --lock_count_;  // it was there: what was moved goes back
    for (; i < lock_count_; ++i) lock_at(i) = lock_at(i + 1);
  }

  spinlock*& lock_at(std::size_t i) noexcept { return *locks_.at(i); }

  void unlock_all() noexcept {
    // The run may be gone as soon as the last lock is free: the count is copied.
    const std::size_t n = lock_count_;
    spinlock** lock = locks_.at(0);
    for (std::size_t i = 0; i < n; ++i) lock[i]->unlock();
  }
  static void unlock_run(void* run) { static_cast<select_run*>(run)->unlock_all(); }

  // Which case comes first, second and so on. Drawn where several wait for one channel, as a partner takes the one that
  // entered its queue first; and where some were not looked at before. What else is ready now became so a moment ago, and
  // any order will do.
  void draw_turns(std::size_t guarded) noexcept {
    const bool looked_at_all = otherwise_ == no_case && Room != any_number;
    if (in_order_ || (looked_at_all && lock_count_ == guarded)) return;
    drawn_ = true;
    const auto n = static_cast<std::uint32_t>(cases_.size());
    for (std::uint32_t i = 0; i < n; ++i) *turns_.at(i) = i;
    random_source& random = own_random();  // no suspension until all is unlocked
    for (std::uint32_t left = n; left > 1; --left)
      std::swap(*turns_.at(left - 1), *turns_.at(random.below(left)));
  }
  std::uint32_t at_turn(std::size_t turn) noexcept {
    return drawn_ ? *turns_.at(turn) : static_cast<std::uint32_t>(turn);
  }

  std::size_t look_locked() noexcept {
    for (std::size_t turn = 0; turn < cases_.size(); ++turn)
      if (take_locked(at_turn(turn))) return at_turn(turn);
    return no_case;
  }

  bool take_locked(std::size_t i) noexcept {
    agent* wake = nullptr;
    if (cases_[i].lock == nullptr || !cases_[i].it->try_now(wake)) return false;
    unlock_all();
    if (wake != nullptr) ready(wake);
    return true;
  }

  std::size_t wait(scratch<waiter, Room>& waiters) {
    claim_word claim{unclaimed};
    agent* const self = this_agent();
    for (std::size_t turn = 0; turn < cases_.size(); ++turn) {
      const std::uint32_t i = at_turn(turn);
      if (cases_[i].lock == nullptr) continue;
      cases_[i].it->enqueue(*::new (static_cast<void*>(waiters.at(i)))
                                waiter{.who = self, .claim = &claim, .index = i});
    }
    const bool woken = park_until(wait_reason::select, unlock_run, this, claim, deadline_);
    const std::uint32_t won = claim.load();
    const std::size_t chosen = won == claimed_by_timeout ? deadline_case_ : std::size_t{won} - 1;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      spinlock* const lock = cases_[i].lock;
      if (lock == nullptr) continue;
      if (i == chosen && woken) {
        cases_[i].it->complete(*waiters.at(i));
        continue;
      }
      std::lock_guard guard(*lock);
      cases_[i].it->dequeue(*waiters.at(i));
    }
    if (!woken) throw_deadlock();
    return chosen;
  }

  std::span<const guarded_case> cases_;
  std::size_t otherwise_;  // goes ahead if nothing is ready at one instant; no_case: it blocks
  const bool in_order_;
  scratch<spinlock*, Room> locks_;
  std::size_t lock_count_ = 0;
  scratch<std::uint32_t, Room> turns_;  // if drawn_; else as the cases stand
  bool drawn_ = false;
  std::int64_t deadline_ = never;
  std::size_t deadline_case_ = no_case;
};

// Not a part of select_among(): its frame is a page and more.
template <std::size_t Room>
[[gnu::noinline]] std::size_t select_many(std::span<const guarded_case> cases,
                                          case_set may_be_ready, std::size_t otherwise,
                                          select_order order) {
  return select_run<Room>(cases, otherwise, order).run(may_be_ready);
}

}  // namespace

std::size_t select_among(std::span<const guarded_case> cases, case_set may_be_ready,
                         std::size_t otherwise, select_order order) {
  if (cases.size() <= few) [[likely]]
    return select_run<few>(cases, otherwise, order).run(may_be_ready);
  if (cases.size() <= many) return select_many<many>(cases, may_be_ready, otherwise, order);
  return select_many<any_number>(cases, 0, otherwise, order);
}

std::size_t select_cases(std::span<const guarded_case> cases, std::size_t otherwise,
                         select_order order) {
  check_attention();
  case_set may_be_ready = 0;
  for (std::size_t i = 0; i < cases.size() && i < many; ++i)
    if (cases[i].lock != nullptr && !cases[i].it->miss_hint()) may_be_ready |= case_set{1} << i;
  return select_among(cases, may_be_ready, otherwise, order);
}

std::size_t select_span(std::span<select_case> cases, select_order order) {
  std::vector<guarded_case> all;
  all.reserve(cases.size());
  std::size_t otherwise = no_case;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].is_otherwise()) {
      if (otherwise != no_case) throw std::invalid_argument("select: more than one otherwise");
      otherwise = i;
    }
    all.push_back(cases[i].base());
  }
  const std::size_t chosen = select_cases(all, otherwise, order);
  cases[chosen].run();
  return chosen;
}

}  // namespace runnel::detail
