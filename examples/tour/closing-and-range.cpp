// Closing and range: how a receiver learns that no more will come
#include <cstdio>
#include <runnel/runnel.hpp>

int main() {
  runnel::run([] {
    std::puts(
        "# The sender closes the channel when it has sent everything; a range-for over it takes\n"
        "# values until then.");
    runnel::chan<int> numbers;
    runnel::go([=] {
      for (int i = 1; i <= 3; ++i) numbers.send(i);
      numbers.close();
    });
    for (int n : numbers) std::printf("got %d\n", n);
    std::puts("closed");

    std::puts(
        "\n# What is in the buffer stays receivable. After it, recv returns nullopt at once.");
    runnel::chan<char> letters(2);
    letters.send('a');
    letters.send('b');
    letters.close();
    while (auto letter = letters.recv()) std::printf("got %c\n", *letter);
    std::printf("has a value: %s\n", letters.recv().has_value() ? "true" : "false");

    std::puts(
        "\n# Sending on a closed channel, and closing it again, are mistakes of the program.");
    try {
      letters.send('c');
    } catch (const runnel::closed_channel& e) {
      std::printf("send: %s\n", e.what());
    }
    try {
      letters.close();
    } catch (const runnel::closed_channel& e) {
      std::printf("close: %s\n", e.what());
    }

    std::puts(
        "\n# One close wakes every receiver, however many wait. So a chan<void> that is only ever\n"
        "# closed is a signal to all.");
    runnel::chan<void> go_home;
    runnel::chan<int> gone(5);
    for (int i = 1; i <= 5; ++i) {
      runnel::go([=] {
        go_home.recv();
        gone.send(i);
      });
    }
    go_home.close();
    int count = 0;
    while (count < 5) {
      gone.recv();
      ++count;
    }
    std::printf("%d went home\n", count);
  });
  return 0;
}
