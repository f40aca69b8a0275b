#include "watch/report.hpp"

#include <string_view>
#include <utility>

#include "watch/symbols.hpp"

namespace runnel::detail {
namespace {

constexpr std::int64_t minute = 60'000'000'000;

// goroutine::created_at is taken with an instruction that knows its own end (x86-64) or its own
// address (AArch64).
#if defined(__x86_64__)
constexpr std::uintptr_t after_mark = 1;
#else
constexpr std::uintptr_t after_mark = 0;
#endif

struct frame_writer {
  text_out& out;
  bool internal_too;
  std::uintptr_t pc;
  std::uint32_t written = 0;
};

void write_file(text_out& out, const source_place& place) {
  out.write(place.file);
  out.write(":");
  out.write_number(place.line > 0 ? static_cast<std::uint64_t>(place.line) : 0);
}

void write_place(text_out& out, const source_place& place, std::uintptr_t pc,
                 const char* before_file) {
  if (place.function != nullptr) {
    write_function(out, place);
  } else {
    out.write("0x");
    out.write_number(pc, 16);
  }
  if (place.file == nullptr) return;
  out.write(before_file);
  write_file(out, place);
}

void write_frame(void* arg, const source_place& place) {
  auto& w = *static_cast<frame_writer*>(arg);
  if (w.internal_too ? is_machinery(place) : is_internal(place)) return;
  write_place(w.out, place, w.pc, "\n\t");
  w.out.write("\n");
  ++w.written;
}

std::uint32_t write_frames(text_out& out, const walked_stack& stack, std::uint32_t skip,
                           bool internal_too) {
  frame_writer w{out, internal_too, 0};
  for (std::uint32_t i = skip; i < stack.kept(); ++i) {
    if (i == walked_stack::inner_room && stack.left_out() > 0) {
      out.write("...");
      out.write_number(stack.left_out());
      out.write(" frames left out...\n");
    }
    w.pc = stack.at(i);
    places_at(w.pc, write_frame, &w);
  }
  return w.written;
}

// A name is the program's text: what would break the line is escaped as in a string literal, so that it cannot be taken
// for the report's own.
void write_name(text_out& out, std::string_view name) {
  for (const char c : name) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code != 0x7f && c != '\\') {
      out.write(std::string_view(&c, 1));
    } else if (c == '\n' || c == '\t' || c == '\\') {
      out.write(c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\\\");
    } else {
      out.write(code < 0x10 ? "\\x0" : "\\x");
      out.write_number(code, 16);
    }
  }
}

// The place of the go call: the innermost function there that is not the library's; null function:
// none.
source_place creation_place(const goroutine_view& g) noexcept {
  source_place found;
  if (g.created_at == 0) return found;
  const auto keep = [](void* arg, const source_place& place) {
    auto& best = *static_cast<source_place*>(arg);
    if (best.function == nullptr && !is_internal(place)) best = place;
  };
  places_at(g.created_at - after_mark, keep, &found);
  return found;
}

}  // namespace

const char* state_text(const goroutine_view& g) noexcept {
  switch (g.state) {
    case goroutine_state::running:
      return "running";
    case goroutine_state::runnable:
      return "runnable";
    default:
      return wait_reason_text(g.reason);
  }
}

std::int64_t waiting_for(const goroutine_view& g) noexcept {
  if (g.state != goroutine_state::waiting) return 0;
  const std::int64_t ns = now_ns() - g.waiting_since;
  return ns > 0 ? ns : 0;
}

void write_header(text_out& out, const goroutine_view& g) {
  out.write("goroutine ");
  out.write_number(g.id);
  out.write(" [");
  out.write(state_text(g));
  if (const std::int64_t minutes = waiting_for(g) / minute; minutes > 0) {
    out.write(", ");
    out.write_number(static_cast<std::uint64_t>(minutes));
    out.write(" minutes");
  }
  out.write("]");
  if (g.name[0] != '\0') {
    out.write(" ");
    write_name(out, g.name);
  }
  out.write(":\n");
}

void write_stack(text_out& out, const walked_stack& stack, std::uint32_t skip) {
  if (write_frames(out, stack, skip, false) == 0) write_frames(out, stack, skip, true);
}

void write_created_by(text_out& out, const goroutine_view& g) {
  const source_place place = creation_place(g);
  if (place.function == nullptr) return;
  out.write("created by ");
  write_function(out, place);
  if (g.parent != 0) {
    out.write(" in goroutine ");
    out.write_number(g.parent);
  }
  if (place.file != nullptr) {
    out.write("\n\t");
    write_file(out, place);
  }
  out.write("\n");
}

void write_goroutine(text_out& out, const goroutine_view& g) {
  write_header(out, g);
  if (g.stack.count > 0)
    write_stack(out, g.stack);
  else if (g.state == goroutine_state::running)
    out.write("\tgoroutine running on other thread; stack unavailable\n");
  write_created_by(out, g);
}

namespace {

struct text_list {
  std::vector<std::string> texts;
  bool internal_too;
  std::uintptr_t pc;
};

std::vector<std::string> texts_of(const walked_stack& stack, std::uint32_t skip,
                                  bool internal_too) {
  text_list list{{}, internal_too, 0};
  const auto add = [](void* arg, const source_place& place) {
    auto& to = *static_cast<text_list*>(arg);
    if (to.internal_too ? is_machinery(place) : is_internal(place)) return;
    string_out out(to.texts.emplace_back());
    write_place(out, place, to.pc, " ");
  };
  for (std::uint32_t i = skip; i < stack.kept(); ++i) {
    list.pc = stack.at(i);
    places_at(list.pc, add, &list);
  }
  return std::move(list.texts);
}

}  // namespace

std::vector<std::string> frame_texts(const walked_stack& stack, std::uint32_t skip) {
  std::vector<std::string> texts = texts_of(stack, skip, false);
  return texts.empty() ? texts_of(stack, skip, true) : texts;
}

std::string created_at_text(const goroutine_view& g) {
  std::string text;
  const source_place place = creation_place(g);
  string_out out(text);
  if (place.function != nullptr) write_place(out, place, g.created_at, " ");
  return text;
}

}  // namespace runnel::detail
