// What the workers tell the collector, in a bounded channel.
#pragma once
#include <cstdint>
#include <string>
#include <variant>

#include <runnel/error.hpp>

#include "map/job.hpp"
#include "map/spool.hpp"

namespace runnel_cli {

struct started {
  std::string command;  // only where --verbose asks for it
};

/// Whole lines of a job that is running; the last one of its output may have no end.
struct lines {
  bool to_errors = false;
  std::string label;
  spool text;
};

struct finished {
  job_result result;
  spool output;
  spool errors;
  runnel::error trouble;  // why output was lost; the run cannot go on
  std::string halted;     // why the run is stopped, if it is this job that --halt waited for
};

/// A job that was read and not begun: the job log has it, or the run is being stopped.
struct skipped {
  std::uint64_t number = 0;
  bool done_before = false;  // the job log has it
};

using event = std::variant<started, lines, finished, skipped>;

/// The room of the channel. Each of them may hold two descriptors, those of the temporary files that output is in.
inline constexpr int most_waiting_events = 8;

}  // namespace runnel_cli
