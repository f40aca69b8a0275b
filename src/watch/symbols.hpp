// From addresses to functions, files and lines: the program's debug information and symbol table as
// far as they are there, by libbacktrace, or what the dynamic linker knows.
#pragma once
#include <cstdint>

#include "watch/text_out.hpp"

namespace runnel::detail {

struct source_place {
  const char* function = nullptr;  // as in the object file, mangled; null: unknown
  const char* file = nullptr;      // null: unknown
  int line = 0;
  const char* within =
      nullptr;  // the function that `function` was inlined into; null: unknown, or not inlined
};

/// Calls visit for each function that `pc` lies in, innermost first: those inlined there and the
/// one that contains it. Allocates nothing from the heap.
void places_at(std::uintptr_t pc, void (*visit)(void* arg, const source_place& place),
               void* arg) noexcept;

/// The name of the function that contains `pc`, inlined ones aside; null: unknown.
const char* symbol_at(std::uintptr_t pc) noexcept;

/// The function's name, demangled where `out` may allocate. A lambda that was inlined has none of
/// its own: it is called by what it was inlined into.
void write_function(text_out& out, const source_place& place);

/// Of this library, and of no interest in a report about a program.
bool is_internal(const source_place& place) noexcept;
/// Of no interest in any report: how a goroutine begins and parks.
bool is_machinery(const source_place& place) noexcept;

}  // namespace runnel::detail
