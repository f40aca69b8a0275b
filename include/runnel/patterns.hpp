/// Patterns over channels, and parallel loops.
///
/// A pattern that gives a channel runs in goroutines of its own. It ends, and closes its output, when its inputs are
/// closed and drained, when its context is done (what is under way is dropped then), or when nobody is left who could
/// receive what it produces: when all handles of its output have gone. It lets go of its inputs when it ends, so a
/// chain of patterns ends from either side. Outputs are unbuffered: a pattern takes no more from its input than one
/// value beyond what its consumers have received, except where it says so. A nil input never gives a value and never
/// closes.
///
/// Functions handed to the patterns run in those goroutines. An exception that leaves one ends the process, as one that
/// leaves any goroutine (pipeline::for_each returns it instead). Where several workers call a function, they call the
/// same object at once. For the events of a chan<void> they are called without a value, as f(); one that returns void
/// makes its transform give events.
///
/// All of them are function objects, so that argument-dependent look-up never finds another function of the name.
#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/broadcast.hpp>
#include <runnel/detail/fan.hpp>
#include <runnel/detail/ordered_stage.hpp>
#include <runnel/detail/parallel.hpp>
#include <runnel/detail/pipeline.hpp>
#include <runnel/detail/stages.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>
#include <runnel/rate_limiter.hpp>

namespace runnel {

namespace detail {

template <class First, class... Rest>
concept same_elements = (std::same_as<element_of<First>, element_of<Rest>> && ...);

template <class Range>
concept source_range = !can_receive<Range> && can_receive<std::ranges::range_value_t<Range>>;

template <class F>
using generated = typename std::remove_cvref_t<std::invoke_result_t<F&>>::value_type;

struct merge_fn {
  template <can_receive First, can_receive... Rest>
  requires same_elements<First, Rest...>
  auto operator()(const First& first, const Rest&... rest) const {
    return merge_stage<element_of<First>>({}, {source_of(first), source_of(rest)...});
  }
  template <std::ranges::input_range Inputs>
  requires source_range<Inputs>
  auto operator()(Inputs&& inputs) const {
    using T = element_of<std::ranges::range_value_t<Inputs>>;
    std::vector<recv_chan<T>> all;
    for (auto&& input : inputs) all.push_back(source_of(input));
    return merge_stage<T>({}, std::move(all));
  }
};

struct fan_out_fn {
  template <can_receive C>
  auto operator()(const C& in, std::size_t n) const {
    return std::vector<recv_chan<element_of<C>>>(n, source_of(in));
  }
};

struct tee_fn {
  template <can_receive C>
  requires std::copy_constructible<chan_value<element_of<C>>>
  auto operator()(const C& in, std::size_t n) const {
    return tee_stage<element_of<C>>({}, source_of(in), n);
  }
};

struct generate_fn {
  template <class F>
  requires std::invocable<kept_function<F>>
  auto operator()(const context& ctx, F&& f) const {
    return generate_stage<generated<std::decay_t<F>>>({ctx}, std::decay_t<F>(std::forward<F>(f)));
  }
};

struct transform_fn {
  template <can_receive C, class F>
  requires value_function<kept_function<F>, element_of<C>>
  auto operator()(const context& ctx, const C& in, std::size_t workers, F&& f) const {
    return transform_stage({ctx}, source_of(in), workers, std::decay_t<F>(std::forward<F>(f)));
  }
};

struct transform_ordered_fn {
  template <can_receive C, class F>
  requires value_function<kept_function<F>, element_of<C>>
  auto operator()(const context& ctx, const C& in, std::size_t workers, F&& f) const {
    return ordered_stage({ctx}, source_of(in), workers, std::decay_t<F>(std::forward<F>(f)));
  }
};

struct filter_fn {
  template <can_receive C, class F>
  requires value_predicate<kept_function<F>, element_of<C>>
  auto operator()(const context& ctx, const C& in, F&& pred) const {
    return filter_stage({ctx}, source_of(in), std::decay_t<F>(std::forward<F>(pred)));
  }
};

struct or_done_fn {
  template <can_receive C>
  auto operator()(const context& ctx, const C& in) const {
    return forward_stage({ctx}, source_of(in));
  }
};

struct take_fn {
  template <can_receive C>
  auto operator()(const C& in, std::size_t n) const {
    return take_stage({}, source_of(in), n);
  }
};

struct batch_fn {
  template <can_receive C, any_duration D>
  auto operator()(const C& in, std::size_t max, D max_wait) const {
    return batch_stage({}, source_of(in), max, to_ns(max_wait));
  }
};

struct debounce_fn {
  template <can_receive C, any_duration D>
  auto operator()(const C& in, D quiet) const {
    return debounce_stage({}, source_of(in), to_ns(quiet));
  }
};

struct throttle_fn {
  template <can_receive C>
  auto operator()(const C& in, std::shared_ptr<rate_limiter> limit) const {
    return throttle_stage({}, source_of(in), std::move(limit));
  }
};

}  // namespace detail

/// merge(inputs...) or merge(range of channels) -> recv_chan<T>: all values of all inputs, those of one input in its
/// order. Closed when all inputs are; at once if there are none. Takes up to one value of each input ahead.
inline constexpr detail::merge_fn merge{};

/// fan_out(in, n) -> std::vector<recv_chan<T>>: each value goes to exactly one of the n, to one that is being received
/// from. They are handles of `in` itself, so none has a value before it is asked for one, and none is lost when a
/// consumer stops.
inline constexpr detail::fan_out_fn fan_out{};

/// tee(in, n) -> std::vector<recv_chan<T>>: each value goes to all n, in the same order. The slowest sets the pace; an
/// output whose handles are all dropped no longer counts. T has to be copyable.
inline constexpr detail::tee_fn tee{};

/// generate(ctx, f) -> recv_chan<T>: the values of f() -> std::optional<T>, until nullopt.
inline constexpr detail::generate_fn generate{};

/// transform(ctx, in, workers, f) -> recv_chan<R>: f(value) for each value, from `workers` goroutines (0: max_procs()),
/// in the order they get ready. Each worker has up to one value under way.
inline constexpr detail::transform_fn transform{};

/// transform_ordered(ctx, in, workers, f) -> recv_chan<R>: the same, in the order of the input. At most 2 * `workers`
/// values are under way.
inline constexpr detail::transform_ordered_fn transform_ordered{};

/// filter(ctx, in, pred) -> recv_chan<T>: the values for which pred(const T&) is true.
inline constexpr detail::filter_fn filter{};

/// or_done(ctx, in) -> recv_chan<T>: the values of `in`, closed also when `ctx` is done.
inline constexpr detail::or_done_fn or_done{};

/// take(in, n) -> recv_chan<T>: the first n values; no more are received from `in`.
inline constexpr detail::take_fn take{};

/// batch(in, max, max_wait) -> recv_chan<std::vector<T>>: values in groups of up to `max`; a group leaves when it is
/// full, `max_wait` after its first value (zero or less: as soon as no more is there at once), or when `in` is closed.
/// While a group waits for a consumer no more is taken. None is empty. Throws std::invalid_argument if `max` is 0.
inline constexpr detail::batch_fn batch{};

/// debounce(in, quiet) -> recv_chan<T>: of values that follow each other within `quiet`, the last, once `quiet` has
/// passed without another or `in` is closed.
inline constexpr detail::debounce_fn debounce{};

/// throttle(in, limiter) -> recv_chan<T>: the values of `in`, as fast as the limiter lets them pass. Throws
/// std::invalid_argument if `limiter` is null.
inline constexpr detail::throttle_fn throttle{};

/// A receiver of a broadcaster's values: a receiving channel handle that also says how its subscriber fared. Dropping
/// all handles to it (copies, and what chan() gave) ends the subscription.
template <class T>
class subscription : public recv_chan<T> {
 public:
  /// Nil; never gets a value.
  subscription() = default;

  /// The channel: closed after close(), unsubscribe() or slow::disconnect.
  recv_chan<T> chan() const { return *this; }
  /// Ends the subscription: the channel is closed, what it has buffered stays receivable.
  void unsubscribe() const noexcept {
    if (this->state() != nullptr) this->state()->close();
  }
  /// How many values slow::drop_oldest has dropped.
  std::size_t dropped() const noexcept { return news_ ? news_->dropped.load() : 0; }
  /// Whether slow::disconnect has closed it.
  bool disconnected() const noexcept { return news_ && news_->disconnected.load(); }

 private:
  template <class U>
  friend class broadcaster;
  subscription(recv_chan<T> from, std::shared_ptr<detail::subscriber_news> news)
      : recv_chan<T>(std::move(from)), news_(std::move(news)) {}

  std::shared_ptr<detail::subscriber_news> news_;
};

/// Sends each value to all who are subscribed at the time, in one order for all. A handle: copies name the same
/// broadcaster, and the last one closes it. All members may be called from many goroutines and threads at once.
template <class T>
class broadcaster {
  using sent = detail::chan_value<T>;  // T, but for events
  static_assert(std::copy_constructible<sent>, "each subscriber of a broadcaster gets a copy");

 public:
  using value_type = T;
  using subscription = runnel::subscription<T>;

  broadcaster() : shared_(std::make_shared<detail::broadcast_owner<T>>()) {}

  /// A subscription to what is sent from now on, with a buffer for `capacity` values; `policy` says what happens when
  /// that is full. After close(): one whose channel is closed. Does not block.
  subscription subscribe(std::size_t capacity = 0, slow policy = slow::block) const {
    auto news = std::make_shared<detail::subscriber_news>();
    recv_chan<T> from = shared_->state.add(capacity, policy, news);
    return subscription(std::move(from), std::move(news));
  }

  /// Sends a copy of `value` to every subscriber; blocks while one with slow::block has no room, and while another send
  /// is under way. Throws closed_channel ("send on closed channel") if the broadcaster is closed before or meanwhile.
  void send(const sent& value) const requires(!std::is_void_v<T>) {
    (void)shared_->state.send(context(), value);
  }
  /// The same unless `ctx` is done first: false, and some subscribers may have the value.
  bool send(const context& ctx, const sent& value) const requires(!std::is_void_v<T>) {
    return shared_->state.send(ctx, value);
  }
  /// The same for a broadcaster<void>, whose subscribers get events.
  void send() const requires std::is_void_v<T> { (void)shared_->state.send(context(), {}); }
  bool send(const context& ctx) const requires std::is_void_v<T> {
    return shared_->state.send(ctx, {});
  }

  /// Closes all subscriptions' channels; what they have buffered stays receivable. A second call does nothing.
  void close() const { shared_->state.close(); }
  /// How many subscriptions there are.
  std::size_t subscribers() const { return shared_->state.count(); }

 private:
  std::shared_ptr<detail::broadcast_owner<T>> shared_;
};

namespace detail {

struct from_fn {
  template <can_receive C>
  auto operator()(const C& in) const {
    return pipeline(pipeline_source<element_of<C>>{source_of(in)});
  }
};
struct transformed_fn {
  template <class F>
  auto operator()(std::size_t workers, F&& f) const {
    return transformed_stage<std::decay_t<F>>{workers, std::forward<F>(f)};
  }
};
struct transformed_ordered_fn {
  template <class F>
  auto operator()(std::size_t workers, F&& f) const {
    return ordered_transformed_stage<std::decay_t<F>>{workers, std::forward<F>(f)};
  }
};
struct filtered_fn {
  template <class F>
  auto operator()(F&& pred) const {
    return filtered_stage<std::decay_t<F>>{std::forward<F>(pred)};
  }
};
struct batched_fn {
  template <any_duration D>
  auto operator()(std::size_t max, D max_wait) const {
    if (max == 0) throw std::invalid_argument("batched: max is 0");
    return batched_stage{max, to_ns(max_wait)};
  }
};
struct taken_fn {
  auto operator()(std::size_t n) const { return taken_stage{n}; }
};
struct debounced_fn {
  template <any_duration D>
  auto operator()(D quiet) const {
    return debounced_stage{to_ns(quiet)};
  }
};
struct throttled_fn {
  auto operator()(std::shared_ptr<rate_limiter> limit) const {
    if (limit == nullptr) throw std::invalid_argument("throttled: no rate_limiter");
    return throttled_stage{std::move(limit)};
  }
};

}  // namespace detail

/// The start of a pipeline: `from(ch) | transformed(4, f) | filtered(g) | batched(100, 10ms)`; see class pipeline.
inline constexpr detail::from_fn from{};
/// Stages of a pipeline, each as the pattern it is named after.
inline constexpr detail::transformed_fn transformed{};
inline constexpr detail::transformed_ordered_fn transformed_ordered{};
inline constexpr detail::filtered_fn filtered{};
inline constexpr detail::batched_fn batched{};
inline constexpr detail::taken_fn taken{};
inline constexpr detail::debounced_fn debounced{};
inline constexpr detail::throttled_fn throttled{};

namespace detail {

template <class F, class Range>
concept element_function = std::ranges::input_range<Range> &&
    std::invocable<std::add_lvalue_reference_t<F>, element_argument<Range>>;

template <class F, class Range>
concept element_task = std::ranges::input_range<Range> &&
    (error_function<std::remove_reference_t<F>, const context&, element_argument<Range>> ||
     error_function<std::remove_reference_t<F>, element_argument<Range>>);

struct parallel_for_fn {
  template <class Range, class F>
  requires element_function<F, Range>
  void operator()(Range&& range, F&& f) const { parallel_for_each(range, f); }
  template <class Range, class F>
  requires element_task<F, Range> error operator()(const context& ctx, Range&& range,
                                                   std::size_t limit, F&& f) const {
    return parallel_for_each_in(ctx, range, limit, f);
  }
};

struct parallel_map_fn {
  template <class Range, class F>
  requires element_function<F, Range>
  auto operator()(Range&& range, F&& f) const { return parallel_map_each(range, f); }
};

struct parallel_reduce_fn {
  template <class Range, class T, class Combine, class F = std::identity>
  requires element_function<F, Range> && std::invocable<std::add_lvalue_reference_t<Combine>, T, T>
      T operator()(Range&& range, T init, Combine&& combine, F&& f = {}) const {
    return parallel_reduce_each(range, std::move(init), combine, f);
  }
};

}  // namespace detail

/// parallel_for(range, f): calls f(element) for each element, on all processors; blocks until all calls have ended. The
/// caller takes part. Meant for elements that compute; use the other form for those that block. The first failure (an
/// exception, or an error that `f` returned) is rethrown after all running calls have ended, and no further ones are
/// started (calls of a few nanoseconds are started by 32, as one). A range that can be walked through only once is read
/// first, and its values are moved into the calls.
///
/// parallel_for(ctx, range, limit, f) -> error: at most `limit` calls at once (0: max_procs()) of f(element) or
/// f(context, element), which may return void, error or std::error_code. Blocks until all running calls have ended. The
/// first error is returned, and cancels the context the calls are given; ctx.err() if `ctx` was done before all elements
/// were begun. A range that can be walked through only once is read as calls become free. If that is a channel, waiting
/// for its next value ends with the context; any other is waited for until it gives one or ends.
inline constexpr detail::parallel_for_fn parallel_for{};

/// parallel_map(range, f) -> std::vector<R>: f(element) for each element, in the order of the range. Otherwise as
/// parallel_for(range, f).
inline constexpr detail::parallel_map_fn parallel_map{};

/// parallel_reduce(range, init, combine, f) -> T: `init` and f(element) for all elements, combined by combine(T, T) in
/// the order of the range; `combine` has to be associative (how floating-point sums are rounded differs from run to
/// run). Without `f`: the elements themselves. Otherwise as parallel_for(range, f).
inline constexpr detail::parallel_reduce_fn parallel_reduce{};

}  // namespace runnel
