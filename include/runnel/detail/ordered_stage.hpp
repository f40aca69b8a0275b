// A transform whose results leave in the order its values came.
//
// Each value gets a number when it is taken, and its result goes through the slot `number % window`. A number is given
// out only while fewer than `window` results are under way, so a slot is empty when its result comes, and a send into
// it never blocks. One goroutine empties the slots in turn. The number after the last closes its slot: the end.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/detail/stages.hpp>
#include <runnel/mutex.hpp>

namespace runnel::detail {

template <class T, class R, class F>
class ordered_work {
 public:
  ordered_work(send_chan<R> to, recv_chan<T> in, context ctx, F f, std::size_t window)
      : out_(std::move(to)),
        in_(std::move(in)),
        ctx_(std::move(ctx)),
        f_(std::move(f)),
        places_(window) {
    slots_.reserve(window);
    for (std::size_t i = 0; i < window; ++i) slots_.emplace_back(1);
  }

  void work() {
    std::optional<chan_value<T>> value;
    while (const std::optional<std::size_t> number = next(value)) {
      chan_value<R> result = transformed_value<T>(f_, *std::move(value));
      (void)send_until(slot(*number).state(), result, never);
    }
  }

  void emit() {
    std::optional<chan_value<R>> result;
    for (std::size_t number = 0; receive_for(ctx_, out_, recv_chan<R>(slot(number)), result);
         ++number) {
      if (!out_.send(ctx_, *result)) break;
      places_.recv();
    }
    out_.state()->close();  // also at the end of the input: nobody is to take any more
  }

 private:
  const chan<R>& slot(std::size_t number) const noexcept { return slots_[number % slots_.size()]; }

  // Takes a value and its number. The lock is held while waiting for them, so that both come in the same order; who
  // waits for the lock sees the end after its holder, who sees it at once.
  std::optional<std::size_t> next(std::optional<chan_value<T>>& value) {
    const std::lock_guard lock(taking_);
    if (ended_ || !take_place()) return std::nullopt;
    const std::size_t number = taken_++;
    if (receive_for(ctx_, out_, in_, value)) return number;
    ended_ = true;
    slot(number).close();
    return std::nullopt;
  }

  // A place is a value in `places_`, which holds one for each result under way.
  bool take_place() {
    unit place;
    send_ref_case<unit> taking(places_.state(), place);
    done_case done(context_access::canceler(ctx_));
    abandoned_case gone(out_.state());
    const guarded_case cases[] = {done, gone, taking};
    return select_cases(cases, no_case, select_order::in_order) == 2;
  }

  outlet<R> out_;
  const recv_chan<T> in_;
  const context ctx_;
  F f_;  // called from all workers at once
  chan<void> places_;
  std::vector<chan<R>> slots_;
  mutex taking_;
  std::size_t taken_ = 0;  // guarded by taking_
  bool ended_ = false;     // guarded by taking_
};

template <class T, class F>
auto ordered_stage(const stage_env& env, recv_chan<T> in, std::size_t workers, F f) {
  using R = result_of<T, F>;
  const std::size_t count = worker_count(workers);
  auto [to, from] = make_abandonable<R>(0);
  auto work = std::make_shared<ordered_work<T, R, F>>(std::move(to), std::move(in), env.ctx,
                                                      std::move(f), 2 * count);
  for (std::size_t i = 0; i < count; ++i) env.start([work] { work->work(); });
  env.start([work = std::move(work)] { work->emit(); });
  return std::move(from);
}

}  // namespace runnel::detail
