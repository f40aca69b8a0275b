// Timers and timeouts that do not fire, by the number of timers that are armed meanwhile.
#include <chrono>
#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "counted.hpp"

namespace {

using namespace std::chrono_literals;

// While it lives, so many goroutines wait with a timeout of about an hour each.
class armed_timers {
 public:
  explicit armed_timers(long count) {
    for (long i = 0; i < count; ++i) {
      waiting_.go([this, i] { (void)stop_.recv_for(1h + std::chrono::seconds(i % 1000)); });
    }
    for (int i = 0; i < 3; ++i) runnel::yield();
  }
  armed_timers(const armed_timers&) = delete;
  armed_timers& operator=(const armed_timers&) = delete;
  ~armed_timers() {
    stop_.close();
    waiting_.wait();
  }

 private:
  runnel::chan<void> stop_;
  runnel::wait_group waiting_;
};

void make_and_stop(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) {
    runnel::timer t(10s);
    benchmark::DoNotOptimize(t.stop());
  }
}

void reset(benchmark::State& state) {
  runnel::timer t(10s);
  const micro::counted allocations(state);
  for (auto _ : state) benchmark::DoNotOptimize(t.reset(10s));
}

void after_func_and_stop(benchmark::State& state) {
  const armed_timers others(state.range(0));
  const micro::counted allocations(state);
  for (auto _ : state) {
    runnel::timer t = runnel::after_func(10s, [] {});
    benchmark::DoNotOptimize(t.stop());
  }
}

void recv_for_value_there(benchmark::State& state) {
  const runnel::chan<long> ch(1);
  const micro::counted allocations(state);
  for (auto _ : state) {
    ch.send(1);
    benchmark::DoNotOptimize(ch.recv_for(10s));
  }
}

// Parks with a timeout each time; so many other timers are armed.
void recv_for_parked(benchmark::State& state) {
  const armed_timers others(state.range(0));
  const runnel::chan<long> ch;
  runnel::wait_group wg;
  wg.go([&] {
    while (ch.recv_for(10s)) {
    }
  });
  {
    const micro::counted allocations(state);
    for (auto _ : state) ch.send(1);
  }
  ch.close();
  wg.wait();
}

void with_timeout(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) {
    auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 10s);
    benchmark::DoNotOptimize(&ctx);
  }
}

BENCHMARK(make_and_stop)->UseRealTime();
BENCHMARK(reset)->UseRealTime();
BENCHMARK(after_func_and_stop)->Arg(0)->Arg(10000)->UseRealTime();
BENCHMARK(recv_for_value_there)->UseRealTime();
BENCHMARK(recv_for_parked)->Arg(0)->Arg(10000)->UseRealTime();
BENCHMARK(with_timeout)->UseRealTime();

}  // namespace
