#include "map/auto_size.hpp"

#include <algorithm>
#include <cmath>

namespace runnel_cli {
namespace {

constexpr int windows_per_look = 2;
constexpr double worthwhile_gain = 0.05;
constexpr double bearable_loss = 0.02;
constexpr double upheaval = 0.20;  // a change of throughput that noise does not explain
constexpr int shortest_rest = 5;   // looks
constexpr int longest_rest = 20;

// One in eight: small enough to find the top, large enough that a gain in proportion to it (12 %)
// stands out from the noise.
int smallest_step(int size) { return std::max(1, size / 8); }

}  // namespace

size_controller::size_controller(int min, int max, int start)
    : min_(std::max(1, min)),
      max_(std::max(min_, max)),
      size_(std::clamp(start, min_, max_)),
      base_(size_),
      rest_looks_(shortest_rest) {}

int size_controller::next(double jobs_per_second, bool all_busy) {
  if (!all_busy) return with_idle_workers();
  if (!std::isfinite(jobs_per_second) || jobs_per_second <= 0) return size_;
  sum_ += jobs_per_second;
  if (++windows_ < windows_per_look) return size_;
  const double rate = sum_ / windows_;
  sum_ = 0;
  windows_ = 0;
  switch (phase_) {
    case phase::measuring:
      explore(rate);
      break;
    case phase::trying:
      judge(rate);
      break;
    case phase::resting:
      watch(rate);
      break;
  }
  return size_;
}

// What was measured tells how fast the input is, not the workers: it is forgotten.
int size_controller::with_idle_workers() {
  const bool was_tried = phase_ == phase::trying && size_ > base_;
  base_ = was_tried ? base_ : std::max(min_, size_ - smallest_step(size_));
  base_rate_ = 0;
  settle_for(shortest_rest);
  return size_;
}

void size_controller::judge(double rate) {
  const double gain = rate / base_rate_ - 1;
  if (direction_ > 0 ? gain > worthwhile_gain : gain > -bearable_loss) {
    step_ *= 2;
    base_ = size_;
    base_rate_ = rate;
    given_up_ = 0;
    moved_ = true;
  } else if (step_ > smallest_step(base_)) {
    step_ = 0;  // too far, perhaps
  } else {
    ++given_up_;
    direction_ = -direction_;
    step_ = 0;
  }
  try_next();
}

void size_controller::watch(double rate) {
  if (base_rate_ > 0 && std::abs(rate / base_rate_ - 1) > upheaval) {
    explore(rate);
    return;
  }
  base_rate_ = base_rate_ > 0 ? (base_rate_ + rate) / 2 : rate;
  if (--looks_left_ == 0) explore(base_rate_);
}

// Starts over from the present size.
void size_controller::explore(double rate) {
  base_rate_ = rate;
  direction_ = 1;
  step_ = 0;
  given_up_ = 0;
  try_next();
}

// The next trial; a direction in which there is no room is given up.
void size_controller::try_next() {
  for (; given_up_ < 2; ++given_up_, direction_ = -direction_, step_ = 0) {
    step_ = std::max(step_, smallest_step(base_));
    size_ = std::clamp(base_ + direction_ * step_, min_, max_);
    if (size_ != base_) {
      phase_ = phase::trying;
      return;
    }
  }
  rest();
}

void size_controller::rest() {
  rest_looks_ = moved_ ? shortest_rest : std::min(2 * rest_looks_, longest_rest);
  settle_for(rest_looks_);
}

void size_controller::settle_for(int looks) {
  size_ = base_;
  phase_ = phase::resting;
  rest_looks_ = looks;
  looks_left_ = looks;
  moved_ = false;
  step_ = 0;
  sum_ = 0;
  windows_ = 0;
}

}  // namespace runnel_cli
