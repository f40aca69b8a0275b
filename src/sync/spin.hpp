// Whether, and how, to spin before parking.
#pragma once

namespace runnel::detail {

/// Whether whoever holds a lock may be running at this moment, beside the caller.
bool spinning_pays() noexcept;

/// About as long as a short critical section.
void spin_briefly() noexcept;

inline constexpr int most_spins = 4;

}  // namespace runnel::detail
