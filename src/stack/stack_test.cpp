// White box: each stack has its guard, however many of them were made ready together. Each test wants a process of its
// own: how guards are made is found out once.
#include "stack/stack.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "stack/guard.hpp"

namespace {

using namespace runnel::detail;

// By a system call that would write there.
bool can_be_written(std::byte* where) { return syscall(SYS_times, where) != -1 || errno != EFAULT; }

bool has_memory(const std::byte* where) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(where);
  unsigned char resident = 0;
  return mincore(reinterpret_cast<void*>(address - address % page), 1, &resident) == 0 &&
         (resident & 1U) != 0;
}

// A class that nobody else uses; as the library's own, it is never destroyed.
stack_class& fresh_class(unsigned size_log2) {
  static auto* const all = new std::vector<stack_class*>;
  return *all->emplace_back(new stack_class(size_log2));
}

// Takes more than are made ready in one go.
void expect_guarded(unsigned size_log2) {
  stack_class& stacks = fresh_class(size_log2);
  constexpr int many = 100;
  stacks.promise(many);
  std::vector<std::byte*> lows;
  for (int i = 0; i < many; ++i) {
    stack_block* const b = stacks.take_one();
    lows.push_back(b->low);
    EXPECT_FALSE(can_be_written(b->low - sizeof(void*) * 8)) << i;
    EXPECT_FALSE(can_be_written(b->low - guard_bytes)) << i;
    EXPECT_TRUE(can_be_written(b->low)) << i;
    EXPECT_TRUE(can_be_written(b->low + stacks.size() - 64)) << i;
  }
  for (std::size_t i = 1; i < lows.size(); ++i) EXPECT_NE(lows[i], lows[i - 1]);
}

TEST(Stacks, EachHasItsGuard) {
  expect_guarded(least_stack_log2);
  expect_guarded(18);
}

TEST(Stacks, EachHasItsGuardWhereThatTakesMappings) {
  use_mprotect_guards();
  expect_guarded(least_stack_log2);
}

// As processors do, which take as many as there are.
TEST(Stacks, ThreadsThatTakeThemTogetherGetDifferentOnes) {
  stack_class& stacks = fresh_class(least_stack_log2);
  constexpr std::uint32_t each = 500;
  std::array<std::vector<stack_block*>, 4> taken;
  stacks.promise(taken.size() * (each + most_cached));
  std::vector<std::thread> threads;
  for (auto& mine : taken) {
    threads.emplace_back([&] {
      while (mine.size() < each)
        for (free_list<stack_block> some = stacks.take(); some.count > 0;)
          mine.push_back(some.pop());
    });
  }
  for (std::thread& t : threads) t.join();
  std::set<std::byte*> lows;
  for (const auto& mine : taken) {
    for (const stack_block* b : mine) {
      EXPECT_TRUE(lows.insert(b->low).second);
      EXPECT_FALSE(can_be_written(b->low - guard_bytes));
      EXPECT_TRUE(can_be_written(b->low));
      EXPECT_EQ(b->owner, &stacks);
    }
  }
}

TEST(Stacks, ManyGuardsAtOnce) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  constexpr std::size_t n = 3;
  const std::size_t slot = 4 * guard_bytes;
  void* const memory =
      mmap(nullptr, n * slot, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::array<new_stack, n> stacks;
  for (std::size_t i = 0; i < n; ++i) {
    std::byte* const low = static_cast<std::byte*>(memory) + i * slot;
    stacks[i] = {low, low + slot - 100};
  }
  const bool done = install_guards(stacks, guard_bytes);
  for (std::size_t i = 0; done && i < n; ++i) {
    EXPECT_FALSE(can_be_written(stacks[i].guard)) << i;
    EXPECT_FALSE(can_be_written(stacks[i].guard + guard_bytes - page)) << i;
    EXPECT_FALSE(has_memory(stacks[i].guard + guard_bytes)) << i;
    EXPECT_TRUE(has_memory(stacks[i].first_touched)) << i;
  }
  munmap(memory, n * slot);
  if (!done) GTEST_SKIP() << "one by one here";
}

}  // namespace
