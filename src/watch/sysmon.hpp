// The thread that watches the others: it replaces processors stuck in the kernel or in a long computation, ends time
// slices, looks after overdue timers and descriptors, gives idle stacks back, follows the number of CPUs, and asks for
// a deadlock. Asleep while nothing runs.
#pragma once

namespace runnel::detail {

/// `follow`: max_procs follows what `cpus` returns, the CPUs this process may use.
void start_sysmon(bool follow, int (*cpus)() noexcept) noexcept;
/// Something runs again, or a plain thread has gone to sleep.
void wake_sysmon() noexcept;
/// Whether max_procs follows the CPUs from now on.
void follow_cpus(bool follow) noexcept;
/// Where it does, looks at once.
void count_cpus_again() noexcept;

}  // namespace runnel::detail
