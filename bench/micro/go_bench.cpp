// Starting goroutines and switching between them.
#include <array>
#include <atomic>
#include <cstddef>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "counted.hpp"

namespace {

// One iteration: to the other goroutine and back, two switches.
void yield_between_two(benchmark::State& state) {
  std::atomic<bool> stop = false;
  runnel::wait_group wg;
  wg.go([&] {
    while (!stop) runnel::yield();
  });
  {
    const micro::counted allocations(state);
    for (auto _ : state) runnel::yield();
  }
  stop = true;
  wg.wait();
}

void yield_alone(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) runnel::yield();
}

// One iteration: a goroutine started, run and waited for.
void spawn_and_wait(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) {
    runnel::wait_group wg;
    wg.go([] {});
    wg.wait();
  }
}

// The same, so many at a time; the time is that of all of them.
void spawn_batch(benchmark::State& state) {
  const micro::counted allocations(state);
  const auto batch = static_cast<int>(state.range(0));
  for (auto _ : state) {
    runnel::wait_group wg;
    wg.add(batch);
    for (int i = 0; i < batch; ++i) runnel::go([&wg] { wg.done(); });
    wg.wait();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

// A closure that carries so many bytes onto the goroutine's stack.
template <std::size_t Bytes>
void spawn_capturing(benchmark::State& state) {
  const micro::counted allocations(state);
  const std::array<std::byte, Bytes> captured{};
  for (auto _ : state) {
    runnel::wait_group wg;
    wg.go([captured] { benchmark::DoNotOptimize(captured.data()); });
    wg.wait();
  }
}

void async_and_get(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) benchmark::DoNotOptimize(runnel::async([] { return 1; }).get());
}

BENCHMARK(yield_between_two)->UseRealTime();
BENCHMARK(yield_alone)->UseRealTime();
BENCHMARK(spawn_and_wait)->UseRealTime();
BENCHMARK(spawn_batch)->Arg(10)->Arg(1000)->Arg(100000)->UseRealTime();
BENCHMARK(spawn_capturing<64>)->UseRealTime();
BENCHMARK(spawn_capturing<1024>)->UseRealTime();
BENCHMARK(async_and_get)->UseRealTime();

}  // namespace
