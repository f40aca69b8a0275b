// A tree of goroutines, ten below each, with n leaves; the sums come back over channels.
#include <runnel/chan.hpp>
#include <runnel/go.hpp>

#include "common/bench.hpp"

namespace {

void node(const runnel::chan<long>& up, long number, long size) {
  if (size == 1) {
    up.send(number);
    return;
  }
  const runnel::chan<long> down;
  size /= 10;
  for (long i = 0; i < 10; ++i) {
    runnel::go([&down, first = number + i * size, size] { node(down, first, size); });
  }
  long sum = 0;
  for (int i = 0; i < 10; ++i) sum += *down.recv();
  up.send(sum);
}

void skynet(const bench::args& a) {
  const long n = a.count(1'000'000);
  const runnel::chan<long> up;
  const auto start = bench::clock::now();
  runnel::go([&] { node(up, 0, n); });
  const long sum = *up.recv();
  bench::emit(a.workload, a, bench::ns_since(start) / 1e6, "ms");
  bench::check(sum == n * (n - 1) / 2, "sum of the leaves");
}

const bench::workload registered{"skynet", skynet};

}  // namespace
