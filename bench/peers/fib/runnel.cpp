// Fork and join without a cut-off: every call that recurses starts a goroutine for one half. The
// halves are joined by a wait group (fib) or by a channel of capacity 1 (fib_chan).
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

int by_wait_group(int k) {
  if (k < 2) return k;
  int x = 0;
  runnel::wait_group wg;
  wg.go([&x, k] { x = by_wait_group(k - 1); });
  const int y = by_wait_group(k - 2);
  wg.wait();
  return x + y;
}

int by_channel(int k) {
  if (k < 2) return k;
  const runnel::chan<int> c(1);
  runnel::go([&c, k] { c.send(by_channel(k - 1)); });
  const int y = by_channel(k - 2);
  return *c.recv() + y;
}

template <int (*fib)(int)>
void measure(const bench::args& a) {
  const int k = static_cast<int>(a.count(30));
  const auto start = bench::clock::now();
  const int result = fib(k);
  bench::emit(a.workload, a, bench::ns_since(start) / 1e6, "ms");
  bench::check(result == bench::fib_sequential(k), "fib");
}

const bench::workload registered[] = {{"fib", measure<by_wait_group>},
                                      {"fib_chan", measure<by_channel>}};

}  // namespace
