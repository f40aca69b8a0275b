// Fan-out, fan-in: several goroutines take from one channel, one collects from them all
#include <cstdint>
#include <cstdio>
#include <runnel/runnel.hpp>
#include <vector>

namespace {

// Stage 1: the numbers 2 to last.
runnel::recv_chan<int> numbers(int last) {
  runnel::chan<int> out;
  runnel::go([=] {
    for (int n = 2; n <= last; ++n) out.send(n);
    out.close();
  });
  return out;
}

// Stage 2: passes the primes on. Several of these may receive from one `in`: each number goes to
// exactly one of them.
runnel::recv_chan<int> primes(runnel::recv_chan<int> in) {
  runnel::chan<int> out;
  runnel::go([=] {
    for (int n : in) {
      bool prime = true;
      for (int d = 2; d * d <= n && prime; ++d) prime = n % d != 0;
      if (prime) out.send(n);
    }
    out.close();
  });
  return out;
}

// Stage 3: one channel with what all of `ins` give, closed when all of them are.
runnel::recv_chan<int> merged(std::vector<runnel::recv_chan<int>> ins) {
  runnel::chan<int> out;
  runnel::go([=] {
    runnel::wait_group open;
    for (const auto& in : ins) {
      open.go([=] {
        for (int n : in) out.send(n);
      });
    }
    open.wait();
    out.close();
  });
  return out;
}

}  // namespace

int main() {
  runnel::run([] {
    std::puts(
        "# Fan-out: four goroutines take numbers from one channel, each as soon as it is free,\n"
        "# and pass the primes on. Fan-in: one channel collects what they find.");
    const runnel::recv_chan<int> source = numbers(10'000);
    std::vector<runnel::recv_chan<int>> found;
    for (int i = 0; i < 4; ++i) found.push_back(primes(source));

    int count = 0;
    std::int64_t sum = 0;
    for (int p : merged(found)) {
      ++count;
      sum += p;
    }
    std::printf("%d primes up to 10000; their sum is %lld\n", count, static_cast<long long>(sum));

    std::puts(
        "\n# The primes arrive in no particular order: whoever is done first sends first. Every\n"
        "# stage closes its output when its input is at its end, so the loop above ends by itself\n"
        "# and no goroutine is left behind.");
  });
  return 0;
}
