// A TCP echo server on the loopback interface, a goroutine for each connection; ends by itself after a
// minute.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/time.hpp>
#include <span>
#include <system_error>
#include <utility>

#include "common/bench.hpp"

namespace {

void serve(runnel::tcp_stream stream) {
  std::array<char, 4096> buffer{};
  std::error_code failure;
  for (;;) {
    const std::size_t n = stream.read_some(buffer, failure);
    if (n == 0) return;
    stream.write(std::span(buffer).first(n), failure);
    if (failure) return;
  }
}

void echo(const bench::args& a) {
  runnel::tcp_listener listener =
      runnel::listen(runnel::endpoint::loopback(static_cast<std::uint16_t>(a.port)));
  runnel::after_func(std::chrono::minutes(1), [] { std::_Exit(0); });  // bounded
  for (;;) runnel::go([stream = listener.accept()]() mutable { serve(std::move(stream)); });
}

const bench::workload registered{"echo", echo};

}  // namespace
