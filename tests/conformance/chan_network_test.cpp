// Whole programs of channels: chains, sieves, demand-driven networks (behaviours CB-12 to CB-14).
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::recv_chan;

MATRIX_TEST(ChanNetwork, AValueTravelsDownALongChain_CB12) {
  const int links = scaled(10'000);
  const chan<int> leftmost;
  chan<int> left = leftmost;
  for (int i = 0; i < links; ++i) {
    const chan<int> right;
    runnel::go([left, right] { left.send(1 + right.recv().value()); });
    left = right;
  }
  runnel::go([left] { left.send(1); });
  EXPECT_EQ(leftmost.recv(), links + 1);
}

const std::vector<int> primes_to_100{2,  3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                                     43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};

// The goroutines of a sieve are left blocked where they are, so it is told to stop: then nothing may leak.
MATRIX_TEST(ChanNetwork, APrimeSieve_CB14) {
  const chan<void> stop;
  const auto send = [stop](const chan<int>& to, int v) {
    return runnel::select(runnel::on_send(to, v), runnel::on_recv(stop)) == 0;
  };
  const auto receive = [stop](const chan<int>& from) {
    std::optional<int> v;
    return runnel::select(runnel::on_recv(from, v), runnel::on_recv(stop)) == 0 ? v : std::nullopt;
  };
  chan<int> source;
  runnel::go([source, send] {
    for (int i = 2; send(source, i); ++i) {
    }
  });
  for (const int expected : primes_to_100) {
    const auto prime = receive(source);
    ASSERT_EQ(prime, expected);
    const chan<int> next;
    runnel::go([source, next, send, receive, p = *prime] {
      while (const auto v = receive(source))
        if (*v % p != 0 && !send(next, *v)) return;
    });
    source = next;
  }
  stop.close();
}

TEST(ChanNetwork, ASieveMayEndWithItsGoroutinesBlocked_CB14) {
  runnel::run([] {
    chan<int> source;
    runnel::go([source] {
      for (int i = 2;; ++i) source.send(i);
    });
    for (const int expected : primes_to_100) {
      const auto prime = source.recv();
      ASSERT_EQ(prime, expected);
      const chan<int> next;
      runnel::go([source, next, p = *prime] {
        for (const int v : source)
          if (v % p != 0) next.send(v);
      });
      source = next;
    }
  });
}

// -- CB-13: power series, each a goroutine that computes a coefficient when it is asked for one ----------------------

struct rational {
  std::int64_t num = 0;
  std::int64_t den = 1;

  rational(std::int64_t n = 0, std::int64_t d = 1) : num(n), den(d) {
    const std::int64_t g = std::gcd(num, den) * (den < 0 ? -1 : 1);
    num /= g;
    den /= g;
  }
  friend rational operator+(rational a, rational b) {
    return {a.num * b.den + b.num * a.den, a.den * b.den};
  }
  friend rational operator-(rational a, rational b) {
    return {a.num * b.den - b.num * a.den, a.den * b.den};
  }
  friend rational operator*(rational a, rational b) { return {a.num * b.num, a.den * b.den}; }
  friend bool operator==(const rational&, const rational&) = default;
};

/// A demand channel and a data channel; closing the demand ends the goroutine behind it.
class series {
 public:
  rational get() const {
    request_.send();
    return data_.recv().value();
  }
  void stop() const { request_.close(); }

  /// `next` is called for each coefficient; `finish` when nobody wants more.
  static series make(
      std::function<rational()> next, std::function<void()> finish = [] {}) {
    series s;
    runnel::go([s, next = std::move(next), finish = std::move(finish)] {
      while (s.request_.recv()) s.data_.send(next());
      finish();
    });
    return s;
  }

 private:
  chan<void> request_;
  chan<rational> data_;
};

series constant(rational c) {
  return series::make([c] { return c; });
}

series add(series a, series b) {
  return series::make([a, b] { return a.get() + b.get(); },
                      [a, b] {
                        a.stop();
                        b.stop();
                      });
}

series derivative(series a) {
  return series::make(
      [a, n = std::int64_t{0}, first = true]() mutable {
        if (std::exchange(first, false)) a.get();
        return a.get() * rational(++n);
      },
      [a] { a.stop(); });
}

series integral(series a, rational c) {
  return series::make(
      [a, c, n = std::int64_t{0}]() mutable {
        const std::int64_t k = n++;
        return k == 0 ? c : a.get() * rational(1, k);
      },
      [a] { a.stop(); });
}

/// One series for two readers that need not keep step: each reader's queue holds what only the other has seen.
std::pair<series, series> split(series a) {
  struct reader {
    chan<rational> ahead{runnel::unbounded};
  };
  const chan<void> turn(1);  // a lock: asking the source takes two steps
  const auto side = [a, turn](reader mine, reader other, chan<void> ended) {
    return series::make(
        [=] {
          turn.send();
          auto have = mine.ahead.try_recv();
          rational value = have ? *have : a.get();
          if (!have) other.ahead.send(value);
          turn.recv();
          return value;
        },
        [=] {
          if (!ended.try_send()) a.stop();  // the second to end
        });
  };
  const reader x;
  const reader y;
  const chan<void> ended(1);
  return {side(x, y, ended), side(y, x, ended)};
}

series multiply(series a, series b) {
  return series::make(
      [a, b, as = std::vector<rational>(), bs = std::vector<rational>()]() mutable {
        as.push_back(a.get());
        bs.push_back(b.get());
        rational sum;
        for (std::size_t i = 0; i < as.size(); ++i) sum = sum + as[i] * bs[as.size() - 1 - i];
        return sum;
      },
      [a, b] {
        a.stop();
        b.stop();
      });
}

/// 1/a for a with constant term 1.
series reciprocal(series a) {
  return series::make(
      [a, as = std::vector<rational>(), rs = std::vector<rational>()]() mutable {
        as.push_back(a.get());
        rational r = rs.empty() ? rational(1) : rational(0);
        for (std::size_t i = 1; i < as.size(); ++i) r = r - as[i] * rs[as.size() - 1 - i];
        rs.push_back(r);
        return r;
      },
      [a] { a.stop(); });
}

/// a with its coefficient k moved to k * n and multiplied by c^k: a of c x^n.
series of_monomial(series a, rational c, std::int64_t n) {
  return series::make(
      [a, c, n, at = std::int64_t{0}, power = rational(1)]() mutable {
        if (at++ % n != 0) return rational(0);
        const rational value = a.get() * power;
        power = power * c;
        return value;
      },
      [a] { a.stop(); });
}

/// a of v, for v without constant term: a0 + v * a'(v), where a' is the rest of a. Each coefficient adds a level of
/// goroutines below the last.
series of_series(series a, series v) {
  struct state {
    series rest;
    bool begun = false;
    bool deeper = false;
  };
  const auto s = std::make_shared<state>();
  return series::make(
      [a, v, s] {
        if (!std::exchange(s->begun, true)) return a.get();
        if (!std::exchange(s->deeper, true)) {
          auto [shifted, inner] = split(v);
          shifted.get();
          s->rest = multiply(shifted, of_series(a, inner));
        }
        return s->rest.get();
      },
      [a, v, s] {
        if (s->deeper) {
          s->rest.stop();
        } else {
          a.stop();
          v.stop();
        }
      });
}

/// exp(a) for a without constant term: x' = x a', so x is the integral of x a' from 1 on.
series exponential(series a) {
  const series d = derivative(a);
  return series::make(
      [d, ds = std::vector<rational>(), xs = std::vector<rational>()]() mutable {
        const auto n = static_cast<std::int64_t>(xs.size());
        if (n == 0) return xs.emplace_back(1);
        ds.push_back(d.get());
        rational sum;
        for (std::size_t i = 0; i < xs.size(); ++i) sum = sum + xs[i] * ds[xs.size() - 1 - i];
        return xs.emplace_back(sum * rational(1, n));
      },
      [d] { d.stop(); });
}

void expect_coefficients(series s, const std::vector<rational>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const rational got = s.get();
    EXPECT_TRUE(got == expected[i]) << "coefficient " << i << ": " << got.num << '/' << got.den;
  }
}

MATRIX_TEST(ChanNetwork, PowerSeries_CB13) {
  const auto check = [](series s, const std::vector<rational>& expected) {
    expect_coefficients(s, expected);
    s.stop();
  };
  check(add(constant(1), constant(2)), {3, 3, 3, 3, 3});
  check(derivative(constant(1)), {1, 2, 3, 4, 5, 6});
  check(integral(constant(1), 0), {0, 1, {1, 2}, {1, 3}, {1, 4}, {1, 5}});
  check(multiply(constant(1), constant(1)), {1, 2, 3, 4, 5, 6});
  check(reciprocal(add(constant(1), integral(constant(0), 0))), {1, -1, 0, 0, 0, 0});
  auto [left, right] = split(integral(constant(1), 1));
  check(multiply(left, reciprocal(right)), {1, 0, 0, 0, 0, 0});
  auto [one, two] = split(derivative(constant(1)));
  check(add(one, multiply(constant(1), two)), {2, 5, 9, 14, 20});
}

MATRIX_TEST(ChanNetwork, ASeriesOfAMonomial) {
  const series even = of_monomial(constant(1), -1, 2);  // 1/(1 + x^2), the derivative of atan
  const series atan = integral(even, 0);
  expect_coefficients(atan, {0, 1, 0, {-1, 3}, 0, {1, 5}, 0, {-1, 7}});
  atan.stop();
}

MATRIX_TEST(ChanNetwork, ASeriesOfASeries) {
  // 1/(1 - v) for v = x/(1 - x), that is (1 - x)/(1 - 2x)
  const auto v = [] {
    const series ones = constant(1);
    return series::make(
        [ones, first = true]() mutable {
          return std::exchange(first, false) ? rational(0) : ones.get();
        },
        [ones] { ones.stop(); });
  };
  const series s = of_series(constant(1), v());
  expect_coefficients(s, {1, 1, 2, 4, 8, 16, 32, 64, 128, 256});
  EXPECT_GT(runnel::num_goroutines(), 30U);
  s.stop();
  const series one = exponential(of_series(integral(constant(1), 0), v()));
  expect_coefficients(one, {1, 1, 2, 4, 8, 16});
  one.stop();
}

MATRIX_TEST(ChanNetwork, TheExponentialOfASeries_CB13) {
  const series x = integral(
      constant(1), 0);  // x + x^2/2 + x^3/3 + ... = -log(1 - x), whose exponential is 1/(1 - x)
  const series e = exponential(x);
  expect_coefficients(e, {1, 1, 1, 1, 1, 1, 1});
  e.stop();
}

}  // namespace
