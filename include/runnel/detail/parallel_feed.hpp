// Loops over what comes one at a time: a channel, or another range that can be walked through only once.
//
// While `limit` allows one more call there is a party that waits for the next value, and only one is added at a time:
// by the party that takes a value and leaves nobody waiting. So there are no more than values, whatever the limit.
#pragma once
#include <atomic>
#include <cstddef>
#include <iterator>
#include <mutex>
#include <optional>
#include <ranges>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/stage.hpp>
#include <runnel/error.hpp>
#include <runnel/group.hpp>
#include <runnel/mutex.hpp>

namespace runnel::detail {

/// f(element) or f(context, element), as an error.
template <class F, class Element>
error call_on(F& f, const context& ctx, Element&& element) {
  if constexpr (error_function<F, const context&, Element>) {
    return call_to_error(f, ctx, std::forward<Element>(element));
  } else {
    return call_to_error(f, std::forward<Element>(element));
  }
}

// Feeds: next(ctx) gives a value; nullopt: there is none any more, or `ctx` was done first. ended(): there is none.

template <class T>
class chan_feed {
 public:
  explicit chan_feed(recv_chan<T> in) noexcept : in_(std::move(in)) {}

  std::optional<chan_value<T>> next(const context& ctx) const {
    std::optional<chan_value<T>> value;
    (void)recv_in(ctx, in_.state(), value);
    return value;
  }
  // In this order: a closed channel gets no more.
  bool ended() const noexcept { return in_ && in_.state()->closed.load() && in_.len() == 0; }

 private:
  const recv_chan<T> in_;
};

template <class Range>
class value_feed {
 public:
  explicit value_feed(Range& range) : range_(range) {}

  std::optional<std::ranges::range_value_t<Range>> next(const context& ctx) {
    const std::lock_guard lock(mu_);
    if (ended_ || context_access::done(ctx)) return std::nullopt;
    ended_ = true;  // unless the range gets to its next value without throwing
    if (!it_) {
      it_.emplace(std::ranges::begin(range_));
    } else {
      ++*it_;
    }
    if (*it_ == std::ranges::end(range_)) return std::nullopt;
    ended_ = false;
    return std::ranges::iter_move(*it_);
  }
  bool ended() {
    const std::lock_guard lock(mu_);
    return ended_;
  }

 private:
  Range& range_;
  mutex mu_;  // held while the range waits for its next value
  std::optional<std::ranges::iterator_t<Range>> it_;  // guarded by mu_
  bool ended_ = false;                                // guarded by mu_
};

template <class Feed, class F>
class fed_loop {
 public:
  fed_loop(const context& parent, Feed& feed, std::size_t limit, F& f)
      : parent_(parent), feed_(feed), limit_(limit), f_(f), parties_(parent) {}

  error run() {
    try {
      add_party();
    } catch (...) {
      return error::current();
    }
    return parties_.wait();
  }

 private:
  // A party waits from its start, so that nobody adds another before it has come to run.
  void add_party() {
    parties_.go([this](const context& ctx) { return take_part(ctx); });
  }

  error take_part(const context& ctx) {
    for (;;) {
      auto value = feed_.next(ctx);
      const bool was_last = waiting_.fetch_sub(1) == 1;
      if (!value) return feed_.ended() ? error() : parent_.err();
      if (was_last) add_waiting_party();
      if (error failed = call_on(f_, ctx, *std::move(value))) return failed;
      waiting_.fetch_add(1);
    }
  }

  void add_waiting_party() noexcept {
    if (started_.fetch_add(1) >= limit_) return;
    waiting_.fetch_add(1);
    try {
      add_party();
    } catch (...) {  // no more stacks: those that are there do it
      waiting_.fetch_sub(1);
    }
  }

  const context& parent_;
  Feed& feed_;
  const std::size_t limit_;
  F& f_;  // called from all parties at once
  std::atomic<std::size_t> waiting_{1};
  std::atomic<std::size_t> started_{1};  // goes on counting where the limit is reached
  group parties_;                        // the last member: it waits for them
};

template <class Feed, class F>
error for_each_fed(const context& parent, Feed feed, std::size_t limit, F& f) {
  return fed_loop<Feed, F>(parent, feed, limit, f).run();
}

}  // namespace runnel::detail
