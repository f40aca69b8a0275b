#include <iostream>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>

int main() {
  const int sum = runnel::run([] {
    const runnel::chan<int> numbers;
    runnel::go([numbers] {
      for (int i = 1; i <= 100; ++i) numbers.send(i);
      numbers.close();
    });
    int total = 0;
    for (const int n : numbers) total += n;
    return total;
  });
  std::cout << sum << '\n';
  return sum == 5050 ? 0 : 1;
}
