#include "watch/stack_walk.hpp"

#include <unwind.h>

#include "arch/context.hpp"

namespace runnel::detail {
namespace {

// What the unwinder needs below a suspended context.
constexpr std::size_t room_to_walk = 6 * 1024;

struct walk {
  walked_stack* into;
  std::uintptr_t from;
};

RUNNEL_UNCHECKED _Unwind_Reason_Code on_frame(_Unwind_Context* context, void* arg) {
  auto& w = *static_cast<walk*>(arg);
  int exact = 0;
  std::uintptr_t pc = _Unwind_GetIPInfo(context, &exact);
  if (pc == 0 || w.into->count >= walked_stack::most) return _URC_END_OF_STACK;
  if (w.from != 0) {
    if (pc != w.from) return _URC_NO_REASON;
    w.from = 0;
  }
  if (exact == 0) --pc;  // a return address: the call lies before it
  w.into->add(pc);
  return _URC_NO_REASON;
}

RUNNEL_UNCHECKED void walk_from_here(void* arg) { _Unwind_Backtrace(on_frame, arg); }

}  // namespace

RUNNEL_UNCHECKED void walked_stack::add(std::uintptr_t pc) noexcept {
  if (count < inner_room)
    inner[count] = pc;
  else
    outer[(count - inner_room) % outer_room] = pc;
  ++count;
}

std::uint32_t walked_stack::kept() const noexcept {
  return count < inner_room + outer_room ? count : inner_room + outer_room;
}

std::uint32_t walked_stack::left_out() const noexcept { return count - kept(); }

std::uintptr_t walked_stack::at(std::uint32_t i) const noexcept {
  if (i < inner_room) return inner[i];
  return outer[(i + left_out() - inner_room) % outer_room];
}

void walk_own_stack(walked_stack& into, std::uintptr_t from) noexcept {
  into.count = 0;
  walk w{&into, from};
  walk_from_here(&w);
}

RUNNEL_UNCHECKED void walk_parked_stack(goroutine& g, walked_stack& into) noexcept {
  into.count = 0;
  const auto* sp = static_cast<std::byte*>(g.sp);
  if (sp < g.low + room_to_walk) return;
  walk w{&into, 0};
  runnel_walk(g.sp, walk_from_here, &w);
}

}  // namespace runnel::detail
