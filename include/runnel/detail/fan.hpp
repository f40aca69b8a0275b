// Stages with several inputs or several outputs.
#pragma once
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/detail/stage.hpp>

namespace runnel::detail {

/// One goroutine for each input; the output closes when the last has ended.
template <class T>
recv_chan<T> merge_stage(const stage_env& env, std::vector<recv_chan<T>> inputs) {
  auto [to, from] = make_abandonable<T>(0);
  auto out = std::make_shared<const outlet<T>>(std::move(to));
  for (recv_chan<T>& input : inputs) {
    env.start([ctx = env.ctx, out, in = std::move(input)] {
      std::optional<chan_value<T>> value;
      while (receive_for(ctx, *out, in, value) && out->send(ctx, *value)) {
      }
    });
  }
  return std::move(from);
}

/// A channel that has not yet taken the copy that is for it.
template <class T>
struct undelivered {
  chan_state<T>* target;
  T* copy;
};

/// Waits until one of `left`, or the context, is ready. False: the context is. The last two are room.
template <class T>
bool deliver_one(const context& ctx, std::vector<undelivered<T>>& left,
                 std::vector<send_ref_case<T>>& sending, std::vector<guarded_case>& cases) {
  sending.clear();
  sending.reserve(left.size());
  done_case done(context_access::canceler(ctx));
  cases.assign(1, done);
  for (const undelivered<T>& each : left)
    cases.emplace_back(sending.emplace_back(each.target, *each.copy));
  const std::size_t chosen = select_cases(cases, no_case, select_order::in_order);
  if (chosen == 0) return false;
  left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen) - 1);
  return true;
}

/// Sends a copy of `value` to each of `targets`, to each as soon as it can take it; what is closed is passed over.
/// Blocks until all have it. False: the context was done first.
template <class T>
bool send_to_all(const context& ctx, const std::vector<chan_state<T>*>& targets, const T& value) {
  constexpr std::size_t few = 4;
  std::vector<T> copies;
  copies.reserve(targets.size());
  std::vector<undelivered<T>> left;
  left.reserve(targets.size());
  const auto deliver = [](const undelivered<T>& each) {
    return send_until(each.target, *each.copy, 0) != chan_outcome::would_block;
  };
  for (chan_state<T>* target : targets) {
    copies.push_back(value);
    const undelivered<T> one{target, &copies.back()};
    if (!deliver(one)) left.push_back(one);
  }
  std::vector<send_ref_case<T>> sending;
  std::vector<guarded_case> cases;
  while (!left.empty()) {
    if (!deliver_one(ctx, left, sending, cases)) return false;
    // One of many is not waited for alone: where one can take it others are about to, and each select asks all.
    if (left.size() <= few) continue;
    yield();
    std::erase_if(left, deliver);
  }
  return true;
}

/// Waits for a value while somebody reads; lets go of outputs that nobody reads.
template <class T>
bool receive_for_any(std::list<outlet<T>>& outs, const recv_chan<T>& in,
                     std::optional<chan_value<T>>& value) {
  for (;;) {
    outs.remove_if([](const outlet<T>& out) { return out.abandoned(); });
    if (outs.empty()) return false;
    recv_ref_case<chan_value<T>> receiving(in.state(), value);
    std::vector<abandoned_case> gone;
    gone.reserve(outs.size());
    std::vector<guarded_case> cases{receiving};
    for (const outlet<T>& out : outs) cases.emplace_back(gone.emplace_back(out.state()));
    if (select_cases(cases, no_case, select_order::in_order) == 0) {
      return receiving.outcome() == chan_outcome::done;
    }
  }
}

template <class T>
std::vector<recv_chan<T>> tee_stage(const stage_env& env, recv_chan<T> in, std::size_t n) {
  std::vector<recv_chan<T>> readers;
  std::list<outlet<T>> outs;
  readers.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto [to, from] = make_abandonable<T>(0);
    outs.emplace_back(std::move(to));
    readers.push_back(std::move(from));
  }
  if (n == 0) return readers;
  env.start([in = std::move(in), outs = std::move(outs)]() mutable {
    std::optional<chan_value<T>> value;
    while (receive_for_any(outs, in, value)) {
      std::vector<chan_state_of<T>*> targets;
      for (const outlet<T>& out : outs) targets.push_back(out.state());
      send_to_all(context(), targets, *value);
    }
  });
  return readers;
}

}  // namespace runnel::detail
