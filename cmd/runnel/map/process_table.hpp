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
};

/// Calls `see` for each process that is there while it looks. Without /proc: for none.
void for_each_process(const std::function<void(const process_entry&)>& see);

/// Whether a process of `group` has not ended.
bool group_lives(pid_t group);

}  // namespace runnel_cli
