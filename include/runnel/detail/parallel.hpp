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

// Elements: each(first, last, g) calls g(element) for the numbers in [first, last), until one says false;
// each_numbered() calls g(number, element) for all of them.

template <class It>
class direct_elements {
 public:
  direct_elements(It begin, std::size_t n) : begin_(std::move(begin)), size_(n) {}
  std::size_t size() const noexcept { return size_; }

  template <class G>
  void each(std::size_t first, std::size_t last, G g) const {
    const It end = at(last);
    for (It it = at(first); it != end; ++it) {
      if (!g(*it)) break;
    }
  }
  template <class G>
  void each_numbered(std::size_t first, std::size_t last, G g) const {
    for (It it = at(first); first != last; ++first, ++it) g(first, *it);
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
  void each(std::size_t first, std::size_t last, G g) const {
    for (; first != last; ++first) {
      if (!g(*iterators_[first])) break;
    }
  }
  template <class G>
  void each_numbered(std::size_t first, std::size_t last, G g) const {
    for (; first != last; ++first) g(first, *iterators_[first]);
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
  void each(std::size_t first, std::size_t last, G g) {
    for (; first != last; ++first) {
      if (!g(std::move(values_[first]))) break;
    }
  }
  template <class G>
  void each_numbered(std::size_t first, std::size_t last, G g) {
    for (; first != last; ++first) g(first, std::move(values_[first]));
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

/// Hands out the values of a range that can be walked through once, such as a channel, one at a time.
template <class Range>
class value_feed {
 public:
  using value_type = std::ranges::range_value_t<Range>;

  explicit value_feed(Range& range) : range_(range) {}

  std::optional<value_type> next() {
    const std::lock_guard lock(mu_);
    if (ended_) return std::nullopt;
    if (!it_) {
      it_.emplace(std::ranges::begin(range_));
    } else {
      ++*it_;
    }
    if (*it_ == std::ranges::end(range_)) {
      ended_ = true;
      return std::nullopt;
    }
    return std::ranges::iter_move(*it_);
  }

  void end() {
    const std::lock_guard lock(mu_);
    ended_ = true;
  }

 private:
  Range& range_;
  mutex mu_;  // held while the range waits for its next value
  std::optional<std::ranges::iterator_t<Range>> it_;  // guarded by mu_
  bool ended_ = false;                                // guarded by mu_
};

// -- the loops --------------------------------------------------------------------------------------------------------

/// Runs `part(first, last)`, which returns an error or nothing, over [0, n).
template <class Part>
parallel_failure run_parts(std::size_t n, std::size_t parties, Part part,
                           const cancel_function* cancel = nullptr) {
  const auto run = [](void* self, std::size_t first, std::size_t last) -> error {
    Part& p = *static_cast<Part*>(self);
    if constexpr (std::is_void_v<decltype(p(first, last))>) {
      p(first, last);
      return {};
    } else {
      return p(first, last);
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
  const auto part = [&](std::size_t first, std::size_t last) {
    if constexpr (is_error_result<std::invoke_result_t<F&, element_argument<Range>>>) {
      error failed;
      elements.each(first, last, [&](auto&& element) {
        failed = error(std::invoke(f, std::forward<decltype(element)>(element)));
        return !failed;
      });
      return failed;
    } else {
      elements.each(first, last, [&](auto&& element) {
        (void)std::invoke(f, std::forward<decltype(element)>(element));
        return true;
      });
    }
  };
  run_parts(elements.size(), all_processors(), part).rethrow();
}

/// f(element) or f(context, element), as an error.
template <class F, class Element>
error call_on(F& f, const context& ctx, Element&& element) {
  if constexpr (error_function<F, const context&, Element>) {
    return call_to_error(f, ctx, std::forward<Element>(element));
  } else {
    return call_to_error(f, std::forward<Element>(element));
  }
}

/// Single-pass ranges: each party takes values until there are none.
template <class Range, class F>
error for_each_fed(const context& ctx, Range& range, std::size_t limit, F& f,
                   const cancel_function& cancel, bool& cut_short) {
  value_feed<Range> feed(range);
  std::atomic<bool> cut{false};
  const auto part = [&](std::size_t, std::size_t) -> error {
    for (;;) {
      if (context_access::done(ctx)) {
        cut = true;
        return {};
      }
      auto value = feed.next();
      if (!value) return {};
      if (error failed = call_on(f, ctx, *std::move(value))) {
        feed.end();
        return failed;
      }
    }
  };
  const error failed = run_parts(limit, limit, part, &cancel).as_error();
  cut_short = cut;
  return failed;
}

template <class Range, class F>
error for_each_numbered(const context& ctx, Range& range, std::size_t limit, F& f,
                        const cancel_function& cancel, bool& cut_short) {
  auto elements = elements_of(range);
  std::atomic<bool> cut{false};
  const auto part = [&](std::size_t first, std::size_t last) -> error {
    error failed;
    elements.each(first, last, [&](auto&& element) {
      if (context_access::done(ctx)) {
        cut = true;
        return false;
      }
      failed = call_on(f, ctx, std::forward<decltype(element)>(element));
      return !failed;
    });
    return failed;
  };
  const error failed = run_parts(elements.size(), limit, part, &cancel).as_error();
  cut_short = cut;
  return failed;
}

template <class Range, class F>
error parallel_for_each_in(const context& parent, Range& range, std::size_t limit, F& f) {
  if (limit == 0) limit = all_processors();
  const auto [ctx, cancel] = with_cancel(parent);
  bool cut_short = false;
  error failed;
  if constexpr (std::ranges::forward_range<Range>) {
    failed = for_each_numbered(ctx, range, limit, f, cancel, cut_short);
  } else {
    failed = for_each_fed(ctx, range, limit, f, cancel, cut_short);
  }
  if (!failed && cut_short) return parent.err();
  return failed;
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
  const auto part = [&](std::size_t first, std::size_t last) {
    elements.each_numbered(first, last, [&](std::size_t i, auto&& element) {
      if constexpr (std::is_same_v<kept, std::optional<R>>) {
        results[i].emplace(std::invoke(f, std::forward<decltype(element)>(element)));
      } else {
        results[i] = std::invoke(f, std::forward<decltype(element)>(element));
      }
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

  void add(std::size_t first, std::size_t last, T value) {
    partial mine{first, last, std::move(value)};
    while (std::optional<partial> other = take_neighbour(mine)) {
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
  const auto part = [&](std::size_t first, std::size_t last) {
    std::optional<T> sum;
    elements.each(first, first + 1, [&](auto&& element) {
      sum.emplace(std::invoke(f, std::forward<decltype(element)>(element)));
      return true;
    });
    T total(*std::move(sum));
    elements.each(first + 1, last, [&](auto&& element) {
      total = std::invoke(combine, std::move(total),
                          T(std::invoke(f, std::forward<decltype(element)>(element))));
      return true;
    });
    results.add(first, last, std::move(total));
  };
  run_parts(elements.size(), all_processors(), part).rethrow();
  return results.finish(std::move(init));
}

}  // namespace runnel::detail
