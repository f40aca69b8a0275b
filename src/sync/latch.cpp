#include <runnel/latch.hpp>

#include <stdexcept>

namespace runnel {

std::ptrdiff_t latch::checked(std::ptrdiff_t expected) {
  if (expected < 0 || expected > max()) throw std::invalid_argument("latch count out of range");
  return expected;
}

void latch::throw_misuse(std::ptrdiff_t n) {
  if (n < 0) throw std::invalid_argument("negative latch count_down");
  throw std::logic_error("negative latch counter");
}

}  // namespace runnel
