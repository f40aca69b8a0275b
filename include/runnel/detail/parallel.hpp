// The typed half of the parallel loops: how elements are reached and results kept.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/detail/parallel_feed.hpp>
#include <runnel/detail/parallel_job.hpp>
#include <runnel/go.hpp>
#include <runnel/mutex.hpp>

namespace runnel::detail {

/// What a loop's function is called with: the elements, or the values taken from a range that can be walked through
/// only once.
template <class Range>
using element_argument =
    std::conditional_t<std::ranges::forward_range<Range>, std::ranges::range_reference_t<Range>,
                       std::ranges::range_value_t<Range>>;

// Elements: each(part, g) calls g(number, element) for the numbers of the part, until one says false or the loop has
// failed; true: for all of them.

template <class It>
class direct_elements {
 public:
  direct_elements(It begin, std::size_t n) : begin_(std::move(begin)), size_(n) {}
  std::size_t size() const noexcept { return size_; }

  template <class G>
  bool each(const loop_part& part, G g) const {
    return part.walk([&](std::size_t i, std::size_t last) {
      for (It it = at(i); i != last; ++i, ++it) {
        if (!g(i, *it)) return false;
      }
      return true;
    });
  }

 private:
  It at(std::size_t i) const { return begin_ + static_cast<std::iter_difference_t<It>>(i); }

  It begin_;
  std::size_t size_;
};

/// For ranges that can only be walked through: their iterators, collected once.
template <class It>
class indirect_elements {
 public:
  template <class Range>
  explicit indirect_elements(Range& range) {
    for (auto it = std::ranges::begin(range); it != std::ranges::end(range); ++it) {
      iterators_.push_back(it);
    }
  }
  std::size_t size() const noexcept { return iterators_.size(); }

  template <class G>
  bool each(const loop_part& part, G g) const {
    const direct_elements all(iterators_.begin(), size());
    return all.each(part, [&](std::size_t i, const It& it) { return g(i, *it); });
  }

 private:
  std::vector<It> iterators_;
};

/// For ranges that can be walked through once: their values, collected first.
template <class T>
class owned_elements {
 public:
  template <class Range>
  explicit owned_elements(Range& range) {
    auto it = std::ranges::begin(range);
    for (; it != std::ranges::end(range); ++it) values_.push_back(std::ranges::iter_move(it));
  }
  std::size_t size() const noexcept { return values_.size(); }

  template <class G>
  bool each(const loop_part& part, G g) {
    const direct_elements all(values_.begin(), size());
    return all.each(part, [&](std::size_t i, T& value) { return g(i, std::move(value)); });
  }

 private:
  std::vector<T> values_;
};

template <class Range>
auto elements_of(Range& range) {
  using It = std::ranges::iterator_t<Range>;
  if constexpr (std::ranges::random_access_range<Range>) {
    const auto n = std::ranges::distance(range);
    return direct_elements<It>(std::ranges::begin(range), static_cast<std::size_t>(n));
  } else if constexpr (std::ranges::forward_range<Range>) {
    return indirect_elements<It>(range);
  } else {
    return owned_elements<std::ranges::range_value_t<Range>>(range);
  }
}

// -- the loops --------------------------------------------------------------------------------------------------------

/// Runs `part(loop_part)`, which returns an error or nothing, over [0, n).
template <class Part>
parallel_failure run_parts(std::size_t n, std::size_t parties, Part part,
                           const cancel_function* cancel = nullptr) {
  const auto run = [](void* self, const loop_part& claimed) -> error {
    Part& p = *static_cast<Part*>(self);
    if constexpr (std::is_void_v<decltype(p(claimed))>) {
      p(claimed);
      return {};
    } else {
      return p(claimed);
    }
  };
  return run_parallel(n, parties, parallel_body{run, std::addressof(part)}, cancel);
}

inline std::size_t all_processors() { return static_cast<std::size_t>(max_procs()); }

template <class R>
inline constexpr bool is_error_result = std::same_as<std::remove_cvref_t<R>, error> ||
                                        std::same_as<std::remove_cvref_t<R>, std::error_code>;

template <class Range, class F>
void parallel_for_each(Range& range, F& f) {
  auto elements = elements_of(range);
  const auto part = [&](const loop_part& claimed) {
    if constexpr (is_error_result<std::invoke_result_t<F&, element_argument<Range>>>) {
      error failed;
      elements.each(claimed, [&](std::size_t, auto&& element) {
        failed = error(std::invoke(f, std::forward<decltype(element)>(element)));
        return !failed;
      });
      return failed;
    } else {
      elements.each(claimed, [&](std::size_t, auto&& element) {
        (void)std::invoke(f, std::forward<decltype(element)>(element));
        return true;
      });
    }
  };
  run_parts(elements.size(), all_processors(), part).rethrow();
}

template <class Range, class F>
error for_each_numbered(const context& parent, Range& range, std::size_t limit, F& f) {
  const auto [ctx, cancel] = with_cancel(parent);
  auto elements = elements_of(range);
  std::atomic<bool> cut_short{false};
  const auto part = [&, &ctx = ctx](const loop_part& claimed) -> error {
    error failed;
    elements.each(claimed, [&](std::size_t, auto&& element) {
      if (context_access::done(ctx)) {
        cut_short = true;
        return false;
      }
      failed = call_on(f, ctx, std::forward<decltype(element)>(element));
      return !failed;
    });
    return failed;
  };
  const error failed = run_parts(elements.size(), limit, part, &cancel).as_error();
  return !failed && cut_short ? parent.err() : failed;
}

template <class Range, class F>
error parallel_for_each_in(const context& parent, Range& range, std::size_t limit, F& f) {
  if (limit == 0) limit = all_processors();
  if constexpr (std::ranges::forward_range<Range>) {
    return for_each_numbered(parent, range, limit, f);
  } else if constexpr (can_receive<Range>) {
    return for_each_fed(parent, chan_feed(source_of(range)), limit, f);
  } else {
    return for_each_fed(parent, value_feed<Range>(range), limit, f);
  }
}

template <class Range, class F>
auto parallel_map_each(Range& range, F& f) {
  auto elements = elements_of(range);
  using R = std::remove_cvref_t<std::invoke_result_t<F&, element_argument<Range>>>;
  // Not vector<bool>, whose elements share bytes.
  using kept = std::conditional_t<
      std::is_same_v<R, bool>, char,
      std::conditional_t<std::default_initializable<R> && std::movable<R>, R, std::optional<R>>>;
  std::vector<kept> results(elements.size());
  const auto part = [&](const loop_part& claimed) {
    elements.each(claimed, [&](std::size_t i, auto&& element) {
      if constexpr (std::is_same_v<kept, std::optional<R>>) {
        results[i].emplace(std::invoke(f, std::forward<decltype(element)>(element)));
      } else {
        results[i] = std::invoke(f, std::forward<decltype(element)>(element));
      }
      return true;
    });
  };
  run_parts(elements.size(), all_processors(), part).rethrow();
  if constexpr (std::is_same_v<kept, R>) {
    return results;
  } else if constexpr (std::is_same_v<R, bool>) {
    return std::vector<bool>(results.begin(), results.end());
  } else {
    std::vector<R> out;
    out.reserve(results.size());
    for (auto& result : results) out.push_back(*std::move(result));
    return out;
  }
}

/// The combined values of some parts of a range. Neighbours are combined when they meet, left before right.
template <class T, class Combine>
class partial_results {
 public:
  explicit partial_results(Combine& combine) : combine_(combine) {}

  void add(const loop_part& part, T value) {
    partial mine{part.first, part.last, std::move(value)};
    while (part.goes_on()) {
      std::optional<partial> other = take_neighbour(mine);
      if (!other) return;
      if (other->first > mine.first) std::swap(*other, mine);
      mine = partial{other->first, mine.last, join(std::move(other->value), std::move(mine.value))};
    }
  }

  /// All of them after `init`.
  T finish(T init) {
    std::sort(parts_.begin(), parts_.end(),
              [](const partial& a, const partial& b) { return a.first < b.first; });
    for (partial& part : parts_) init = join(std::move(init), std::move(part.value));
    return init;
  }

 private:
  struct partial {
    std::size_t first;
    std::size_t last;
    T value;
  };

  T join(T a, T b) { return std::invoke(combine_, std::move(a), std::move(b)); }

  // The newest that lies beside `mine`; without one, `mine` is put in.
  std::optional<partial> take_neighbour(partial& mine) {
    const std::lock_guard lock(mu_);
    for (std::size_t back = std::min<std::size_t>(parts_.size(), 4); back > 0; --back) {
      auto at = parts_.end() - static_cast<std::ptrdiff_t>(back);
      if (at->last != mine.first && at->first != mine.last) continue;
      std::optional<partial> found(std::move(*at));
      if (at != parts_.end() - 1) *at = std::move(parts_.back());
      parts_.pop_back();
      return found;
    }
    parts_.push_back(std::move(mine));
    return std::nullopt;
  }

  Combine& combine_;
  mutex mu_;
  std::vector<partial> parts_;  // guarded by mu_
};

template <class Range, class T, class Combine, class F>
T parallel_reduce_each(Range& range, T init, Combine& combine, F& f) {
  auto elements = elements_of(range);
  partial_results<T, Combine> results(combine);
  const auto part = [&](const loop_part& claimed) {
    std::optional<T> head;
    const std::size_t second = claimed.first + 1;
    elements.each(claimed.between(claimed.first, second), [&](std::size_t, auto&& element) {
      head.emplace(std::invoke(f, std::forward<decltype(element)>(element)));
      return true;
    });
    if (!head) return;
    T total(*std::move(head));
    const auto rest = claimed.between(second, claimed.last);
    const bool whole = elements.each(rest, [&](std::size_t, auto&& element) {
      total = std::invoke(combine, std::move(total),
                          T(std::invoke(f, std::forward<decltype(element)>(element))));
      return true;
    });
    if (whole) results.add(claimed, std::move(total));
  };
  run_parts(elements.size(), all_processors(), part).rethrow();
  return results.finish(std::move(init));
}

}  // namespace runnel::detail
