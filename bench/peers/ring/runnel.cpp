// 503 goroutines in a ring of unbuffered channels; a token makes n hops.
#include <array>
#include <cstddef>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>

#include "common/bench.hpp"

namespace {

void ring(const bench::args& a) {
  const long n = a.count(1'000'000);
  constexpr std::size_t size = 503;
  const std::array<runnel::chan<long>, size> ch;
  const runnel::chan<void> done;
  for (std::size_t i = 0; i < size; ++i) {
    runnel::go([in = ch[i], out = ch[(i + 1) % size], done] {
      while (const auto token = in.recv()) {
        if (*token == 0) {
          done.close();
          return;
        }
        out.send(*token - 1);
      }
    });
  }
  const auto start = bench::clock::now();
  ch[0].send(n);
  done.recv();
  bench::emit_per_op(a, start, n);
  for (const auto& c : ch) c.close();
}

const bench::workload registered{"ring", ring};

}  // namespace
