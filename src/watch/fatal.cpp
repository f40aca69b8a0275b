// Misuse that ends the process: fatal() of runnel/detail/park.hpp.
#include <unistd.h>
#include <atomic>

#include <runnel/detail/park.hpp>

#include "base/output.hpp"
#include "watch/dump.hpp"

namespace runnel::detail {
namespace {

constinit std::atomic<bool> dying{false};

}  // namespace

void fatal(const char* message) noexcept {
  while (dying.exchange(true)) pause();  // another thread's report ends the process
  write_stderr("fatal error: ");
  write_stderr(message);
  write_stderr("\n\n");
  print_goroutines();
  end_process(2);
}

}  // namespace runnel::detail
