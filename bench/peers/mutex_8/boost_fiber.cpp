// Eight fibers on one mutex.
#include "common/boost_fiber.hpp"

#include <mutex>
#include <vector>

namespace {

namespace bf = boost::fibers;

void mutex_8(const bench::args& a) {
  const long each = a.count(8'000'000) / 8;
  bf::mutex m;
  long counter = 0;
  std::vector<bf::fiber> fibers;
  const auto start = bench::clock::now();
  for (int g = 0; g < 8; ++g) {
    fibers.push_back(bench::start_fiber([&] {
      for (long i = 0; i < each; ++i) {
        const std::scoped_lock lock(m);
        ++counter;
      }
    }));
  }
  for (auto& f : fibers) f.join();
  bench::emit_per_op(a, start, 8 * each);
  bench::check(counter == 8 * each, "count");
}

const bench::workload registered{"mutex_8", mutex_8};

}  // namespace
