// Counts what operator new gives, by whatever thread. It replaces the operators of the whole program: for one of its files.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace runnel_test {

inline std::atomic<std::uint64_t> news{0};

inline void* counted_allocation(std::size_t size) {
  news.fetch_add(1,
                 std::memory_order_relaxed);  // relaxed: a statistic, read when the goroutines rest
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}

}  // namespace runnel_test

void* operator new(std::size_t size) { return runnel_test::counted_allocation(size); }
void* operator new[](std::size_t size) { return runnel_test::counted_allocation(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
