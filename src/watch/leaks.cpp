#include "watch/leaks.hpp"

#include <ctime>

#include "base/output.hpp"
#include "watch/dump.hpp"
#include "watch/look.hpp"

namespace runnel::detail {
namespace {

constexpr std::int64_t grace = 100'000'000;
constexpr long first_nap = 20'000;
constexpr long longest_nap = 2'000'000;

void nap(long ns) noexcept {
  const timespec ts{0, ns};
  nanosleep(&ts, nullptr);
}

// Main itself and what it has just waited for are in their last instructions. One that goes on
// running for longer than the grace counts as left over, as one that waits does at once.
std::size_t count_left(std::uint64_t run_id) noexcept {
  const std::int64_t end = now_ns() + grace;
  long pause = first_nap;
  scope_count n = count_scope(run_id);
  while (n.active > 0 && now_ns() < end) {
    nap(pause);
    if (pause < longest_nap) pause *= 2;
    n = count_scope(run_id);
  }
  return n.alive;
}

}  // namespace

void finish_run(std::uint64_t run_id, leak_action action) {
  if (action == leak_action::ignore) return;
  const std::size_t n = count_left(run_id);
  if (n == 0) return;
  write_stderr("runnel: run returned while ");
  write_stderr(std::uint64_t{n});
  write_stderr(n == 1 ? " goroutine started under it is still alive\n\n"
                      : " goroutines started under it are still alive\n\n");
  print_goroutines_of(run_id);
  if (action == leak_action::terminate) end_process(2);
}

}  // namespace runnel::detail
