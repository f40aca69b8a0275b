#include "watch/dump.hpp"

#include <ostream>
#include <string>
#include <utility>

#include <runnel/go.hpp>

#include "sched/names.hpp"
#include "sched/thread_agent.hpp"
#include "watch/report.hpp"

namespace runnel {
namespace detail {
namespace {

constexpr std::uint64_t any_scope = 0;

// The calling goroutine first, then by id.
template <class F>
void for_each_view(std::uint64_t scope, F f) {
  const goroutine_table all;
  const goroutine* const caller = this_goroutine_or_null();
  const seed* const self = caller != nullptr ? caller->origin : nullptr;
  goroutine_view view;
  const auto show = [&](const goroutine_table::entry& e) {
    if (look_at(*e.s, e.id, view) && (scope == any_scope || view.scope == scope)) f(view);
  };
  for (const auto& e : all)
    if (e.s == self) show(e);
  for (const auto& e : all)
    if (e.s != self) show(e);
}

void write_all(text_out& out, std::uint64_t scope) {
  bool first = true;
  for_each_view(scope, [&](const goroutine_view& view) {
    if (!first) out.write("\n");
    first = false;
    write_goroutine(out, view);
  });
}

// A view has room for most names only.
void read_long_name(seed& s, std::string& name) {
  std::string whole;
  std::size_t length = name.size();
  do {
    whole.resize(length + 1);
    length = copy_goroutine_name(s, whole.data(), whole.size());
  } while (length >= whole.size());
  whole.resize(length);
  if (length > name.size()) name = std::move(whole);  // it may have ended, or changed its name
}

}  // namespace

void print_goroutines() noexcept {
  stderr_out out;
  write_all(out, any_scope);
}

void print_goroutines_of(std::uint64_t run_id) noexcept {
  stderr_out out;
  write_all(out, run_id);
}

goroutine_info describe(const goroutine_view& view, std::uint32_t skip) {
  goroutine_info info;
  info.id = view.id;
  info.name = view.name;
  info.state = state_text(view);
  info.since = std::chrono::nanoseconds(waiting_for(view));
  info.created_at = created_at_text(view);
  info.stack = frame_texts(view.stack, skip);
  return info;
}

}  // namespace detail

std::vector<goroutine_info> goroutines() {
  std::vector<goroutine_info> all;
  detail::goroutine_view view;
  for (const auto& e : detail::goroutine_table()) {
    if (!detail::look_at(*e.s, e.id, view)) continue;
    goroutine_info info = detail::describe(view);
    if (info.name.size() + 1 == sizeof view.name) detail::read_long_name(*e.s, info.name);
    all.push_back(std::move(info));
  }
  return all;
}

void dump_goroutines(std::ostream& out) {
  std::string text;
  detail::string_out to(text);
  detail::write_all(to, detail::any_scope);
  out << text;
}

void this_goroutine::set_name(std::string_view name) {
  if (detail::goroutine* g = detail::this_goroutine_or_null())
    detail::set_goroutine_name(*g->origin, name);
}

}  // namespace runnel
