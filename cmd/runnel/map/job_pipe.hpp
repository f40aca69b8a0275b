// A pipe that a job writes one of its streams to.
#pragma once
#include <system_error>

#include <runnel/process.hpp>

#include "files.hpp"

namespace runnel_cli {

/// Its writing end stays open here until the object goes, and so whoever reads from it is not woken by the end of the
/// job, of which the process sends word itself. That word comes to a processor that is busy with a job, as a rule.
class job_pipe {
 public:
  /// To be called before anything else; again: a new one. Returns the error of pipe2(2) or fcntl(2).
  std::error_code open();

  runnel::redirect redirect() const { return runnel::redirect::to(writer_.get()); }
  /// Non-blocking.
  owned_fd& reader() { return reader_; }

 private:
  owned_fd reader_;
  owned_fd writer_;
};

}  // namespace runnel_cli
