// A tree of fibers, ten below each, with n leaves; the sums come back over channels.
#include "common/boost_fiber.hpp"

#include <vector>

namespace {

namespace bf = boost::fibers;

using channel = bf::unbuffered_channel<long>;

void node(channel& up, long number, long size) {
  if (size == 1) {
    up.push(number);
    return;
  }
  channel down;
  size /= 10;
  std::vector<bf::fiber> fibers;
  fibers.reserve(10);
  for (long i = 0; i < 10; ++i) {
    fibers.push_back(
        bench::start_fiber([&down, first = number + i * size, size] { node(down, first, size); }));
  }
  long sum = 0;
  for (int i = 0; i < 10; ++i) sum += down.value_pop();
  for (auto& f : fibers) f.join();
  up.push(sum);
}

void skynet(const bench::args& a) {
  const long n = a.count(1'000'000);
  channel up;
  const auto start = bench::clock::now();
  bf::fiber root = bench::start_fiber([&] { node(up, 0, n); });
  const long sum = up.value_pop();
  const double elapsed = bench::ns_since(start);
  root.join();
  bench::emit(a.workload, a, elapsed / 1e6, "ms");
  bench::check(sum == n * (n - 1) / 2, "sum of the leaves");
}

const bench::workload registered{"skynet", skynet};

}  // namespace
