// No job outlives the tool, however it ends.
#pragma once
#include <functional>

#include <sys/types.h>

namespace runnel_cli {

/// Runs `body` in a process of its own and returns the status that it returned, once that process and all that it
/// started, directly or not, have ended.
///
///     this process          what the user started and signals; passes SIGINT, SIGTERM, SIGHUP and SIGQUIT on
///       supervisor          in a session of its own, so that no signal meant for a terminal's jobs ends it
///         worker            runs `body`, starts the jobs
///           jobs ...
///
/// The supervisor and this process are subreapers: whoever loses his parent becomes a child of the next one above. The
/// supervisor kills all that is below it when the worker has ended, or when this process has (a pipe's end tells); this
/// process does when the supervisor has. Only somebody who kills both at one instant with SIGKILL leaves a job behind.
///
/// If the worker was ended by a signal, says so on standard error and returns exit_usage. Call it before anything has
/// used the runtime or started a thread. Throws std::system_error if no process can be made.
int supervised(const std::function<int()>& body);

/// The process that the user started, whose place in a terminal's jobs is the tool's; without supervised(), this one.
pid_t user_process() noexcept;

}  // namespace runnel_cli
