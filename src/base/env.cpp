#include "base/env.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/output.hpp"

namespace runnel::detail {
namespace {

constexpr int most_procs = 65536;
constexpr std::size_t least_stack = 16 * 1024;
constexpr std::size_t most_stack = std::size_t{1} << 36;

[[noreturn]] void cannot_read(const char* variable, std::string_view value,
                              const char* allowed) noexcept {
  write_stderr("runnel: ");
  write_stderr(variable);
  write_stderr(": cannot read \"");
  write_stderr(value);
  write_stderr("\"; allowed: ");
  write_stderr(allowed);
  write_stderr("\n");
  end_process(2);
}

bool parse_number(std::string_view text, std::uint64_t& out) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

int read_procs(const char* variable) noexcept {
  const char* value = std::getenv(variable);
  if (value == nullptr) return 0;
  std::uint64_t n = 0;
  if (!parse_number(value, n) || n < 1 || n > most_procs)
    cannot_read(variable, value, "a number of processors from 1 to 65536");
  return static_cast<int>(n);
}

std::size_t read_size(const char* variable) noexcept {
  const char* value = std::getenv(variable);
  if (value == nullptr) return 0;
  std::string_view digits = value;
  std::uint64_t unit = 1;
  if (!digits.empty()) {
    switch (digits.back()) {
      case 'k':
      case 'K':
        unit = 1024;
        break;
      case 'm':
      case 'M':
        unit = 1024 * 1024;
        break;
      case 'g':
      case 'G':
        unit = 1024 * 1024 * 1024;
        break;
      default:
        break;
    }
    if (unit != 1) digits.remove_suffix(1);
  }
  std::uint64_t n = 0;
  if (!parse_number(digits, n) || n > most_stack / unit || n * unit < least_stack)
    cannot_read(variable, value, "bytes from 16K to 64G, such as 64K or 1M");
  return n * unit;
}

template <std::size_t N>
env_choice read_choice(const char* variable,
                       const std::pair<std::string_view, env_choice> (&choices)[N],
                       const char* allowed) noexcept {
  const char* value = std::getenv(variable);
  if (value == nullptr) return env_choice::unset;
  for (const auto& [word, choice] : choices)
    if (word == value) return choice;
  cannot_read(variable, value, allowed);
}

environment read_all() noexcept {
  environment e;
  e.max_procs = read_procs("RUNNEL_MAXPROCS");
  e.stack_size = read_size("RUNNEL_STACK_SIZE");
  e.stack_guard = read_choice("RUNNEL_STACK_GUARD",
                              {{"on", env_choice::on}, {"off", env_choice::off}}, "on, off");
  e.deadlock = read_choice("RUNNEL_DEADLOCK",
                           {{"terminate", env_choice::terminate}, {"ignore", env_choice::ignore}},
                           "terminate, ignore");
  e.leaks = read_choice("RUNNEL_LEAKS",
                        {{"ignore", env_choice::ignore},
                         {"report", env_choice::report},
                         {"terminate", env_choice::terminate}},
                        "ignore, report, terminate");
  return e;
}

}  // namespace

const environment& env() noexcept {
  static const environment e = read_all();
  return e;
}

}  // namespace runnel::detail
