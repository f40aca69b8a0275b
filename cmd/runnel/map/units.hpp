// What people write as the value of an option (durations, sizes, rates, numbers of jobs, loads), and
// durations as people read them. Nothing here blocks.
#pragma once
#include <chrono>
#include <cstddef>
#include <string>

namespace runnel_cli {

/// The most jobs that may be asked to run at once.
inline constexpr int most_jobs = 10'000;

// Every parse function throws usage_error, naming `option`, `text` and what would be right, unless
// all of `text` is a value of its kind.

/// A duration from zero up: "10" and "1.5" are seconds; otherwise a number with ns, us, ms, s, m, h
/// or d, or several of them from the longest to the shortest ("1m30s").
std::chrono::nanoseconds parse_duration(const std::string& option, const std::string& text);

/// A number of bytes from zero up. As GNU parallel: K, M, G, T and P are powers of 1024 and k, m, g,
/// t and p powers of 1000. As coreutils: KiB, MiB, ... are powers of 1024 and kB, KB, MB, ... powers
/// of 1000. Fractions ("1.5G") are rounded to whole bytes.
std::size_t parse_size(const std::string& option, const std::string& text);

/// Events per second, more than zero: "100" and "100/s" are the same, "30/m", "5/h", "1/10s".
double parse_rate(const std::string& option, const std::string& text);

/// A number of jobs from 1 to most_jobs. "N"; "N%" of `cpus`, rounded down but at least 1; "+N" and
/// "-N": so many more or fewer than `cpus`, at least 1. Zero is refused: the number is always bounded.
int parse_jobs(const std::string& option, const std::string& text, int cpus);

/// A load, more than zero: "4.5", or "80%" of `cpus`.
double parse_load(const std::string& option, const std::string& text, int cpus);

/// `d` as people read it, to two or three digits: "850us", "450ms", "2.3s", "1m05s", "2h03m", "3d04h".
std::string format_duration(std::chrono::nanoseconds d);

}  // namespace runnel_cli
