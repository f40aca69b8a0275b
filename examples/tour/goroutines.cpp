// Goroutines: functions that run at the same time
#include <cstdio>
#include <runnel/runnel.hpp>

int main() {
  runnel::run([] {
    std::puts(
        "# go(f, args...) starts f as a goroutine and goes on at once. Three of them square a\n"
        "# number each and send it over a channel; main receives until it has three.");
    runnel::chan<int> squares;
    for (int i = 1; i <= 3; ++i) {
      runnel::go([=] { squares.send(i * i); });
    }
    int sum = 0;
    for (int i = 1; i <= 3; ++i) sum += *squares.recv();
    std::printf("1 + 4 + 9 = %d\n", sum);

    std::puts(
        "\n# A goroutine costs a few kilobytes, not a thread. Ten thousand wait here at once, for "
        "a\n"
        "# channel to be closed; then each adds one to a sum.");
    runnel::chan<void> start;
    runnel::chan<int> ones(100);
    for (int i = 0; i < 10'000; ++i) {
      runnel::go([=] {
        start.recv();
        ones.send(1);
      });
    }
    start.close();
    int count = 0;
    for (int i = 0; i < 10'000; ++i) count += *ones.recv();
    std::printf("%d goroutines answered\n", count);

    std::puts(
        "\n# async(f, args...) is a goroutine with a result: get() waits for it, and throws what "
        "f\n"
        "# threw.");
    runnel::future<int> answer = runnel::async([](int a, int b) { return a * b; }, 6, 7);
    std::printf("6 x 7 = %d\n", answer.get());

    std::puts(
        "\n# run() gives back what its main function returns. Like Go's main, it does not wait "
        "for\n"
        "# goroutines that are still at work: wait for them yourself, with a channel as here or\n"
        "# with a wait_group.");
  });
  return 0;
}
