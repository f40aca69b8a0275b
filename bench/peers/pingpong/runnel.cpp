// A value to and fro between two goroutines over two unbuffered channels.
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace {

void pingpong(const bench::args& a) {
  const long n = a.count(1'000'000);
  const runnel::chan<long> ping;
  const runnel::chan<long> pong;
  runnel::wait_group wg;
  const auto start = bench::clock::now();
  wg.go([&] {
    for (long i = 0; i < n; ++i) pong.send(*ping.recv());
  });
  wg.go([&] {
    for (long i = 0; i < n; ++i) {
      ping.send(i);
      bench::check(*pong.recv() == i, "the value that came back");
    }
  });
  wg.wait();
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"pingpong", pingpong};

}  // namespace
