// Blocking an operating-system thread on a word.
#pragma once
#include <atomic>
#include <cstdint>

namespace runnel::detail {

/// Sleeps while *word == expected, until woken or `deadline` (steady clock, ns; `never` is allowed). May return early.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t deadline) noexcept;
/// Wakes up to `count` sleepers. `word` may be gone already: the kernel only compares addresses.
void futex_wake(std::atomic<std::uint32_t>* word, int count = 1) noexcept;

}  // namespace runnel::detail
