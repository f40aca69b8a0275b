// The code of docs/guide.md, "Channels", "Select" and "Sharing data".
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <runnel/runnel.hpp>
#include <string>

using namespace std::chrono_literals;

namespace {

void closing() {
  // [closing]
  runnel::chan<std::string> lines(16);
  runnel::go([=] {
    for (const char* line : {"one", "two", "three"}) lines.send(line);
    lines.close();
  });
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  // [/closing]
}

// [directions]
// Gives 1 to n and closes. The caller can only receive.
runnel::recv_chan<int> count_to(int n) {
  runnel::chan<int> out;
  runnel::go([=] {
    for (int i = 1; i <= n; ++i) out.send(i);
    out.close();
  });
  return out;
}
// [/directions]

void selecting() {
  const runnel::recv_chan<int> numbers = count_to(3);
  runnel::chan<void> quit;
  // [select]
  bool more = true;
  while (more) {
    runnel::select(runnel::on_recv(numbers,
                                   [&](std::optional<int> n) {
                                     if (n) {
                                       std::printf("%d\n", *n);
                                     } else {
                                       more = false;  // closed
                                     }
                                   }),
                   runnel::on_recv(quit, [&] { more = false; }),
                   runnel::on_timeout(10s, [&] { more = false; }));
  }
  // [/select]
}

void switching() {
  const runnel::recv_chan<int> numbers = count_to(3);
  const runnel::chan<void> quit;
  // [switch]
  for (;;) {
    std::optional<int> n;
    switch (runnel::select(runnel::on_recv(numbers, n), runnel::on_recv(quit))) {
      case 0:
        if (!n) return;
        std::printf("%d\n", *n);
        break;
      case 1:
        return;
    }
  }
  // [/switch]
}

// [mutex]
class counters {
 public:
  void count(const std::string& key) {
    const std::scoped_lock lock(mu_);
    ++counts_[key];
  }
  int operator[](const std::string& key) {
    const std::scoped_lock lock(mu_);
    return counts_[key];
  }

 private:
  runnel::mutex mu_;
  std::map<std::string, int> counts_;  // guarded by mu_
};
// [/mutex]

void sharing() {
  counters hits;
  // [wait_group]
  runnel::wait_group all;
  for (int i = 0; i < 10; ++i) {
    all.go([&] { hits.count("home"); });
  }
  all.wait();
  // [/wait_group]
  std::printf("%d hits\n", hits["home"]);
}

}  // namespace

int main() {
  runnel::run([] {
    closing();
    selecting();
    switching();
    sharing();
  });
}
