// Channel operations: by element size, by capacity, by the number of goroutines on one channel.
#include <array>
#include <cstddef>
#include <memory>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <string>
#include <thread>
#include <utility>

#include "counted.hpp"

namespace {

template <std::size_t Bytes>
using block = std::array<std::byte, Bytes>;

// Send into the buffer and receive from it, in one goroutine: no switch.
template <class T>
void buffered_send_recv(benchmark::State& state) {
  const runnel::chan<T> ch(16);
  const micro::counted allocations(state);
  for (auto _ : state) {
    ch.send(T{});
    benchmark::DoNotOptimize(ch.recv());
  }
}

void try_send_try_recv(benchmark::State& state) {
  const runnel::chan<long> ch(16);
  const micro::counted allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(ch.try_send(1));
    benchmark::DoNotOptimize(ch.try_recv());
  }
}

void try_recv_empty(benchmark::State& state) {
  const runnel::chan<long> ch(16);
  const micro::counted allocations(state);
  for (auto _ : state) benchmark::DoNotOptimize(ch.try_recv());
}

void try_send_full(benchmark::State& state) {
  const runnel::chan<long> ch(1);
  ch.send(1);
  const micro::counted allocations(state);
  for (auto _ : state) benchmark::DoNotOptimize(ch.try_send(1));
}

// A stream to another goroutine, by capacity; 0 parks and readies for every item.
template <class T>
void stream(benchmark::State& state) {
  const runnel::chan<T> ch(state.range(0));
  runnel::wait_group wg;
  wg.go([&] {
    while (ch.recv()) {
    }
  });
  {
    const micro::counted allocations(state);
    for (auto _ : state) ch.send(T{});
  }
  ch.close();
  wg.wait();
}

void unbounded_stream(benchmark::State& state) {
  const runnel::chan<long> ch{runnel::unbounded};
  const micro::counted allocations(state);
  for (auto _ : state) {
    ch.send(1);
    benchmark::DoNotOptimize(ch.recv());
  }
}

// So many senders and as many receivers on one channel of capacity 128; the time is per item.
void contended(benchmark::State& state) {
  const auto width = static_cast<int>(state.range(0));
  const runnel::chan<long> ch(128);
  constexpr int batch = 1024;
  for (auto _ : state) {
    runnel::wait_group wg;
    for (int g = 0; g < width; ++g) {
      wg.go([&] {
        for (int i = 0; i < batch; ++i) ch.send(i);
      });
      wg.go([&] {
        for (int i = 0; i < batch; ++i) ch.recv();
      });
    }
    wg.wait();
  }
  state.SetItemsProcessed(state.iterations() * width * batch);
}

// There and back between this goroutine and a plain thread.
void round_trip_to_thread(benchmark::State& state) {
  const runnel::chan<long> there;
  const runnel::chan<long> back;
  std::thread echo([&] {
    while (const auto v = there.recv()) back.send(*v);
  });
  for (auto _ : state) {
    there.send(1);
    benchmark::DoNotOptimize(back.recv());
  }
  there.close();
  echo.join();
}

void make_and_drop(benchmark::State& state) {
  const micro::counted allocations(state);
  for (auto _ : state) {
    const runnel::chan<long> ch(state.range(0));
    benchmark::DoNotOptimize(&ch);
  }
}

// A goroutine parked on a receive is readied, runs and parks again: park and ready with the least
// around them.
void park_and_ready(benchmark::State& state) {
  const runnel::chan<void> ch;
  runnel::wait_group wg;
  wg.go([&] {
    while (ch.recv()) {
    }
  });
  {
    const micro::counted allocations(state);
    for (auto _ : state) ch.send();
  }
  ch.close();
  wg.wait();
}

BENCHMARK(buffered_send_recv<block<1>>)->UseRealTime();
BENCHMARK(buffered_send_recv<block<8>>)->UseRealTime();
BENCHMARK(buffered_send_recv<block<64>>)->UseRealTime();
BENCHMARK(buffered_send_recv<block<256>>)->UseRealTime();
BENCHMARK(buffered_send_recv<block<1024>>)->UseRealTime();
BENCHMARK(buffered_send_recv<std::string>)->UseRealTime();
BENCHMARK(buffered_send_recv<std::unique_ptr<int>>)->UseRealTime();
BENCHMARK(try_send_try_recv)->UseRealTime();
BENCHMARK(try_recv_empty)->UseRealTime();
BENCHMARK(try_send_full)->UseRealTime();
BENCHMARK(stream<long>)->Arg(0)->Arg(1)->Arg(16)->Arg(128)->Arg(4096)->UseRealTime();
BENCHMARK(stream<block<256>>)->Arg(0)->Arg(128)->UseRealTime();
BENCHMARK(unbounded_stream)->UseRealTime();
BENCHMARK(contended)->Arg(1)->Arg(2)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();
BENCHMARK(round_trip_to_thread)->UseRealTime();
BENCHMARK(make_and_drop)->Arg(0)->Arg(128)->UseRealTime();
BENCHMARK(park_and_ready)->UseRealTime();

}  // namespace
