#include "arch/context.hpp"

#include <cstdint>
#include <cstring>

extern "C" void runnel_start() noexcept;

namespace runnel::detail {
namespace {

struct saved_context {  // the layout of switch.S
  std::uint32_t mxcsr;
  std::uint16_t x87;
  std::uint16_t unused;
  std::uint64_t r15, r14, r13, r12, rbx, rbp;
  void (*resume)();
};
static_assert(sizeof(saved_context) == 64);
static_assert(offsetof(saved_context, rbx) == 40 && offsetof(saved_context, resume) == 56);

}  // namespace

void* prepare_context(void* stack_top, context_entry entry, void* self) noexcept {
  auto top = reinterpret_cast<std::uintptr_t>(stack_top) & ~std::uintptr_t{15};
  auto* ctx = reinterpret_cast<saved_context*>(top - sizeof(saved_context));
  ctx->mxcsr = 0x1f80;  // the defaults of the ABI
  ctx->x87 = 0x037f;
  ctx->rbp = 0;
  ctx->rbx = reinterpret_cast<std::uint64_t>(entry);
  ctx->r12 = reinterpret_cast<std::uint64_t>(self);
  ctx->resume = runnel_start;
  return ctx;
}

}  // namespace runnel::detail
