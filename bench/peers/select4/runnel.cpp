// Four producers, each on an unbuffered channel of its own; one consumer selects over the four.
#include <array>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>

#include "common/bench.hpp"

namespace {

void select4(const bench::args& a) {
  const long each = a.count(2'000'000) / 4;
  std::array<runnel::chan<long>, 4> c;
  const auto start = bench::clock::now();
  for (const auto& ch : c) {
    runnel::go([each, ch] {
      for (long i = 0; i < each; ++i) ch.send(i);
    });
  }
  const runnel::chan<long> done;
  runnel::go([&, done] {
    long sum = 0;
    const auto add = [&sum](std::optional<long> v) { sum += *v; };
    for (long i = 0; i < 4 * each; ++i) {
      runnel::select(runnel::on_recv(c[0], add), runnel::on_recv(c[1], add),
                     runnel::on_recv(c[2], add), runnel::on_recv(c[3], add));
    }
    done.send(sum);
  });
  const long sum = *done.recv();
  bench::emit_per_op(a, start, 4 * each);
  bench::check(sum == 4 * (each * (each - 1) / 2), "sum of what was received");
}

const bench::workload registered{"select4", select4};

}  // namespace
