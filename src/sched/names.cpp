#include "sched/names.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "base/cpu.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t stripes = 64;

struct alignas(cache_line) stripe {
  spinlock mu;
};
constinit stripe locks[stripes];

spinlock& lock_of(const seed& s) noexcept {
  return locks[reinterpret_cast<std::uintptr_t>(&s) / sizeof(seed) % stripes].mu;
}

void replace(seed& s, char* name) noexcept {
  char* old = nullptr;
  {
    const std::lock_guard hold(lock_of(s));
    old = s.name.exchange(name);
  }
  std::free(old);
}

}  // namespace

void set_goroutine_name(seed& s, std::string_view name) {
  if (name.empty()) {
    drop_goroutine_name(s);
    return;
  }
  auto* copy = static_cast<char*>(std::malloc(name.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, name.data(), name.size());
  copy[name.size()] = '\0';
  replace(s, copy);
}

void free_goroutine_name(seed& s) noexcept { replace(s, nullptr); }

std::size_t copy_goroutine_name(seed& s, char* to, std::size_t room) noexcept {
  to[0] = '\0';
  if (s.name.load() == nullptr) return 0;
  const std::lock_guard hold(lock_of(s));
  const char* name = s.name.load();
  if (name == nullptr) return 0;
  const std::size_t length = std::strlen(name);
  const std::size_t n = length < room ? length : room - 1;
  std::memcpy(to, name, n);
  to[n] = '\0';
  return length;
}

}  // namespace runnel::detail
