// 503 fibers in a ring of unbuffered channels; a token makes n hops.
#include "common/boost_fiber.hpp"

#include <cstddef>
#include <vector>

namespace {

namespace bf = boost::fibers;

using channel = bf::unbuffered_channel<long>;

void pass_on(channel& in, channel& out, channel& done) {
  long token;
  while (in.pop(token) == bf::channel_op_status::success) {
    if (token == 0) {
      done.push(1);
      return;
    }
    if (out.push(token - 1) != bf::channel_op_status::success) return;
  }
}

void ring(const bench::args& a) {
  const long n = a.count(1'000'000);
  constexpr std::size_t size = 503;
  std::vector<channel> ch(size);
  channel done;
  std::vector<bf::fiber> fibers;
  for (std::size_t i = 0; i < size; ++i) {
    fibers.push_back(bench::start_fiber([&, i] { pass_on(ch[i], ch[(i + 1) % size], done); }));
  }
  const auto start = bench::clock::now();
  ch[0].push(n);
  done.value_pop();
  bench::emit_per_op(a, start, n);
  for (auto& c : ch) c.close();
  for (auto& f : fibers) f.join();
}

const bench::workload registered{"ring", ring};

}  // namespace
