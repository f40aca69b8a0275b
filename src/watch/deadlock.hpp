// Whether anybody could still wake somebody.
#pragma once

namespace runnel::detail {

enum class deadlock_verdict {
  alive,   // something runs, or will by itself
  unsure,  // nothing of ours does, but another thread of the process might wake someone
  none     // nobody can; there was nothing to do about it (every run ignores it)
};

/// Looks; where nobody can go on, reports (which ends the process) or makes main's blocking call throw. Called by
/// sysmon a little after everything has gone quiet.
deadlock_verdict check_deadlock() noexcept;

/// The same while the process exits, when goroutines run no more: where every thread that is left waits, and none for a
/// timer or a descriptor, the process would never end. Reports.
void check_wait_at_exit() noexcept;

}  // namespace runnel::detail
