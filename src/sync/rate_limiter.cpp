#include <runnel/rate_limiter.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

namespace runnel {
namespace {

constexpr double ns_per_second = 1e9;

double checked_rate(double per_second) {
  if (!(per_second > 0)) throw std::invalid_argument("rate_limiter: the rate is not positive");
  return per_second;
}

int checked_burst(int burst) {
  if (burst < 1) throw std::invalid_argument("rate_limiter: the burst is less than 1");
  return burst;
}

double tokens_of(double rate, std::int64_t ns) noexcept {
  return static_cast<double>(ns) * (rate / ns_per_second);
}

// Rounded up: nobody acts before his tokens are there.
std::int64_t time_of(double rate, double tokens) noexcept {
  const double ns = std::ceil(tokens / rate * ns_per_second);
  return ns < static_cast<double>(detail::never) ? static_cast<std::int64_t>(ns) : detail::never;
}

}  // namespace

rate_limiter::rate_limiter(double per_second, int burst)
    : burst_(checked_burst(burst)),
      rate_(checked_rate(per_second)),
      tokens_(burst),
      last_(detail::now_ns()) {}

bool rate_limiter::allow(int n) { return take(n, 0).ok(); }

rate_limiter::reservation rate_limiter::reserve(int n) { return take(n, detail::never - 1); }

void rate_limiter::set_rate(double per_second) {
  checked_rate(per_second);
  std::lock_guard lock(mu_);
  const std::int64_t now = detail::now_ns();
  tokens_ = tokens_at(now);
  last_ = now;
  rate_ = per_second;
}

double rate_limiter::rate() const {
  std::lock_guard lock(mu_);
  return rate_;
}

double rate_limiter::tokens() const {
  std::lock_guard lock(mu_);
  return tokens_at(detail::now_ns());
}

double rate_limiter::tokens_at(std::int64_t now) const noexcept {
  if (std::isinf(rate_)) return burst_;
  return std::min<double>(burst_, tokens_ + tokens_of(rate_, now - last_));
}

// A request that fails leaves the account as it was: brought up to date at each of many polls, it would lose what
// a double cannot tell from nothing.
rate_limiter::reservation rate_limiter::take(int n, std::int64_t longest_wait) {
  if (n < 0) throw std::invalid_argument("rate_limiter: a negative number of tokens");
  std::lock_guard lock(mu_);
  const std::int64_t now = detail::now_ns();
  if (std::isinf(rate_)) return {nullptr, 0, rate_, now};
  const double left = tokens_at(now) - n;
  const std::int64_t wait = left < 0 && n > 0 ? time_of(rate_, -left) : 0;
  if (n > burst_ || wait > longest_wait) return {nullptr, 0, rate_, detail::never};
  const std::int64_t when = detail::add_ns(now, wait);
  if (when == detail::never) return {nullptr, 0, rate_, detail::never};
  tokens_ = left;
  last_ = now;
  last_reserved_ = std::max(last_reserved_, when);
  return {this, n, rate_, when};
}

// Later reservations wait for what was refilled after this one's time: so much of it is in use.
void rate_limiter::give_back(reservation& r) noexcept {
  std::lock_guard lock(mu_);
  const std::int64_t now = detail::now_ns();
  if (r.when_ < now || std::isinf(rate_)) return;
  const double unused = r.tokens_ - tokens_of(r.rate_, last_reserved_ - r.when_);
  if (unused <= 0) return;
  tokens_ = std::min<double>(burst_, tokens_at(now) + unused);
  last_ = now;
  if (r.when_ == last_reserved_)
    last_reserved_ = std::max(now, r.when_ - time_of(r.rate_, r.tokens_));
}

clock::duration rate_limiter::reservation::delay() const noexcept {
  if (!ok()) return clock::duration::max();
  return clock::duration(std::max<std::int64_t>(0, when_ - detail::now_ns()));
}

}  // namespace runnel
