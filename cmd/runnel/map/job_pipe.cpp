#include "map/job_pipe.hpp"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace runnel_cli {

std::error_code job_pipe::open() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
    reader_ = owned_fd(ends[0]);
    writer_ = owned_fd(ends[1]);
    // The job's end blocks, for programs do not expect another one.
    if (::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) == 0) return {};
  }
  return {errno, std::generic_category()};
}

}  // namespace runnel_cli
