// A receive that does not block, on an empty channel: as a select with `otherwise`, and as
// try_recv.
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/select.hpp>

#include "common/bench.hpp"

namespace {

void with_select(const bench::args& a) {
  const long n = a.count(50'000'000);
  const runnel::chan<long> ch(16);
  long sum = 0;
  long missed = 0;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    runnel::select(runnel::on_recv(ch, [&](std::optional<long> v) { sum += *v; }),
                   runnel::otherwise([&] { ++missed; }));
  }
  bench::emit_per_op(a, start, n);
  bench::check(missed == n && sum == 0, "number of misses");
}

void with_try_recv(const bench::args& a) {
  const long n = a.count(50'000'000);
  const runnel::chan<long> ch(16);
  long missed = 0;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) {
    if (!ch.try_recv()) ++missed;
  }
  bench::emit_per_op(a, start, n);
  bench::check(missed == n, "number of misses");
}

const bench::workload registered[] = {{"select_default", with_select},
                                      {"select_default_try", with_try_recv}};

}  // namespace
