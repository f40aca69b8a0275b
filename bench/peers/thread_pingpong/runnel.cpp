// A plain thread asks, a goroutine answers, over two unbuffered channels.
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <thread>

#include "common/bench.hpp"

namespace {

void thread_pingpong(const bench::args& a) {
  const long n = a.count(200'000);
  const runnel::chan<long> ping;
  const runnel::chan<long> pong;
  runnel::go([ping, pong] {
    while (const auto asked = ping.recv()) pong.send(*asked);
  });
  const auto start = bench::clock::now();
  std::thread asker([&] {
    for (long i = 0; i < n; ++i) {
      ping.send(i);
      bench::check(*pong.recv() == i, "the value that came back");
    }
    ping.close();
  });
  runnel::blocking([&] { asker.join(); });
  bench::emit_per_op(a, start, n);
}

const bench::workload registered{"thread_pingpong", thread_pingpong};

}  // namespace
