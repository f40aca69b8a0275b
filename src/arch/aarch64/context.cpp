#include "arch/context.hpp"

#include <cstdint>

extern "C" void runnel_start() noexcept;

namespace runnel::detail {
namespace {

struct saved_context {  // the layout of switch.S
  std::uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29;
  void (*x30)();
  double d[8];
  std::uint64_t fpcr;
  std::uint64_t unused[3];
};
static_assert(sizeof(saved_context) == 192);
static_assert(offsetof(saved_context, x30) == 88 && offsetof(saved_context, fpcr) == 160);

}  // namespace

void* prepare_context(void* stack_top, context_entry entry, void* self) noexcept {
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* ctx = reinterpret_cast<saved_context*>(top - sizeof(saved_context));
  ctx->x19 = reinterpret_cast<std::uint64_t>(entry);
  ctx->x20 = reinterpret_cast<std::uint64_t>(self);
  ctx->x29 = 0;
  ctx->x30 = runnel_start;
  ctx->fpcr = 0;  // round to nearest, no traps
  return ctx;
}

}  // namespace runnel::detail
