// Pipelines: a source and what is to be done with its values, put together before anything runs.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/detail/ordered_stage.hpp>
#include <runnel/detail/stages.hpp>

namespace runnel {

namespace detail {

template <class S>
concept pipeline_stage = requires {
  typename std::remove_cvref_t<S>::is_pipeline_stage;
};

template <class F, class T>
concept pipeline_sink = error_function<std::remove_reference_t<F>, T> ||
    (std::is_void_v<T>&& error_function<std::remove_reference_t<F>>);

template <class T>
struct pipeline_source {
  recv_chan<T> in;
  recv_chan<T> operator()(const stage_env&) const { return in; }
};

/// What comes before, and one stage more.
template <class Before, class Stage>
struct pipeline_link {
  Before before;
  Stage stage;
  auto operator()(const stage_env& env)
      const& requires std::copy_constructible<Stage> && std::copy_constructible<Before> {
    return Stage(stage).attach(env, before(env));
  }
  auto operator()(const stage_env& env) && {
    return std::move(stage).attach(env, std::move(before)(env));
  }
};

template <class B>
inline constexpr bool is_source = false;
template <class T>
inline constexpr bool is_source<pipeline_source<T>> = true;

}  // namespace detail

/// A source and the stages behind it, not running yet. May be run several times as long as its functions can be
/// copied; otherwise once, from an rvalue (`std::move(p).to_channel(ctx)`).
template <class Build>
class pipeline {
  using channel = std::invoke_result_t<Build, const detail::stage_env&>;

 public:
  using value_type = typename channel::value_type;

  explicit pipeline(Build build) : build_(std::move(build)) {}

  /// Starts the stages; their output. They end when the source is closed, when `ctx` is done, or when all handles of
  /// the output are dropped. An exception that leaves a stage's function ends the process. Does not block.
  channel to_channel(const context& ctx = {}) const& requires std::copy_constructible<Build> {
    const detail::stage_env env{ctx};
    return finished(env, build_(env));
  }
  channel to_channel(const context& ctx = {}) && {
    const detail::stage_env env{ctx};
    return finished(env, std::move(build_)(env));
  }

  /// Starts the stages and calls `f` with each value that comes out (f() for events), in the caller; blocks until all
  /// goroutines have ended. `f` may return void, error or std::error_code. The first error ends everything and is
  /// returned: what `f` returned or threw, what a stage's function threw, or ctx.err() if `ctx` was done before the
  /// end; none otherwise.
  template <class F>
  requires std::copy_constructible<Build> && detail::pipeline_sink<F, value_type> error
  for_each(const context& ctx, F&& f)
  const& {
    return run(ctx, f, [&](const detail::stage_env& env) { return build_(env); });
  }
  template <class F>
  requires detail::pipeline_sink<F, value_type> error for_each(const context& ctx, F&& f) && {
    return run(ctx, f, [&](const detail::stage_env& env) { return std::move(build_)(env); });
  }

  template <detail::pipeline_stage Stage>
  friend auto operator|(pipeline p, Stage stage) {
    return runnel::pipeline(
        detail::pipeline_link<Build, Stage>{std::move(p.build_), std::move(stage)});
  }

 private:
  static channel finished(const detail::stage_env& env, channel out) {
    if constexpr (detail::is_source<Build>) {
      return detail::forward_stage(env, std::move(out));
    } else {
      return out;
    }
  }

  template <class F, class Value>
  static error consume(F& f, Value&& value) {
    if constexpr (std::is_void_v<value_type>) {
      return detail::call_to_error(f);
    } else {
      return detail::call_to_error(f, std::forward<Value>(value));
    }
  }

  template <class F, class Start>
  static error run(const context& parent, F& f, Start start) {
    const auto [ctx, cancel] = with_cancel(parent);
    group stages(ctx);
    error failed;
    {
      const detail::stage_env env{stages.ctx(), &stages};
      const channel out = start(env);
      std::optional<detail::chan_value<value_type>> value;
      while (!failed &&
             detail::recv_in(env.ctx, out.state(), value) == detail::chan_outcome::done) {
        failed = consume(f, *std::move(value));
      }
      if (failed) cancel(failed);
    }
    const error of_stage = stages.wait();
    if (failed) return failed;
    return of_stage ? of_stage : parent.err();
  }

  Build build_;
};

namespace detail {

template <class F>
struct transformed_stage {
  using is_pipeline_stage = void;
  std::size_t workers;
  F f;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) && {
    return transform_stage(env, std::move(in), workers, std::move(f));
  }
};

template <class F>
struct ordered_transformed_stage {
  using is_pipeline_stage = void;
  std::size_t workers;
  F f;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) && {
    return ordered_stage(env, std::move(in), workers, std::move(f));
  }
};

template <class F>
struct filtered_stage {
  using is_pipeline_stage = void;
  F pred;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) && {
    return filter_stage(env, std::move(in), std::move(pred));
  }
};

struct batched_stage {
  using is_pipeline_stage = void;
  std::size_t max;
  std::int64_t max_wait;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) const {
    return batch_stage(env, std::move(in), max, max_wait);
  }
};

struct taken_stage {
  using is_pipeline_stage = void;
  std::size_t n;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) const {
    return take_stage(env, std::move(in), n);
  }
};

struct debounced_stage {
  using is_pipeline_stage = void;
  std::int64_t quiet;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) const {
    return debounce_stage(env, std::move(in), quiet);
  }
};

struct throttled_stage {
  using is_pipeline_stage = void;
  std::shared_ptr<rate_limiter> limit;
  template <class T>
  auto attach(const stage_env& env, recv_chan<T> in) const {
    return throttle_stage(env, std::move(in), limit);
  }
};

}  // namespace detail
}  // namespace runnel
