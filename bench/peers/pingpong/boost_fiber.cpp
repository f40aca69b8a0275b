// A value to and fro between two fibers over two unbuffered channels.
#include "common/boost_fiber.hpp"

namespace {

namespace bf = boost::fibers;

void pingpong(const bench::args& a) {
  const long n = a.count(1'000'000);
  bf::unbuffered_channel<long> ping;
  bf::unbuffered_channel<long> pong;
  const auto start = bench::clock::now();
  bf::fiber back = bench::start_fiber([&] {
    for (long i = 0; i < n; ++i) pong.push(ping.value_pop());
  });
  bf::fiber forth = bench::start_fiber([&] {
    for (long i = 0; i < n; ++i) {
      ping.push(i);
      bench::check(pong.value_pop() == i, "the value that came back");
    }
  });
  back.join();
  forth.join();
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"pingpong", pingpong};

}  // namespace
