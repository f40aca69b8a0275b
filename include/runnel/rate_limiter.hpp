// rate_limiter: a token bucket, as golang.org/x/time/rate.
#pragma once
#include <chrono>
#include <cstdint>
#include <utility>

#include <runnel/detail/spinlock.hpp>
#include <runnel/detail/time.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

/// Lets `per_second` events through in the long run and at most `burst` at once: a bucket that holds up to `burst`
/// tokens, is full at first and is refilled at a steady rate; each event takes one. Thread-safe.
class rate_limiter {
 public:
  class reservation;

  /// `per_second`: tokens a second; infinity lets everything through. Throws std::invalid_argument if that is not
  /// positive, or if `burst` is less than 1.
  rate_limiter(double per_second, int burst);
  rate_limiter(const rate_limiter&) = delete;
  rate_limiter& operator=(const rate_limiter&) = delete;

  /// Takes `n` tokens if they are there. False: they are not, and none was taken. Does not block. Throws
  /// std::invalid_argument if `n` is negative.
  bool allow(int n = 1);

  /// Blocks until `n` tokens are the caller's; first come, first served. An error, and none is taken: `ctx` is done
  /// before or meanwhile (its error); its deadline would pass first (at once; context_errc::deadline_exceeded); `n` is
  /// more than the burst (at once; std::errc::invalid_argument). Throws std::invalid_argument if `n` is negative.
  error wait(const context& ctx, int n = 1);

  /// Takes `n` tokens, also in advance: the caller has to wait for reservation::delay() before it acts. Does not
  /// block. Throws std::invalid_argument if `n` is negative.
  [[nodiscard]] reservation reserve(int n = 1);

  /// Refills at this rate from now on; what is there or reserved stays. Throws std::invalid_argument, and changes
  /// nothing, if it is not positive.
  void set_rate(double per_second);

  /// Tokens a second.
  double rate() const;
  /// The most that can be there at once.
  int burst() const noexcept { return burst_; }
  /// What is there now; negative: taken in advance.
  double tokens() const;

 private:
  double tokens_at(std::int64_t now) const noexcept;
  reservation take(int n, std::int64_t longest_wait);
  void give_back(reservation& r) noexcept;

  const int burst_;
  mutable detail::spinlock mu_;
  double rate_;                     // guarded by mu_
  double tokens_;                   // guarded by mu_; at last_
  std::int64_t last_;               // guarded by mu_
  std::int64_t last_reserved_ = 0;  // guarded by mu_; when the latest reservation may act
};

/// The right to act after a delay. Movable. Must not be cancelled when the limiter is gone.
class rate_limiter::reservation {
 public:
  reservation(reservation&& other) noexcept
      : limiter_(std::exchange(other.limiter_, nullptr)),
        tokens_(other.tokens_),
        rate_(other.rate_),
        when_(other.when_) {}
  reservation& operator=(reservation&& other) noexcept {
    limiter_ = std::exchange(other.limiter_, nullptr);
    tokens_ = other.tokens_;
    rate_ = other.rate_;
    when_ = other.when_;
    return *this;
  }

  /// False: more was asked for than the burst, and nothing is reserved.
  bool ok() const noexcept { return when_ != detail::never; }
  /// How long the caller has to wait from now on; zero: it may act. The longest duration if not ok().
  clock::duration delay() const noexcept;
  /// When the caller may act.
  clock::time_point time() const noexcept { return clock::time_point(clock::duration(when_)); }
  /// The caller will not act: gives the tokens back, as far as no later reservation has been built on them. No effect
  /// once the time to act has passed, or the second time.
  void cancel() noexcept {
    if (limiter_ != nullptr) std::exchange(limiter_, nullptr)->give_back(*this);
  }

 private:
  friend class rate_limiter;
  reservation(rate_limiter* limiter, int tokens, double rate, std::int64_t when) noexcept
      : limiter_(limiter), tokens_(tokens), rate_(rate), when_(when) {}

  rate_limiter* limiter_;  // null: nothing to give back
  int tokens_;
  double rate_;        // at the time it was made
  std::int64_t when_;  // never: not ok
};

}  // namespace runnel
