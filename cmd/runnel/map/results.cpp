#include "map/results.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <runnel/go.hpp>

#include "command.hpp"
#include "map/json_line.hpp"

namespace runnel_cli {

results_directory results_directory::open(const std::string& path) {
  const std::string name = "results directory '" + path + "': ";
  if (path.empty()) throw usage_error("results directory: the name is empty");
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  // An existing file in its place fails below, with a clearer reason.
  results_directory results;
  results.path_ = path;
  results.directory_ = owned_fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!results.directory_) {
    const std::error_code cause(errno, std::generic_category());
    throw usage_error(name + (failure && cause == std::errc::no_such_file_or_directory
                                  ? failure.message()
                                  : cause.message()));
  }
  if (::faccessat(results.directory_.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    throw usage_error(name + errno_error().message());
  }
  return results;
}

runnel::error results_directory::begin(std::uint64_t number, owned_fd& out, owned_fd& err) const {
  out = {};
  err = {};
  if (!directory_) return {};
  const std::string job = std::to_string(number);
  runnel::error failure = runnel::blocking([&] { return open_outputs(job, out, err); });
  if (failure) out = {};  // the second, where one fails, was not opened
  return failure;
}

runnel::error results_directory::finish(const job_result& r) const {
  if (!directory_) return {};
  return runnel::blocking([&] { return write_status(r); });
}

runnel::error results_directory::open_outputs(const std::string& job, owned_fd& out,
                                              owned_fd& err) const {
  const int directory = directory_.get();
  if (::mkdirat(directory, job.c_str(), 0777) != 0 && errno != EEXIST) {
    return failed(job, errno_error());
  }
  const std::string status = job + "/status";
  if (::unlinkat(directory, status.c_str(), 0) != 0 && errno != ENOENT) {
    return failed(status, errno_error());
  }
  // O_APPEND: the processes of a job that share the file do not write over each other's output.
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
  out = owned_fd(::openat(directory, (job + "/stdout").c_str(), flags, 0666));
  if (!out) return failed(job + "/stdout", errno_error());
  err = owned_fd(::openat(directory, (job + "/stderr").c_str(), flags, 0666));
  if (!err) return failed(job + "/stderr", errno_error());
  return {};
}

runnel::error results_directory::write_status(const job_result& r) const {
  const std::string job = std::to_string(r.number);
  if (r.how == outcome::not_started) {
    owned_fd out;
    owned_fd err;
    if (runnel::error e = open_outputs(job, out, err)) return e;
  }
  const std::string name = job + "/status";
  replaced_file status;
  runnel::error failure = status.open(directory_.get(), name);
  if (!failure) failure = status.write(status_json(r) + "\n");
  if (!failure) failure = status.commit();
  return failed(name, std::move(failure));
}

// No error stays none.
runnel::error results_directory::failed(const std::string& name, runnel::error why) const {
  return runnel::wrap("results file '" + path_ + "/" + name + "'", std::move(why));
}

}  // namespace runnel_cli
