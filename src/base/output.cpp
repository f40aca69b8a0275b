#include "base/output.hpp"

#include <unistd.h>
#include <cerrno>
#include <cstdlib>

namespace runnel::detail {

void write_stderr(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void write_stderr(std::uint64_t number) noexcept {
  char digits[20];
  char* p = digits + sizeof digits;
  do {
    *--p = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  write_stderr(std::string_view(p, static_cast<std::size_t>(digits + sizeof digits - p)));
}

void end_process(int status) noexcept { _exit(status); }

}  // namespace runnel::detail
