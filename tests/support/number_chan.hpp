// Channels of numbers for the tests of patterns.
#pragma once
#include <optional>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/patterns.hpp>

namespace runnel_test {

/// A closed channel with the numbers 0 to n - 1.
inline runnel::recv_chan<int> numbers(int n) {
  const runnel::chan<int> c(n);
  for (int i = 0; i < n; ++i) c.send(i);
  c.close();
  return c;
}

/// The numbers from 0 without end.
inline runnel::recv_chan<int> endless() {
  return runnel::generate(runnel::background(),
                          [i = 0]() mutable { return std::optional<int>(i++); });
}

}  // namespace runnel_test
