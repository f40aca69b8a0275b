#include <runnel/detail/timer_core.hpp>

namespace runnel::detail {

void sleep_until_ns(std::int64_t deadline) {
  check_attention();
  if (deadline == never) park_forever(wait_reason::sleep);
  if (has_come(deadline)) return;
  claim_word claim{unclaimed};
  if (!park_until(
          wait_reason::sleep, [](void*) {}, nullptr, claim, deadline))
    throw_deadlock();
}

}  // namespace runnel::detail
