// Integers through one channel, from a number of producers to a number of consumers.
#pragma once
#include <cstddef>
#include <numeric>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <vector>

#include "common/bench.hpp"

namespace bench {

inline void runnel_pipe(const args& a, int capacity, int producers, int consumers) {
  const long n = a.count(2'000'000);
  const runnel::chan<int> ch(capacity);
  runnel::wait_group producing;
  runnel::wait_group consuming;
  std::vector<long> got(static_cast<std::size_t>(consumers));
  const auto start = clock::now();
  for (int p = 0; p < producers; ++p) {
    producing.go([&] {
      for (long i = 0; i < n / producers; ++i) ch.send(static_cast<int>(i));
    });
  }
  for (long& mine : got) {
    consuming.go([&] {
      long k = 0;
      while (ch.recv()) ++k;
      mine = k;
    });
  }
  producing.wait();
  ch.close();
  consuming.wait();
  emit_per_op(a, start, n);
  check(std::accumulate(got.begin(), got.end(), 0L) == n / producers * producers, "items received");
}

}  // namespace bench
