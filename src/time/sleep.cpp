#include <algorithm>

#include <runnel/detail/timer_core.hpp>

namespace runnel::detail {

// Who sleeps for ever waits for the clock and not for somebody: to the deadlock report he is one who will go on, as in Go.
void sleep_until_ns(std::int64_t deadline) {
  check_attention();
  if (has_come(deadline)) return;
  claim_word claim{unclaimed};
  if (!park_until(
          wait_reason::sleep, [](void*) {}, nullptr, claim, std::min(deadline, never - 1)))
    throw_deadlock();
}

}  // namespace runnel::detail
