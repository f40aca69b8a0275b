// Fork and join without a cut-off: every call that recurses starts a fiber for one half, joined
// (fib) or answering through a channel (fib_chan).
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

int by_join(int k) {
  if (k < 2) return k;
  int x = 0;
  bf::fiber half = bench::start_fiber([&x, k] { x = by_join(k - 1); });
  const int y = by_join(k - 2);
  half.join();
  return x + y;
}

int by_channel(int k) {
  if (k < 2) return k;
  bf::buffered_channel<int> c(2);
  bf::fiber half = bench::start_fiber([&c, k] { c.push(by_channel(k - 1)); });
  const int y = by_channel(k - 2);
  const int x = c.value_pop();
  half.join();
  return x + y;
}

template <int (*fib)(int)>
void measure(const bench::args& a) {
  const int k = static_cast<int>(a.count(30));
  const auto start = bench::clock::now();
  const int result = fib(k);
  bench::emit(a.workload, a, bench::ns_since(start) / 1e6, "ms");
  bench::check(result == bench::fib_sequential(k), "fib");
}

const bench::workload registered[] = {{"fib", measure<by_join>}, {"fib_chan", measure<by_channel>}};

}  // namespace
