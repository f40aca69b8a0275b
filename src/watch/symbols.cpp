#include "watch/symbols.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <runnel/detail/config.hpp>

// The build names the library it found by the prefix of its functions: GCC's own libbacktrace, or
// the copy inside libstdc++ that std::stacktrace uses. Neither comes with a header everywhere.
#ifdef RUNNEL_BACKTRACE
extern "C" {
struct backtrace_state;
using runnel_backtrace_error = void (*)(void* data, const char* message, int error);
backtrace_state* runnel_backtrace_create(const char* file, int threaded, runnel_backtrace_error,
                                         void* data)  //
    __asm__(RUNNEL_BACKTRACE "create_state");
int runnel_backtrace_pcinfo(backtrace_state*, std::uintptr_t pc,
                            int (*)(void* data, std::uintptr_t pc, const char* file, int line,
                                    const char* function),
                            runnel_backtrace_error, void* data) __asm__(RUNNEL_BACKTRACE "pcinfo");
int runnel_backtrace_syminfo(backtrace_state*, std::uintptr_t pc,
                             void (*)(void* data, std::uintptr_t pc, const char* name,
                                      std::uintptr_t value, std::uintptr_t size),
                             runnel_backtrace_error,
                             void* data) __asm__(RUNNEL_BACKTRACE "syminfo");
}
#endif

namespace runnel::detail {
namespace {

const char* dynamic_symbol(std::uintptr_t pc) noexcept {
  Dl_info info{};
  return dladdr(reinterpret_cast<void*>(pc), &info) != 0 ? info.dli_sname : nullptr;
}

bool mangled(const char* name) noexcept {
  return name != nullptr && name[0] == '_' && name[1] == 'Z';
}

bool begins(const char* text, const char* with) noexcept {
  return std::strncmp(text, with, std::strlen(with)) == 0;
}

// Below, mangled names come without their _Z and N, K, Z.
constexpr const char* std_calls[] = {"St13__invoke_impl", "St8__invoke",      "St10__invoke_r",
                                     "St6invoke",         "St12__apply_impl", "St5apply"};
constexpr const char* plain_std_calls[] = {"__invoke", "invoke<", "apply<", "__apply_impl"};
constexpr const char* wrappers[] = {"6runnel6detail18run_inline_closure",
                                    "6runnel6detail16run_heap_closure",
                                    "6runnel6detail10go_closure", "6runnel3runI"};
constexpr const char* ours[] = {"6runnel6detail", "6runnel2goI", "6runnel5asyncI"};
constexpr const char* machinery[] = {
    "6runnel6detail11switch_away", "6runnel6detail4parkE", "6runnel6detail10park_untilE",
    "6runnel6detail12_GLOBAL__N_114park_goroutine", "6runnel6detail12_GLOBAL__N_114goroutine_main"};

template <std::size_t N>
bool begins_one_of(const char* text, const char* const (&starts)[N]) noexcept {
  for (const char* start : starts)
    if (begins(text, start)) return true;
  return false;
}

const char* without_prefix(const char* mangled) noexcept {
  mangled += 2;
  while (*mangled == 'Z' || *mangled == 'N' || *mangled == 'K') ++mangled;
  return mangled;
}

// How much of __FILE__ is the folder of the library's sources.
constexpr std::size_t sources_length = sizeof __FILE__ - sizeof "watch/symbols.cpp";

// An inlined function's name, as the debug information has it: without its scope.
bool is_plain_internal(const source_place& place) noexcept {
  if (place.file == nullptr) return false;
  if (std::strncmp(place.file, __FILE__, sources_length) == 0) return true;
  return std::strstr(place.file, "runnel/detail/") != nullptr ||
         std::strstr(place.file, "runnel/go.hpp") != nullptr ||
         (std::strstr(place.file, "/c++/") != nullptr &&
          begins_one_of(place.function, plain_std_calls));
}

}  // namespace

#ifdef RUNNEL_BACKTRACE
namespace {

#if RUNNEL_TSAN
// Where the library keeps its callers apart itself, by atomic operations, ThreadSanitizer does not see it: it is not built
// with it. So one at a time there.
constinit std::mutex one_at_a_time;
class looking_up {
 private:
  const std::lock_guard<std::mutex> lock_{one_at_a_time};
};
#else
class looking_up {};
#endif

void ignore_error(void*, const char*, int) {}

backtrace_state* state() noexcept {
  static constinit std::atomic<backtrace_state*> shared{nullptr};
  backtrace_state* s = shared.load();
  if (s != nullptr) return s;
  s = runnel_backtrace_create(nullptr, 1, ignore_error, nullptr);
  backtrace_state* first = nullptr;
  return shared.compare_exchange_strong(first, s)
             ? s
             : first;  // states cannot be freed; a second one is rare
}

struct visit_call {
  void (*visit)(void*, const source_place&);
  void* arg;
  const char* symbol;
  source_place last;  // held back: the outermost one gets its name from the symbol table
  bool any = false;
};

int on_place(void* data, std::uintptr_t, const char* file, int line, const char* function) {
  auto& call = *static_cast<visit_call*>(data);
  if (file == nullptr && function == nullptr) return 0;
  if (call.any) {
    call.last.within = call.symbol;
    call.visit(call.arg, call.last);
  }
  call.last = {function, file, line};
  call.any = true;
  return 0;
}

}  // namespace

const char* symbol_at(std::uintptr_t pc) noexcept {
  const char* name = nullptr;
  if (backtrace_state* s = state()) {
    [[maybe_unused]] const looking_up here;
    const auto keep = [](void* to, std::uintptr_t, const char* symbol, std::uintptr_t,
                         std::uintptr_t) { *static_cast<const char**>(to) = symbol; };
    runnel_backtrace_syminfo(s, pc, keep, ignore_error, &name);
  }
  return name != nullptr ? name : dynamic_symbol(pc);
}

void places_at(std::uintptr_t pc, void (*visit)(void*, const source_place&), void* arg) noexcept {
  visit_call call{visit, arg, symbol_at(pc), {}, false};
  if (backtrace_state* s = state()) {
    [[maybe_unused]] const looking_up here;
    runnel_backtrace_pcinfo(s, pc, on_place, ignore_error, &call);
  }
  if (!mangled(call.last.function) && call.symbol != nullptr) call.last.function = call.symbol;
  visit(arg, call.last);
}

#else

const char* symbol_at(std::uintptr_t pc) noexcept { return dynamic_symbol(pc); }

void places_at(std::uintptr_t pc, void (*visit)(void*, const source_place&), void* arg) noexcept {
  visit(arg, source_place{dynamic_symbol(pc), nullptr, 0});
}

#endif

void write_function(text_out& out, const source_place& place) {
  const bool lambda = place.within != nullptr && std::strcmp(place.function, "operator()") == 0;
  const char* function = lambda ? place.within : place.function;
  // Only what is one: to the demangler `f` alone is the type float.
  char* text = out.may_allocate() && mangled(function)
                   ? abi::__cxa_demangle(function, nullptr, nullptr, nullptr)
                   : nullptr;
  out.write(text != nullptr ? text : function);
  std::free(text);
}

bool is_internal(const source_place& place) noexcept {
  if (place.function == nullptr) return false;
  if (begins(place.function, "runnel_")) return true;
  if (!mangled(place.function)) return is_plain_internal(place);
  const char* function = without_prefix(place.function);
  // Without debug information the program's code may be hidden in these, inlined, and they name it.
  if (place.file == nullptr && begins_one_of(function, wrappers))
    return std::strstr(function, "12main_closure") != nullptr;
  return begins_one_of(function, std_calls) || begins_one_of(function, wrappers) ||
         begins_one_of(function, ours);
}

bool is_machinery(const source_place& place) noexcept {
  if (place.function == nullptr) return false;
  if (begins(place.function, "runnel_")) return true;
  return mangled(place.function) && begins_one_of(without_prefix(place.function), machinery);
}

}  // namespace runnel::detail
