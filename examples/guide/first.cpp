#include <cstdio>
#include <runnel/runnel.hpp>

int main() {
  runnel::run([] {
    runnel::chan<int> answers;
    for (int i = 1; i <= 3; ++i) {
      runnel::go([=] { answers.send(i * i); });
    }
    for (int i = 1; i <= 3; ++i) std::printf("%d\n", *answers.recv());
  });
}
