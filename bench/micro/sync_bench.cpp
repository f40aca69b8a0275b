// Locks and the like, uncontended and with so many goroutines.
#include <mutex>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <shared_mutex>

#include "counted.hpp"

namespace {

template <class Mutex>
void lock_unlock(benchmark::State& state) {
  Mutex m;
  const micro::counted allocations(state);
  for (auto _ : state) {
    const std::scoped_lock lock(m);
    benchmark::DoNotOptimize(&m);
  }
}

template <class Mutex>
void lock_shared(benchmark::State& state) {
  Mutex m;
  const micro::counted allocations(state);
  for (auto _ : state) {
    const std::shared_lock lock(m);
    benchmark::DoNotOptimize(&m);
  }
}

// The time is per lock and unlock.
void lock_contended(benchmark::State& state) {
  const auto width = static_cast<int>(state.range(0));
  constexpr int batch = 1024;
  runnel::mutex m;
  long counter = 0;
  for (auto _ : state) {
    runnel::wait_group wg;
    for (int g = 0; g < width; ++g) {
      wg.go([&] {
        for (int i = 0; i < batch; ++i) {
          const std::scoped_lock lock(m);
          ++counter;
        }
      });
    }
    wg.wait();
  }
  benchmark::DoNotOptimize(counter);
  state.SetItemsProcessed(state.iterations() * width * batch);
}

void semaphore_acquire_release(benchmark::State& state) {
  runnel::semaphore s(4);
  const micro::counted allocations(state);
  for (auto _ : state) {
    s.acquire();
    s.release();
  }
}

void wait_group_add_done_wait(benchmark::State& state) {
  runnel::wait_group wg;
  const micro::counted allocations(state);
  for (auto _ : state) {
    wg.add(1);
    wg.done();
    wg.wait();
  }
}

void once_done(benchmark::State& state) {
  runnel::once o;
  const micro::counted allocations(state);
  for (auto _ : state) o.call([] {});
}

BENCHMARK(lock_unlock<runnel::mutex>)->UseRealTime();
BENCHMARK(lock_unlock<runnel::shared_mutex>)->UseRealTime();
BENCHMARK(lock_unlock<std::mutex>)->UseRealTime();
BENCHMARK(lock_shared<runnel::shared_mutex>)->UseRealTime();
BENCHMARK(lock_shared<std::shared_mutex>)->UseRealTime();
BENCHMARK(lock_contended)->Arg(2)->Arg(8)->Arg(64)->UseRealTime();
BENCHMARK(semaphore_acquire_release)->UseRealTime();
BENCHMARK(wait_group_add_done_wait)->UseRealTime();
BENCHMARK(once_done)->UseRealTime();

}  // namespace
