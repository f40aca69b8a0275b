// Jobs, made of items or, with --pipe, of blocks of input.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <runnel/context.hpp>

#include "map/items.hpp"
#include "map/job.hpp"

namespace runnel_cli {

/// A sequence of jobs, numbered from 1. For one goroutine at a time.
class job_source {
 public:
  virtual ~job_source() = default;

  /// The next job; nullopt: there are no more, or the input's context was done. Blocks the
  /// goroutine while it waits for input. Throws std::runtime_error("FILE: why") if input cannot be
  /// read, after the jobs made of what came before; it is not to be called again then.
  virtual std::optional<job> next() = 0;

  /// How many jobs there are altogether; nullopt if that is not known beforehand.
  virtual std::optional<std::uint64_t> total() const = 0;
};

/// What an argument takes beside its bytes: the end, and a pointer to it.
inline constexpr std::size_t argument_overhead = 1 + sizeof(char*);

/// Jobs of up to `max_items` items (0: any number). With max_bytes other than 0, also no more than
/// fit in: fixed_bytes for the command, and for each value its length and argument_overhead.
/// An item that does not fit at all is a job of its own, and executing that tells why it fails; so
/// is one with trouble.
/// With neither limit, one job takes all items, and the memory for them.
std::unique_ptr<job_source> one_or_more(std::unique_ptr<item_source> items, std::size_t max_items,
                                        std::size_t max_bytes, std::size_t fixed_bytes);

/// Bytes that a command with its arguments may take, counted as above: what the system allows, less
/// the environment and a reserve, and no more than 128 KiB, as xargs(1).
std::size_t argument_space();

/// Jobs whose blocks are what `fd` gives, in pieces that end with `record_end`: as many records as
/// fit in block_size bytes, and at least one, however long it is. The last record may lack its end;
/// it goes along with those before it if there is room for a byte more.
/// Takes the memory of one block and one record more, and leaves `fd` open. A record that a failing
/// read leaves unfinished is in no job.
std::unique_ptr<job_source> blocks(int fd, std::size_t block_size, char record_end,
                                   const runnel::context& ctx = {});

}  // namespace runnel_cli
