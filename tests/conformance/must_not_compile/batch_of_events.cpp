// Events have no values that could be put into a vector.
#include <runnel/patterns.hpp>

int main() {
#ifdef MUST_FAIL
  const runnel::chan<void> c;
#else
  const runnel::chan<int> c;
#endif
  (void)runnel::batch(c, 10, std::chrono::seconds(1));
}
