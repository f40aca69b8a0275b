// What the C++ peers share: arguments, clocks, output, checks, and the table of workloads.
//
// Each peer is one program. Its workloads stand in one file per workload
// (bench/peers/WORKLOAD/PEER.cpp), each of which puts itself into the table with a static
// `workload` object; the peer's main function sets its runtime up and calls the one that was asked
// for. A workload checks its answer and exits with status 1 when it is wrong.
#pragma once
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

struct args {
  std::string workload;
  int threads = 1;
  long n = 0;
  int port = 7000;
  std::string opt;  // a variant of the peer's own; its main file says which there are

  [[nodiscard]] long count(long standard) const { return n > 0 ? n : standard; }
};

inline args parse(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) {
    std::fprintf(stderr, "usage: %s WORKLOAD [--threads N] [--n N] [--port P] [--opt X]\n",
                 argv[0]);
    std::exit(2);
  }
  args a;
  a.workload = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    if (key == "--threads") {
      a.threads = std::atoi(argv[i + 1]);
    } else if (key == "--n") {
      a.n = std::atol(argv[i + 1]);
    } else if (key == "--port") {
      a.port = std::atoi(argv[i + 1]);
    } else if (key == "--opt") {
      a.opt = argv[i + 1];
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      std::exit(2);
    }
  }
  return a;
}

// A named workload; constructing one (statically) registers it.
class workload {
 public:
  using function = void (*)(const args&);

  workload(std::string_view name, function run) { table().emplace_back(name, run); }

  // The function registered under this name. Ends the program with status 3 where there is none:
  // the peer lacks what the workload needs.
  static function find(std::string_view name) {
    for (const auto& [known, run] : table()) {
      if (known == name) return run;
    }
    std::fprintf(stderr, "n/a\n");
    std::exit(3);
  }

 private:
  static std::vector<std::pair<std::string_view, function>>& table() {
    static std::vector<std::pair<std::string_view, function>> entries;
    return entries;
  }
};

using clock = std::chrono::steady_clock;

inline double ns_since(clock::time_point start) {
  return std::chrono::duration<double, std::nano>(clock::now() - start).count();
}

inline void emit(std::string_view name, const args& a, double value, const char* unit) {
  std::printf("%.*s\t%d\t%.4g\t%s\n", static_cast<int>(name.size()), name.data(), a.threads, value,
              unit);
  std::fflush(stdout);
}

inline void emit_per_op(const args& a, clock::time_point start, long ops) {
  emit(a.workload, a, ns_since(start) / static_cast<double>(ops), "ns");
}

inline void check(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "wrong answer: %s\n", what);
  std::_Exit(1);
}

inline double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

inline long rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6) * 1024;
  }
  return -1;
}

// A linear congruential generator, so that the sleepers of every peer sleep alike.
class sleep_lengths {
 public:
  explicit sleep_lengths(std::uint64_t seed) : state_(seed * 2654435761U + 12345) {}
  std::chrono::milliseconds next() {  // 1 to 500 ms
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return std::chrono::milliseconds(1 + (state_ >> 33) % 500);
  }

 private:
  std::uint64_t state_;
};

inline int fib_sequential(int k) {
  return k < 2 ? k : fib_sequential(k - 1) + fib_sequential(k - 2);
}

inline constexpr int rounds_per_us = 800;  // of the chain in busy(): about a microsecond at 4 GHz

// Work that neither memory nor the runtime takes part in: a chain of multiplications that no
// compiler can shorten. Every peer does the
// same number of rounds, so that only the quotient of two runs of one peer matters, not the
// processor's speed.
[[gnu::noinline]] inline std::uint64_t busy(std::uint64_t x, int microseconds) {
  for (int i = 0; i < microseconds * rounds_per_us; ++i) {
    x = (x ^ (x >> 29)) * 6364136223846793005U + 1442695040888963407U;
  }
  return x;
}

}  // namespace bench
