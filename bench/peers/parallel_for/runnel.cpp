// parallel_for over cheap elements: one multiplication and one addition each; the best of ten
// passes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <runnel/patterns.hpp>
#include <vector>

#include "common/bench.hpp"

namespace {

void parallel_for(const bench::args& a) {
  const auto n = static_cast<std::size_t>(a.count(10'000'000));
  constexpr int passes = 10;
  std::vector<std::uint32_t> v(n, 7);
  const auto step = [](std::uint32_t x) { return x * 2654435761U + 1U; };
  const auto pass = [&] { runnel::parallel_for(v, [&](std::uint32_t& x) { x = step(x); }); };
  pass();  // touches the pages and starts the workers
  double best = 1e18;
  for (int i = 0; i < passes; ++i) {
    const auto start = bench::clock::now();
    pass();
    best = std::min(best, bench::ns_since(start));
  }
  bench::emit(a.workload, a, best / 1e6, "ms");
  std::uint32_t expected = 7;
  for (int i = 0; i < passes + 1; ++i) expected = step(expected);
  bench::check(std::all_of(v.begin(), v.end(), [&](auto x) { return x == expected; }), "elements");
}

const bench::workload registered{"parallel_for", parallel_for};

}  // namespace
