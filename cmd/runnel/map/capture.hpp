// What a job writes to one of its streams, on its way to where the run's options want it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/process.hpp>

#include "files.hpp"
#include "map/events.hpp"
#include "map/spool.hpp"

namespace runnel_cli {

class capture {
 public:
  /// Keeps what is added.
  capture() = default;
  /// Sends whole lines to `events` as they are complete, however long they are.
  capture(const runnel::send_chan<event>& events, std::string label, bool to_errors)
      : events_(events), label_(std::move(label)), to_errors_(to_errors), streams_(true) {}

  /// Writes a copy of all that is added to `fd`, which it owns, too.
  void copy_to(owned_fd fd) { copy_ = std::move(fd); }

  void add(std::string_view bytes);
  /// No more comes: sends a last line that has no end, with one.
  void finish();

  spool take() { return std::exchange(kept_, {}); }
  std::uint64_t size() const noexcept { return size_; }
  /// The first thing that went wrong; what was added after it is lost.
  const runnel::error& trouble() const noexcept { return trouble_; }
  /// Something went wrong. Does nothing without an error.
  void note(runnel::error failed);

 private:
  runnel::error copy(std::string_view bytes);
  runnel::error send_lines(std::string_view bytes);

  runnel::send_chan<event> events_{nullptr};
  std::string label_;
  bool to_errors_ = false;
  bool streams_ = false;
  spool line_;  // what has come of a line that is not complete
  spool kept_;
  std::uint64_t size_ = 0;
  owned_fd copy_;
  runnel::error trouble_;
};

/// Moves what comes from `from` to `into` until its end; once `ended` is done, only what is in the pipe already. A
/// process that the job left behind may hold the other end open for ever. What goes wrong, exceptions included, is
/// noted as trouble; where nothing more can be taken the pipe is closed, so that the job does not wait for ever.
void drain(const runnel::context& ended, owned_fd& from, capture& into);

/// Writes `text` to `to` and closes it; gives up when nobody reads any more or `ended` is done. Returns how much was
/// written. Exceptions (no memory, no poller) end it, too.
std::uint64_t feed(const runnel::context& ended, runnel::pipe_end& to, std::string_view text);

}  // namespace runnel_cli
