// The stages with one input and one output. A function that throws ends the process where the stage runs on its own
// (an exception leaves a goroutine) and becomes the error of the group where it runs in one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/detail/stage.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/rate_limiter.hpp>

namespace runnel::detail {

template <class T>
recv_chan<T> forward_stage(const stage_env& env, recv_chan<T> in) {
  return start_stage<T>(env, [ctx = env.ctx, in = std::move(in)](const outlet<T>& out) {
    std::optional<chan_value<T>> value;
    while (receive_for(ctx, out, in, value) && out.send(ctx, *value)) {
    }
  });
}

template <class T>
recv_chan<T> take_stage(const stage_env& env, recv_chan<T> in, std::size_t n) {
  if (n == 0) return closed_chan<T>();
  return start_stage<T>(env, [ctx = env.ctx, in = std::move(in), n](const outlet<T>& out) {
    std::optional<chan_value<T>> value;
    for (std::size_t taken = 0; taken < n && receive_for(ctx, out, in, value); ++taken) {
      if (!out.send(ctx, *value)) break;
    }
  });
}

template <class T, class F>
recv_chan<T> filter_stage(const stage_env& env, recv_chan<T> in, F pred) {
  return start_stage<T>(env, [ctx = env.ctx, in = std::move(in),
                              pred = std::move(pred)](const outlet<T>& out) mutable {
    std::optional<chan_value<T>> value;
    while (receive_for(ctx, out, in, value)) {
      if (invoke_for<T>(pred, std::as_const(*value)) && !out.send(ctx, *value)) break;
      value.reset();
    }
  });
}

template <class T, class F>
recv_chan<T> generate_stage(const stage_env& env, F f) {
  return start_stage<T>(env, [ctx = env.ctx, f = std::move(f)](const outlet<T>& out) mutable {
    while (!context_access::done(ctx) && !out.abandoned()) {
      std::optional<T> value = std::invoke(f);
      if (!value || !out.send(ctx, *value)) break;
    }
  });
}

template <class T>
struct batch_of {
  static_assert(!std::is_void_v<T>,
                "a batch consists of values, which the events of a chan<void> are not");
  using type = std::vector<T>;
};

template <class T>
recv_chan<typename batch_of<T>::type> batch_stage(const stage_env& env, recv_chan<T> in,
                                                  std::size_t max, std::int64_t max_wait) {
  if (max == 0) throw std::invalid_argument("batch: max is 0");
  return start_stage<std::vector<T>>(
      env, [ctx = env.ctx, in = std::move(in), max, max_wait](const outlet<std::vector<T>>& out) {
        std::optional<T> value;
        intake last = intake::value;
        std::size_t usual = 0;  // elements: what the batch before had
        while (last == intake::value && receive_for(ctx, out, in, value)) {
          std::vector<T> batch;
          batch.reserve(usual);
          const std::int64_t deadline = max_wait <= 0 ? 0 : add_ns(rough_now_ns(), max_wait);
          do {
            batch.push_back(*std::move(value));
            if (batch.size() == max) break;
            if (deadline != 0 && deadline != never && now_ns() > deadline) break;
            last = take_in(ctx, out, in, value, deadline);
          } while (last == intake::value);
          usual = batch.size();
          if (last == intake::ended || !out.send(ctx, batch)) return;
          if (last == intake::expired) last = intake::value;
        }
      });
}

template <class T>
recv_chan<T> debounce_stage(const stage_env& env, recv_chan<T> in, std::int64_t quiet) {
  return start_stage<T>(env, [ctx = env.ctx, in = std::move(in), quiet](const outlet<T>& out) {
    std::optional<chan_value<T>> newest;
    intake last = intake::value;
    while (last != intake::closed && receive_for(ctx, out, in, newest)) {
      do {
        std::optional<chan_value<T>> newer;
        last = take_in(ctx, out, in, newer, add_ns(rough_now_ns(), quiet));
        if (last == intake::value) newest.emplace(*std::move(newer));
      } while (last == intake::value);
      if (last == intake::ended || !out.send(ctx, *newest)) return;
    }
  });
}

/// Waits until a reservation may be used. False: the stage is to end.
template <class T>
bool wait_until_due(const context& ctx, const outlet<T>& out, std::int64_t due) {
  if (has_come(due)) return true;
  done_case done(context_access::canceler(ctx));
  abandoned_case gone(out.state());
  deadline_case expiry(due);
  const guarded_case cases[] = {done, gone, expiry};
  return select_cases(cases, no_case, select_order::in_order) == 2;
}

template <class T>
recv_chan<T> throttle_stage(const stage_env& env, recv_chan<T> in,
                            std::shared_ptr<rate_limiter> limit) {
  if (limit == nullptr) throw std::invalid_argument("throttle: no rate_limiter");
  return start_stage<T>(
      env, [ctx = env.ctx, in = std::move(in), limit = std::move(limit)](const outlet<T>& out) {
        std::optional<chan_value<T>> value;
        while (receive_for(ctx, out, in, value)) {
          rate_limiter::reservation pass = limit->reserve();
          if (!wait_until_due(ctx, out, pass.time().time_since_epoch().count())) {
            pass.cancel();
            return;
          }
          if (!out.send(ctx, *value)) return;
        }
      });
}

/// What the workers of a transform share; the output closes when the last of them has ended.
template <class R, class F>
struct shared_work {
  outlet<R> out;
  F f;  // called from all of them at once
};

template <class T, class F>
using result_of =
    std::remove_cvref_t<decltype(invoke_for<T>(std::declval<F&>(), std::declval<chan_value<T>>()))>;

/// What a transform sends for a value: the function's result, or an event where that is void.
template <class T, class F>
chan_value<result_of<T, F>> transformed_value(F& f, chan_value<T>&& value) {
  if constexpr (std::is_void_v<result_of<T, F>>) {
    invoke_for<T>(f, std::move(value));
    return {};
  } else {
    return invoke_for<T>(f, std::move(value));
  }
}

inline std::size_t worker_count(std::size_t asked) {
  return asked != 0 ? asked : static_cast<std::size_t>(max_procs());
}

template <class T, class F>
auto transform_stage(const stage_env& env, recv_chan<T> in, std::size_t workers, F f) {
  using R = result_of<T, F>;
  auto [to, from] = make_abandonable<R>(0);
  auto work = std::make_shared<shared_work<R, F>>(outlet<R>(std::move(to)), std::move(f));
  for (std::size_t i = worker_count(workers); i > 0; --i) {
    env.start([ctx = env.ctx, work, in] {
      std::optional<chan_value<T>> value;
      while (receive_for(ctx, work->out, in, value)) {
        chan_value<R> result = transformed_value<T>(work->f, *std::move(value));
        if (!work->out.send(ctx, result)) break;
      }
    });
  }
  return std::move(from);
}

}  // namespace runnel::detail
