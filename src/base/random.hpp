// A small generator for choices that only have to be spread well.
#pragma once
#include <cstdint>

namespace runnel::detail {

/// xorshift64*; one owner.
class random_source {
 public:
  explicit constexpr random_source(std::uint64_t seed = 1) noexcept
      : state_(seed * 0x9e3779b97f4a7c15u | 1) {}

  std::uint32_t next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>((state_ * 0x2545f4914f6cdd1du) >> 32);
  }
  /// Uniform in [0, n).
  std::uint32_t below(std::uint32_t n) noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{next()} * n >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace runnel::detail
