// A receive with a timeout of ten seconds that never comes, a new timeout each time. Three ways to
// say it: a timeout case in a select (after_select), a receive from after() in a select
// (after_select_chan), recv_for (after_recv_for).
#include <chrono>
#include <optional>
#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>

#include "common/bench.hpp"

namespace {

using namespace std::chrono_literals;

// `receive(ch, sum)` receives one value and adds it.
template <class Receive>
void measure(const bench::args& a, Receive receive) {
  const long n = a.count(1'000'000);
  const runnel::chan<long> ch;
  runnel::go([ch, n] {
    for (long i = 0; i < n; ++i) ch.send(i);
  });
  long sum = 0;
  const auto start = bench::clock::now();
  for (long i = 0; i < n; ++i) receive(ch, sum);
  bench::emit_per_op(a, start, n);
  bench::check(sum == n * (n - 1) / 2, "sum of what was received");
}

void timed_out() { bench::check(false, "a timeout"); }

void timeout_case(const bench::args& a) {
  measure(a, [](const runnel::chan<long>& ch, long& sum) {
    runnel::select(runnel::on_recv(ch, [&](std::optional<long> v) { sum += *v; }),
                   runnel::on_timeout(10s, timed_out));
  });
}

void after_channel(const bench::args& a) {
  measure(a, [](const runnel::chan<long>& ch, long& sum) {
    runnel::select(runnel::on_recv(ch, [&](std::optional<long> v) { sum += *v; }),
                   runnel::on_recv(runnel::after(10s), timed_out));
  });
}

void recv_for(const bench::args& a) {
  measure(a, [](const runnel::chan<long>& ch, long& sum) {
    const auto v = ch.recv_for(10s);
    if (!v) timed_out();
    sum += *v;
  });
}

const bench::workload registered[] = {{"after_select", timeout_case},
                                      {"after_select_chan", after_channel},
                                      {"after_recv_for", recv_for}};

}  // namespace
