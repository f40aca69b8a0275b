// The system calls for pipes. They do not block where the descriptor does not.
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include <span>

namespace runnel::detail {

ssize_t read_pipe(int fd, std::span<const iovec> into) noexcept;
/// Never raises SIGPIPE: EPIPE when nobody can read any more.
ssize_t write_pipe(int fd, std::span<const iovec> from) noexcept;

}  // namespace runnel::detail
