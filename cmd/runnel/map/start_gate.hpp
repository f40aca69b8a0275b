// What may hold the start of a job back: --rate, --load and --memfree.
#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/mutex.hpp>
#include <runnel/rate_limiter.hpp>

namespace runnel_cli {

struct gate_options {
  double rate = 0;           // starts per second; 0: no limit
  double max_load = 0;       // 0: no limit
  std::size_t min_free = 0;  // bytes of memory; 0: no limit
};

/// The load in the text of /proc/loadavg: the average of the last minute or the tasks that can run at
/// this moment (but for the one that asks), whichever is more. The average alone would let any number
/// of jobs start before it moves. NaN if `text` is not what that file holds.
double load_in(const std::string& text);

/// MemAvailable in the text of /proc/meminfo, in bytes: what can be had without swapping. NaN if it is
/// not there.
double free_memory_in(const std::string& text);

/// Where a gate looks. NaN from a function: it cannot be known. Both are called by one goroutine at
/// a time and should not block for long.
struct gate_senses {
  std::function<double()> load;                               // none: /proc/loadavg
  std::function<double()> free_memory;                        // bytes; none: /proc/meminfo
  std::chrono::nanoseconds period = std::chrono::seconds(1);  // between looks while a start waits
};

/// Lets starts through one by one, while the load is not above the limit and the free memory not below
/// it, evenly spaced by the rate. The limits hold also while no job runs: what makes the load then is
/// somebody else, and the gate waits for that to end, as GNU parallel does. For any number of
/// goroutines.
class start_gate {
 public:
  explicit start_gate(gate_options options, gate_senses senses = {});

  /// Blocks the goroutine until it may start a job. An error: `ctx` is done first, or from the start
  /// (its error; also at once if its deadline would pass before the rate allows a start); or the load
  /// or the free memory cannot be read (a message).
  runnel::error wait(const runnel::context& ctx);

 private:
  runnel::error has_room(bool& room) const;
  runnel::error wait_for_room(const runnel::context& ctx, bool& held_back) const;

  const gate_options options_;
  gate_senses senses_;
  runnel::mutex turn_;  // held by the one that may start next, while it waits
  std::optional<runnel::rate_limiter> limit_;  // guarded by turn_
};

}  // namespace runnel_cli
