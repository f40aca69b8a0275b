// Saturating conversions from chrono to the int64 nanoseconds the runtime works with.
#pragma once
#include <chrono>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <runnel/detail/park.hpp>

namespace runnel {

/// The library's clock: steady, nanoseconds, the same epoch as std::chrono::steady_clock.
struct clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept { return time_point(duration(detail::now_ns())); }
};

namespace detail {

template <class T>
struct is_duration : std::false_type {};
template <class R, class P>
struct is_duration<std::chrono::duration<R, P>> : std::true_type {};
template <class T>
concept any_duration = is_duration<std::remove_cvref_t<T>>::value;

template <class T>
struct is_time_point : std::false_type {};
template <class C, class D>
struct is_time_point<std::chrono::time_point<C, D>>
    : std::bool_constant<std::is_same_v<C, clock> || std::is_same_v<C, std::chrono::steady_clock>> {
};
template <class T>
concept any_time_point = is_time_point<std::remove_cvref_t<T>>::value;

__extension__ typedef __int128 wide;

/// Whole nanoseconds, rounded up, clamped to the range of int64.
template <class R, class P>
constexpr std::int64_t to_ns(std::chrono::duration<R, P> d) noexcept {
  constexpr auto lo = std::numeric_limits<std::int64_t>::min();
  constexpr auto hi = std::numeric_limits<std::int64_t>::max();
  const long double ns = static_cast<long double>(d.count()) * 1e9L * P::num / P::den;
  if (!(ns < static_cast<long double>(hi))) return hi;
  if (ns <= static_cast<long double>(lo)) return lo;
  if constexpr (std::is_integral_v<R>) {
    // Exact: count * factor is ns * den, and both of these are below 2^63.
    constexpr wide factor = wide{1'000'000'000} * P::num;
    if constexpr (factor % P::den == 0 && factor / P::den <= hi) {
      return static_cast<std::int64_t>(d.count()) * static_cast<std::int64_t>(factor / P::den);
    } else {
      const wide scaled = wide{d.count()} * factor;
      const auto whole = static_cast<std::int64_t>(scaled / P::den);
      return scaled % P::den > 0 ? whole + 1 : whole;
    }
  } else {
    const auto whole = static_cast<std::int64_t>(ns);
    return static_cast<long double>(whole) < ns ? whole + 1 : whole;
  }
}
template <class P>
requires std::is_same_v<P, std::nano>
constexpr std::int64_t to_ns(std::chrono::duration<std::int64_t, P> d) noexcept {
  return d.count();
}

/// `from` plus `delay`, saturating at `never`; a negative delay is none.
constexpr std::int64_t add_ns(std::int64_t from, std::int64_t delay) noexcept {
  if (delay <= 0) return from;
  return delay > never - from ? never : from + delay;
}

/// Zero or less: has come already, which of the rough clock's now cannot be said.
template <class R, class P>
std::int64_t deadline_after(std::chrono::duration<R, P> d) noexcept {
  const std::int64_t ns = to_ns(d);
  return ns > 0 ? add_ns(rough_now_ns(), ns) : now_ns();
}
template <any_time_point TP>
std::int64_t deadline_at(TP tp) noexcept {
  return to_ns(tp.time_since_epoch());
}
template <any_time_point TP>
bool is_past(TP tp) noexcept {
  return has_come(deadline_at(tp));
}

}  // namespace detail
}  // namespace runnel
