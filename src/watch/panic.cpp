// The report is made by a chained std::terminate handler. A goroutine's first frame neither catches
// nor is noexcept, so the unwinder finds no handler and std::terminate runs on the throwing stack
// with nothing unwound.
//
// The exception's text and the user's handler are foreign code: they may park, throw or call
// std::terminate themselves. The steps of the report are numbered, and one that fails is not begun
// again.
#include "watch/panic.hpp"

#include <cxxabi.h>
#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <typeinfo>
#include <utility>

#include <runnel/error.hpp>
#include <runnel/go.hpp>

#include "base/output.hpp"
#include "sched/thread_agent.hpp"
#include "watch/dump.hpp"
#include "watch/report.hpp"
#include "watch/symbols.hpp"

namespace runnel {
namespace detail {
namespace {

using panic_handler = std::function<void(std::exception_ptr, const goroutine_info&)>;

constexpr std::int64_t handler_time = 1'000'000'000;  // for the program's own terminate handler

enum class step : std::uint32_t { user_handler, text, stack, done };

constinit std::atomic<std::terminate_handler> previous{nullptr};
constinit std::atomic<goroutine*> panicked{nullptr};
constinit std::atomic<std::int64_t> reported_at{0};
step next_step = step::user_handler;  // the panicking goroutine's only

// Never destroyed: goroutines outlive statics.
struct handler_slot {
  std::mutex mu;
  panic_handler handler;
};
handler_slot& user_handler() {
  static auto* slot = new handler_slot;
  return *slot;
}

// The frames from std::terminate to the throw are the machinery's.
std::uint32_t frames_before_throw(const walked_stack& stack) noexcept {
  static constexpr const char* machinery[] = {
      "__cxa_throw",       "__cxa_rethrow",          "_ZSt17rethrow_exception", "_ZSt9terminate",
      "__gxx_personality", "_Unwind_RaiseException", "_Unwind_Resume"};
  constexpr std::uint32_t near = 24;
  std::uint32_t skip = 0;
  for (std::uint32_t i = 0; i < stack.kept() && i < near; ++i) {
    const char* name = symbol_at(stack.at(i));
    if (name == nullptr) continue;
    for (const char* part : machinery)
      if (std::strstr(name, part) != nullptr) skip = i + 1;
  }
  return skip;
}

// -- what the exception says ----------------------------------------------------------------------

// Further lines are indented, so that they cannot be taken for the report's own.
void write_indented(text_out& out, std::string_view text) {
  for (;;) {
    const std::size_t end = text.find('\n');
    out.write(text.substr(0, end));
    if (end == std::string_view::npos) return;
    out.write("\n\t");
    text.remove_prefix(end + 1);
  }
}

void write_type(text_out& out, const std::type_info* type) {
  if (type == nullptr) {
    out.write("exception of a foreign language");
    return;
  }
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, nullptr);
  out.write("exception of type ");
  out.write(name != nullptr ? name : type->name());
  std::free(name);
}

// Of the exception being handled.
void write_text(text_out& out, int depth = 0) {
  constexpr int deepest = 20;
  try {
    throw;
  } catch (const std::exception& e) {
    const char* what = e.what();
    write_indented(out, what != nullptr ? what : "");
    const auto* nested = dynamic_cast<const std::nested_exception*>(&e);
    if (nested == nullptr || nested->nested_ptr() == nullptr || depth == deepest) return;
    try {
      nested->rethrow_nested();
    } catch (...) {
      out.write("\n\tcaused by: ");
      write_text(out, depth + 1);
    }
  } catch (const error& e) {
    write_indented(out, e.message());
  } catch (const std::string& text) {
    write_indented(out, text);
  } catch (const char* text) {
    write_indented(out, text != nullptr ? text : "");
  } catch (...) {
    write_type(out, abi::__cxa_current_exception_type());
  }
}

// -- the steps ------------------------------------------------------------------------------------

// Finding the names of functions takes long enough for the text to come first, where no handler has to.
void call_user_handler(const goroutine_view& view) noexcept {
  panic_handler handler;
  {
    const std::lock_guard hold(user_handler().mu);
    handler = user_handler().handler;
  }
  if (!handler) return;
  try {
    handler(std::current_exception(), describe(view, frames_before_throw(view.stack)));
  } catch (...) {
    write_stderr("runnel: the panic handler threw an exception\n");
  }
}

// It is composed first and written in one go: asking for it may take its time. The second time, when the text of the
// exception has brought another one, it is of the first one's type.
void write_panic_line(bool text_failed) {
  static const std::type_info* const type = abi::__cxa_current_exception_type();
  std::string line = "panic: ";
  string_out out(line);
  if (text_failed) {
    write_type(out, type);
    out.write(" (panic while printing panic value)");
  } else if (type == nullptr && std::current_exception() == nullptr) {
    out.write("std::terminate called without an active exception");
  } else {
    write_text(out);
  }
  out.write("\n\n");
  write_stderr(line);
}

void report(goroutine& g) noexcept {
  const bool text_failed = next_step == step::stack;
  goroutine_view view;
  look_at_self(g, view);
  walk_own_stack(view.stack);
  if (next_step == step::user_handler) {
    next_step = step::text;
    call_user_handler(view);
  }
  if (next_step == step::text) {
    next_step = step::stack;
    write_panic_line(false);
  } else if (text_failed) {
    write_panic_line(true);
  }
  next_step = step::done;
  stderr_out out;
  write_header(out, view);
  write_stack(out, view.stack, frames_before_throw(view.stack));
  write_created_by(out, view);
}

[[noreturn]] void call_previous() noexcept {
  const std::terminate_handler before = previous.load();
  if (before != nullptr) before();
  std::abort();
}

// __verbose_terminate_handler would say once more what the report has said.
void on_terminate() noexcept {
  goroutine* g = this_goroutine_or_null();
  if (g == nullptr) call_previous();
  goroutine* nobody = nullptr;
  if (!panicked.compare_exchange_strong(nobody, g) && nobody != g)
    for (;;) pause();  // the other's report ends the process
  if (next_step == step::done) std::abort();
  report(*g);
  reported_at.store(now_ns());
  if (previous.load() == __gnu_cxx::__verbose_terminate_handler) std::abort();
  call_previous();
}

}  // namespace

void install_panic_handler() noexcept { previous.store(std::set_terminate(on_terminate)); }

// The program's terminate handler may end the process with exit(), which must then not wait for
// ever for a thread that waits here.
bool panicking() noexcept {
  const goroutine* g = panicked.load();
  if (g == nullptr || g == this_goroutine_or_null()) return false;
  const std::int64_t at = reported_at.load();
  return at == 0 || now_ns() - at < handler_time;
}

void wait_while_panicking() noexcept {
  const timespec interval{0, 200'000};
  while (panicking()) nanosleep(&interval, nullptr);
}

}  // namespace detail

void set_panic_handler(std::function<void(std::exception_ptr, const goroutine_info&)> handler) {
  const std::lock_guard hold(detail::user_handler().mu);
  detail::user_handler().handler = std::move(handler);
}

}  // namespace runnel
