// Parts are claimed from the front of the range, by one atomic counter. How large a part is follows from how long the
// one before took, so that cheap elements cost next to nothing each and expensive ones are spread; towards the end
// parts become smaller, so that all finish at about the same time.
//
// The loop's function and range live on the caller's stack. A helper may come to run only when there is nothing left
// to do, and the caller does not wait for it: `parties_` counts who is inside, and its flag `over` lets nobody in any
// more. What a helper touches outside is the job itself, which they share.
#include <runnel/detail/parallel_job.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include <runnel/detail/park.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/go.hpp>
#include <runnel/latch.hpp>

namespace runnel::detail {
namespace {

constexpr std::int64_t shortest_ns = 20'000;  // a part that takes less: the next is larger
constexpr std::int64_t longest_ns = 100'000;  // one that takes more: the next is smaller
constexpr std::int64_t cheap_ns = 20;         // an element that takes less is cheap
constexpr std::size_t parts_each = 8;  // at least so many parts of what is left for each party

class parallel_job {
 public:
  parallel_job(std::size_t n, std::size_t parties, parallel_body body,
               const cancel_function* cancel) noexcept
      : n_(n), parties_at_most_(parties), body_(body), cancel_(cancel) {}

  /// The helper's whole life.
  void help() noexcept {
    std::uint32_t inside = parties_.load();
    do {
      if ((inside & over) != 0) return;
    } while (!parties_.compare_exchange_weak(inside, inside + 1));
    work();
    if (parties_.fetch_sub(1) == (over | 1)) all_out_.count_down();
  }

  /// The caller's: works, and waits for the helpers that have begun.
  parallel_failure finish() {
    work();
    if (parties_.fetch_or(over) != 0) all_out_.wait();
    return std::move(failure_);
  }

 private:
  static constexpr std::uint32_t over = std::uint32_t{1} << 31;

  void work() noexcept {
    std::size_t size = 1;
    std::size_t first = 0;
    bool cheap = false;
    while (claim(size, first)) {
      const std::int64_t start = now_ns();
      run_part({first, first + size, cheap, failed_});
      const std::int64_t took = now_ns() - start;
      cheap = took < cheap_ns * static_cast<std::int64_t>(size);
      if (took < shortest_ns) {
        size *= 2;
      } else if (took > longest_ns) {
        size = std::max<std::size_t>(1, size / (1 + static_cast<std::size_t>(took / longest_ns)));
      }
      check_attention();  // others may be waiting for this processor
    }
  }

  /// Claims [first, first + size); `size` is reduced to what is sensible.
  bool claim(std::size_t& size, std::size_t& first) noexcept {
    first = next_.load();
    std::size_t claimed = 0;
    do {
      if (first >= n_) return false;
      const std::size_t left = n_ - first;
      claimed = std::min(size, std::max<std::size_t>(1, left / (parts_each * parties_at_most_)));
    } while (!next_.compare_exchange_weak(first, first + claimed));
    size = claimed;
    return true;
  }

  void run_part(const loop_part& part) noexcept {
    parallel_failure failure;
    try {
      failure.returned = body_.run(body_.self, part);
    } catch (...) {
      failure.thrown = std::current_exception();
    }
    if (!failure) return;
    if (failed_.exchange(true)) return;
    next_.store(n_);
    failure_ = std::move(failure);
    if (cancel_ != nullptr) (*cancel_)(failure_.as_error());
  }

  const std::size_t n_;
  const std::size_t parties_at_most_;
  const parallel_body body_;             // used only by who is inside
  const cancel_function* const cancel_;  // likewise
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint32_t> parties_{0};  // helpers inside, and `over`
  std::atomic<bool> failed_{false};
  parallel_failure failure_;  // written by who set failed_, read when all are out
  latch all_out_{1};          // counted down by the last helper out after the caller
};

}  // namespace

parallel_failure run_parallel(std::size_t n, std::size_t parties, parallel_body body,
                              const cancel_function* cancel) {
  if (n == 0) return {};
  parties = std::clamp<std::size_t>(parties, 1, n);
  const auto job = std::make_shared<parallel_job>(n, parties, body, cancel);
  try {
    for (std::size_t i = 1; i < parties; ++i) go([job] { job->help(); });
  } catch (...) {  // no more stacks: those that are there do it
  }
  return job->finish();
}

}  // namespace runnel::detail
