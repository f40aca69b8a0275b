#include "map/process_table.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "files.hpp"

namespace runnel_cli {
namespace {

// False: it has gone. The name in the line may contain blanks and brackets; what is wanted follows the last one.
bool read_entry(const char* id, process_entry& entry) {
  const std::string path = std::string("/proc/") + id + "/stat";
  const owned_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  std::array<char, 1024> text{};
  const ssize_t n = ::read(fd.get(), text.data(), text.size() - 1);
  const char* const name_end = n > 0 ? std::strrchr(text.data(), ')') : nullptr;
  if (name_end == nullptr) return false;
  char state = 0;
  if (std::sscanf(name_end + 1, " %c %d %d %*d %d %d", &state, &entry.parent, &entry.group,
                  &entry.terminal, &entry.foreground) != 5)
    return false;
  entry.id = static_cast<pid_t>(std::stol(id));
  entry.ended = state == 'Z' || state == 'X';
  return true;
}

bool is_in_background(const process_entry& p) {
  return p.terminal != 0 && p.foreground > 0 && p.foreground != p.group;
}

// Whether the open file is the terminal that the kernel gives this number, under its own name or as /dev/tty.
bool is_terminal(int fd, int number) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) return false;
  const dev_t whichever_controls = ::makedev(5, 0);
  const auto n = static_cast<unsigned>(number);
  const dev_t device = ::makedev((n >> 8) & 0xfff, (n & 0xff) | ((n >> 12) & 0xfff00));
  return status.st_rdev == device || status.st_rdev == whichever_controls;
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

bool in_background(pid_t process, int fd) {
  process_entry p;
  return read_entry(std::to_string(process).c_str(), p) && is_in_background(p) &&
         is_terminal(fd, p.terminal);
}

}  // namespace runnel_cli
