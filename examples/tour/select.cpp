// Select: wait for several channels at once
#include <cstdio>
#include <optional>
#include <runnel/runnel.hpp>

int main() {
  runnel::run([] {
    std::puts(
        "# select waits until one of its cases can go ahead, and does that one. Here a goroutine\n"
        "# sends Fibonacci numbers until it is told to quit.");
    runnel::chan<int> numbers;
    runnel::chan<void> quit;
    runnel::chan<void> ended;
    runnel::go([=] {
      int x = 0, y = 1;
      bool more = true;
      while (more) {
        runnel::select(runnel::on_send(numbers, x,
                                       [&] {
                                         const int next = x + y;
                                         x = y;
                                         y = next;
                                       }),
                       runnel::on_recv(quit, [&] { more = false; }));
      }
      ended.close();
    });
    for (int i = 0; i < 10; ++i) std::printf("%d ", *numbers.recv());
    quit.close();
    ended.recv();
    std::puts("quit");

    std::puts(
        "\n# otherwise() goes ahead when no other case can at once: a select with it never waits.");
    runnel::select(runnel::on_recv(numbers, [] { std::puts("a number"); }),
                   runnel::otherwise([] { std::puts("nothing there"); }));

    std::puts(
        "\n# A nil channel is never ready. So a case is switched off by setting its channel to\n"
        "# nullptr: here each input, once it is closed.");
    runnel::chan<int> odd, even;
    runnel::go([=] {
      for (int i = 1; i < 10; i += 2) odd.send(i);
      odd.close();
    });
    runnel::go([=] {
      for (int i = 2; i < 10; i += 2) even.send(i);
      even.close();
    });
    int sum = 0;
    while (odd || even) {
      std::optional<int> n;
      // Without handlers, select returns the index of the case that went ahead.
      switch (runnel::select(runnel::on_recv(odd, n), runnel::on_recv(even, n))) {
        case 0:
          if (!n) odd = nullptr;
          break;
        case 1:
          if (!n) even = nullptr;
          break;
      }
      sum += n.value_or(0);
    }
    std::printf("1 + 2 + ... + 9 = %d\n", sum);

    std::puts(
        "\n# Of several cases that are ready, one is picked at random, so none is starved;\n"
        "# select_ordered() takes the first instead.");
  });
  return 0;
}
