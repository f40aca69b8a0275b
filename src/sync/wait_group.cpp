#include <runnel/wait_group.hpp>

namespace runnel {

void wait_group::throw_out_of_range(int n) {
  throw std::logic_error(n < 0 ? "negative wait_group counter" : "wait_group counter too large");
}

}  // namespace runnel
