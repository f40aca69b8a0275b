// Untyped storage behind runnel::local.
#pragma once
#include <cstdint>

namespace runnel::detail {

/// A key never used before; 0 is none.
std::uint64_t new_local_key() noexcept;
/// The caller's value for `key`, or null. A goroutine's own; on a plain thread the thread's.
void* find_local(std::uint64_t key) noexcept;
/// Stores it; `destroy` runs when the goroutine (thread) ends. Throws std::bad_alloc.
void add_local(std::uint64_t key, void* value, void (*destroy)(void*));

}  // namespace runnel::detail
