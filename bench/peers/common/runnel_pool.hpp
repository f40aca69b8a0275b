// Four workers that take closures from one channel and send their results on another.
#pragma once
#include <functional>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "common/bench.hpp"

namespace bench {

// `make_task(i)` gives the i-th closure, which returns a long; returns the sum of what the n
// closures returned.
template <class MakeTask>
long runnel_pool(int capacity, long n, MakeTask make_task) {
  const runnel::chan<std::function<long()>> tasks(capacity);
  const runnel::chan<long> results(capacity);
  runnel::wait_group workers;
  for (int w = 0; w < 4; ++w) {
    workers.go([&] {
      while (auto task = tasks.recv()) results.send((*task)());
    });
  }
  runnel::go([&] {
    for (long i = 0; i < n; ++i) tasks.send(make_task(i));
    tasks.close();
    workers.wait();
    results.close();
  });
  long sum = 0;
  while (const auto result = results.recv()) sum += *result;
  return sum;
}

inline void runnel_pool_workload(const args& a, int capacity) {
  const long n = a.count(1'000'000);
  const auto start = clock::now();
  const long sum = runnel_pool(capacity, n, [](long i) { return [i] { return i; }; });
  emit_per_op(a, start, n);
  check(sum == n * (n - 1) / 2, "sum of the results");
}

}  // namespace bench
