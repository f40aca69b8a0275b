// The processes of the machine, as /proc lists them.
#pragma once
#include <functional>

#include <sys/types.h>

namespace runnel_cli {

struct process_entry {
  pid_t id = 0;
  pid_t parent = 0;
  pid_t group = 0;
  bool ended = false;  // and not taken out of the table yet
  int terminal = 0;    // the controlling one's device number, as the kernel writes it; 0: none
  pid_t foreground =
      -1;  // the group in its foreground; -1: no terminal, 0: not to be seen from here
};

/// Calls `see` for each process that is there while it looks. Without /proc: for none.
void for_each_process(const std::function<void(const process_entry&)>& see);

/// Whether a process of `group` has not ended.
bool group_lives(pid_t group);

/// Whether the terminal that is open on `fd` controls the process, which is not in its foreground group: what it reads
/// there would be taken from somebody else. False without /proc, and if there is no such process.
bool in_background(pid_t process, int fd);

}  // namespace runnel_cli
