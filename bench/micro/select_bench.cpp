// Select, by the number of cases: one ready, none ready with `otherwise`, and parked until a value
// comes.
#include <cstddef>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <span>
#include <vector>

#include "counted.hpp"

namespace {

using channels = std::vector<runnel::chan<long>>;

channels make_channels(const benchmark::State& state, int capacity) {
  channels made;
  for (int i = 0; i < state.range(0); ++i) made.emplace_back(capacity);
  return made;
}

std::size_t select_over(const channels& all) {
  std::vector<runnel::select_case> cases;
  cases.reserve(all.size());
  for (const auto& ch : all) cases.emplace_back(runnel::on_recv(ch));
  return runnel::select(std::span(cases));
}

// One case of so many is ready; includes the vector of cases.
void span_one_ready(benchmark::State& state) {
  const channels all = make_channels(state, 1);
  for (auto _ : state) {
    all.back().send(1);
    benchmark::DoNotOptimize(select_over(all));
  }
}

// Parks on all of so many channels; another goroutine sends on the last.
void span_parked(benchmark::State& state) {
  const channels all = make_channels(state, 0);
  const runnel::chan<void> stop;
  runnel::wait_group wg;
  wg.go([&] {
    bool running = true;
    while (running) {
      runnel::select(runnel::on_send(all.back(), 1L),
                     runnel::on_recv(stop, [&](bool) { running = false; }));
    }
  });
  for (auto _ : state) benchmark::DoNotOptimize(select_over(all));
  stop.close();
  wg.wait();
}

void two_one_ready(benchmark::State& state) {
  const runnel::chan<long> a(1);
  const runnel::chan<long> b(1);
  const micro::counted allocations(state);
  for (auto _ : state) {
    b.send(1);
    benchmark::DoNotOptimize(runnel::select(runnel::on_recv(a), runnel::on_recv(b)));
  }
}

void one_and_otherwise(benchmark::State& state) {
  const runnel::chan<long> a(1);
  const micro::counted allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(runnel::select(runnel::on_recv(a), runnel::otherwise()));
  }
}

void four_and_otherwise(benchmark::State& state) {
  const runnel::chan<long> a(1);
  const runnel::chan<long> b(1);
  const runnel::chan<long> c(1);
  const runnel::chan<long> d(1);
  const micro::counted allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(runnel::select(runnel::on_recv(a), runnel::on_recv(b),
                                            runnel::on_recv(c), runnel::on_recv(d),
                                            runnel::otherwise()));
  }
}

BENCHMARK(one_and_otherwise)->UseRealTime();
BENCHMARK(four_and_otherwise)->UseRealTime();
BENCHMARK(two_one_ready)->UseRealTime();
BENCHMARK(span_one_ready)->Arg(1)->Arg(2)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();
BENCHMARK(span_parked)->Arg(1)->Arg(2)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();

}  // namespace
