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

/// Sends a copy of `value` to each of `targets`, to each as soon as it can take it; what is closed is passed over.
/// Blocks until all have it. False: the context was done first.
template <class T>
bool send_to_all(const context& ctx, const std::vector<chan_state<T>*>& targets, const T& value) {
  std::vector<T> copies;
  std::vector<send_ref_case<T>> blocked;
  copies.reserve(targets.size());
  blocked.reserve(targets.size());
  for (chan_state<T>* target : targets) {
    copies.push_back(value);
    if (send_until(target, copies.back(), 0) == chan_outcome::would_block) {
      blocked.emplace_back(target, copies.back());
    }
  }
  done_case done(context_access::canceler(ctx));
  std::vector<guarded_case> cases{done};
  for (auto& sending : blocked) cases.emplace_back(sending);
  while (cases.size() > 1) {
    const std::size_t chosen = select_cases(cases, no_case, select_order::in_order);
    if (chosen == 0) return false;
    cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(chosen));
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
