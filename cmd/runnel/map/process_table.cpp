#include "map/process_table.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

namespace runnel_cli {
namespace {

// False: it has gone. The name in the line may contain blanks and brackets; what is wanted follows the last one.
bool read_entry(const char* id, process_entry& entry) {
  const std::string path = std::string("/proc/") + id + "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 1024> text{};
  const ssize_t n = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  const char* const name_end = n > 0 ? std::strrchr(text.data(), ')') : nullptr;
  if (name_end == nullptr) return false;
  char state = 0;
  if (std::sscanf(name_end + 1, " %c %d %d", &state, &entry.parent, &entry.group) != 3)
    return false;
  entry.id = static_cast<pid_t>(std::stol(id));
  entry.ended = state == 'Z' || state == 'X';
  return true;
}

}  // namespace

void for_each_process(const std::function<void(const process_entry&)>& see) {
  DIR* const all = ::opendir("/proc");
  if (all == nullptr) return;
  while (const dirent* entry = ::readdir(all)) {
    process_entry found;
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0 &&
        read_entry(entry->d_name, found))
      see(found);
  }
  ::closedir(all);
}

bool group_lives(pid_t group) {
  bool lives = false;
  for_each_process(
      [&](const process_entry& p) { lives = lives || (p.group == group && !p.ended); });
  return lives;
}

}  // namespace runnel_cli
