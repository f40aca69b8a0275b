#include "watch/proc_stat.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cstring>

namespace runnel::detail {

const char* read_proc_stat(const char* path, char (&text)[512]) noexcept {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  const ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return nullptr;
  text[n] = '\0';
  const char* const end_of_name = std::strrchr(text, ')');
  return end_of_name != nullptr ? end_of_name + 1 : nullptr;
}

}  // namespace runnel::detail
