// What the kernel says about a thread, or about the process.
#pragma once

namespace runnel::detail {

/// Reads the file at `path`, a `stat` of /proc, into `text`. What follows the name there (" S 1 ..."); null where it
/// cannot be read. Without stdio and the heap: sysmon asks also while the process ends, and then the C library takes them down.
const char* read_proc_stat(const char* path, char (&text)[512]) noexcept;

}  // namespace runnel::detail
