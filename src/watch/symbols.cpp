#include "watch/symbols.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <dlfcn.h>

// The build names the library it found by the prefix of its functions: GCC's own libbacktrace, or the copy inside
// libstdc++ that std::stacktrace uses. Neither comes with a header everywhere.
#ifdef RUNNEL_BACKTRACE
extern "C" {
struct backtrace_state;
using runnel_backtrace_error = void (*)(void* data, const char* message, int error);
backtrace_state* runnel_backtrace_create(const char* file, int threaded, runnel_backtrace_error, void* data) //
    __asm__(RUNNEL_BACKTRACE "create_state");
int runnel_backtrace_pcinfo(backtrace_state*, std::uintptr_t pc,
                            int (*)(void* data, std::uintptr_t pc, const char* file, int line, const char* function),
                            runnel_backtrace_error, void* data) __asm__(RUNNEL_BACKTRACE "pcinfo");
int runnel_backtrace_syminfo(backtrace_state*, std::uintptr_t pc,
                             void (*)(void* data, std::uintptr_t pc, const char* name, std::uintptr_t value,
                                      std::uintptr_t size),
                             runnel_backtrace_error, void* data) __asm__(RUNNEL_BACKTRACE "syminfo");
}
#endif

namespace runnel::detail {
namespace {

const char* dynamic_symbol(std::uintptr_t pc) noexcept {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(pc), &info) != 0 ? info.dli_sname : nullptr;
}

bool begins(const char* text, const char* with) noexcept { return std::strncmp(text, with, std::strlen(with)) == 0; }

}  // namespace

#ifdef RUNNEL_BACKTRACE
namespace {

void ignore_error(void*, const char*, int) {}

backtrace_state* state() noexcept {
  static constinit std::atomic<backtrace_state*> shared{nullptr};
  backtrace_state* s = shared.load();
  if (s != nullptr) return s;
  s = runnel_backtrace_create(nullptr, 1, ignore_error, nullptr);
  backtrace_state* first = nullptr;
  return shared.compare_exchange_strong(first, s) ? s : first;  // states cannot be freed; a second one is rare
}

struct visit_call {
  void (*visit)(void*, const source_place&);
  void* arg;
  std::uintptr_t pc;
  source_place last;  // held back: the outermost one gets its name from the symbol table
  bool any = false;
};

bool mangled(const char* name) noexcept { return name != nullptr && name[0] == '_' && name[1] == 'Z'; }

int on_place(void* data, std::uintptr_t, const char* file, int line, const char* function) {
  auto& call = *static_cast<visit_call*>(data);
  if (file == nullptr && function == nullptr) return 0;
  if (call.any) call.visit(call.arg, call.last);
  call.last = {function, file, line};
  call.any = true;
  return 0;
}

}  // namespace

const char* symbol_at(std::uintptr_t pc) noexcept {
  const char* name = nullptr;
  if (backtrace_state* s = state()) {
    const auto keep = [](void* to, std::uintptr_t, const char* symbol, std::uintptr_t, std::uintptr_t) {
      *static_cast<const char**>(to) = symbol;
    };
    runnel_backtrace_syminfo(s, pc, keep, ignore_error, &name);
  }
  return name != nullptr ? name : dynamic_symbol(pc);
}

void places_at(std::uintptr_t pc, void (*visit)(void*, const source_place&), void* arg) noexcept {
  visit_call call{visit, arg, pc, {}, false};
  if (backtrace_state* s = state()) runnel_backtrace_pcinfo(s, pc, on_place, ignore_error, &call);
  if (!mangled(call.last.function)) {
    const char* symbol = symbol_at(pc);
    if (symbol != nullptr) call.last.function = symbol;
  }
  visit(arg, call.last);
}

#else

const char* symbol_at(std::uintptr_t pc) noexcept { return dynamic_symbol(pc); }

void places_at(std::uintptr_t pc, void (*visit)(void*, const source_place&), void* arg) noexcept {
  visit(arg, source_place{dynamic_symbol(pc), nullptr, 0});
}

#endif

void write_function(text_out& out, const char* function) {
  char* text = out.may_allocate() ? abi::__cxa_demangle(function, nullptr, nullptr, nullptr) : nullptr;
  out.write(text != nullptr ? text : function);
  std::free(text);
}

bool is_internal(const char* function) noexcept {
  if (function == nullptr) return false;
  if (begins(function, "runnel_")) return true;
  if (!begins(function, "_Z")) return false;
  static constexpr const char* calls[] = {"_ZSt13__invoke_impl", "_ZSt8__invoke",      "_ZSt10__invoke_r",
                                          "_ZSt6invoke",         "_ZSt12__apply_impl", "_ZSt5apply"};
  for (const char* call : calls)
    if (begins(function, call)) return true;
  function += 2;
  while (*function == 'Z' || *function == 'N' || *function == 'K') ++function;
  static constexpr const char* parts[] = {"6runnel6detail", "6runnel3runI", "6runnel2goI", "6runnel5asyncI"};
  for (const char* part : parts)
    if (begins(function, part)) return true;
  return false;
}

}  // namespace runnel::detail
