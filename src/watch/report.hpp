// A goroutine as text, in Go's form:
//
//   goroutine 7 [chan receive, 2 minutes] name:
//   function
//   <tab>file:line
//   created by function in goroutine 1
//   <tab>file:line
#pragma once
#include <string>
#include <vector>

#include "watch/look.hpp"
#include "watch/text_out.hpp"

namespace runnel::detail {

void write_goroutine(text_out& out, const goroutine_view& g);

/// Its parts.
void write_header(text_out& out, const goroutine_view& g);
/// The library's own frames are left out where others are left. `skip`: so many of the innermost as
/// well.
void write_stack(text_out& out, const walked_stack& stack, std::uint32_t skip = 0);
void write_created_by(text_out& out, const goroutine_view& g);

const char* state_text(const goroutine_view& g) noexcept;
std::int64_t waiting_for(const goroutine_view& g) noexcept;  // nanoseconds; 0 unless it waits

/// One string a frame: `function file:line`.
std::vector<std::string> frame_texts(const walked_stack& stack, std::uint32_t skip = 0);
/// The same for the place of the `go` call; empty: not known or the library itself.
std::string created_at_text(const goroutine_view& g);

}  // namespace runnel::detail
