// A table of three levels over all non-negative numbers; a program that has its descriptors numbered from zero, as the
// kernel does, needs a leaf per 256 of them.
#include "poll/descriptor.hpp"

#include <atomic>
#include <memory>

namespace runnel::detail {
namespace {

constexpr unsigned leaf_bits = 8;
constexpr unsigned branch_bits = 12;
constexpr unsigned root_bits = 31 - leaf_bits - branch_bits;

struct leaf {
  descriptor all[1U << leaf_bits];
};
struct branch {
  std::atomic<leaf*> all[1U << branch_bits] = {};
};

constinit std::atomic<branch*> root[1U << root_bits] = {};

constexpr std::uint32_t low_bits(std::uint32_t n, unsigned bits) { return n & ((1U << bits) - 1); }

std::atomic<branch*>& branch_at(std::uint32_t n) noexcept {
  return root[n >> (leaf_bits + branch_bits)];
}
std::atomic<leaf*>& leaf_at(branch& b, std::uint32_t n) noexcept {
  return b.all[low_bits(n >> leaf_bits, branch_bits)];
}

// What is there, or else `made`, unless somebody else is faster.
template <class T>
T& install(std::atomic<T*>& place, std::unique_ptr<T> made) noexcept {
  T* there = nullptr;
  return place.compare_exchange_strong(there, made.get()) ? *made.release() : *there;
}

std::unique_ptr<leaf> make_leaf(std::uint32_t n) {
  auto made = std::make_unique<leaf>();
  for (descriptor& d : made->all)
    d.fd = static_cast<int>((n & ~low_bits(n, leaf_bits)) +
                            static_cast<std::uint32_t>(&d - made->all));
  return made;
}

}  // namespace

// acquire: pairs with the exchange in install(), as below
descriptor* find_descriptor(int fd) noexcept {
  const auto n = static_cast<std::uint32_t>(fd);
  branch* const b = branch_at(n).load(std::memory_order_acquire);
  if (b == nullptr) return nullptr;
  leaf* const l = leaf_at(*b, n).load(std::memory_order_acquire);
  return l != nullptr ? &l->all[low_bits(n, leaf_bits)] : nullptr;
}

descriptor& descriptor_of(int fd) {
  const auto n = static_cast<std::uint32_t>(fd);
  branch* b = branch_at(n).load(std::memory_order_acquire);
  if (b == nullptr) b = &install(branch_at(n), std::make_unique<branch>());
  leaf* l = leaf_at(*b, n).load(std::memory_order_acquire);
  if (l == nullptr) l = &install(leaf_at(*b, n), make_leaf(n));
  return l->all[low_bits(n, leaf_bits)];
}

}  // namespace runnel::detail
