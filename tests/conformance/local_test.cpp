// local<T>: one T per goroutine, or per plain thread.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/wait_group.hpp>

#include "../support/matrix.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::local;
using runnel::wait_group;

local<int> global_counter;  // static storage, used by every test

MATRIX_TEST(Local, EachGoroutineHasItsOwn) {
  wait_group all;
  *global_counter = 100;
  for (int g = 0; g < 10; ++g)
    all.go([g] {
      EXPECT_EQ(*global_counter, 0);
      for (int i = 0; i < 20; ++i) {
        *global_counter += g;
        runnel::yield();
        ASSERT_EQ(global_counter.get(), g * (i + 1));
      }
    });
  all.wait();
  EXPECT_EQ(*global_counter, 100);
}

MATRIX_TEST(Local, APlainThreadHasItsOwn) {
  *global_counter = 5;
  std::thread t([] {
    EXPECT_EQ(*global_counter, 0);
    *global_counter = 6;
    EXPECT_EQ(*global_counter, 6);
  });
  runnel::blocking([&] { t.join(); });
  EXPECT_EQ(*global_counter, 5);
}

MATRIX_TEST(Local, TheFactoryMakesOneWhenFirstAsked) {
  std::atomic<int> made{0};
  local<std::string> name{[&] {
    ++made;
    return "made " + std::to_string(runnel::this_goroutine::id());
  }};
  EXPECT_EQ(made, 0);
  EXPECT_EQ(*name, "made " + std::to_string(runnel::this_goroutine::id()));
  EXPECT_EQ(name->size(), name.get().size());
  EXPECT_EQ(made, 1);
  const std::string* mine = &name.get();
  wait_group other;
  other.go([&] { EXPECT_NE(&name.get(), mine); });
  other.wait();
  EXPECT_EQ(made, 2);
  EXPECT_EQ(&name.get(), mine);
}

MATRIX_TEST(Local, DiesWithItsGoroutine) {
  tally t;
  {
    local<std::shared_ptr<tracked>> value{[&] { return std::make_shared<tracked>(t, 1); }};
    for (int i = 0; i < 10; ++i) runnel::go([&] { EXPECT_EQ((*value)->value(), 1); });
    EXPECT_TRUE(eventually([&] { return t.made == 10 && t.alive() == 0; }));
    std::thread thread([&] { EXPECT_EQ((*value)->value(), 1); });
    runnel::blocking([&] { thread.join(); });
    EXPECT_EQ(t.made, 11);
    EXPECT_EQ(t.alive(), 0);
  }
  EXPECT_EQ(t.broken, 0);
}

MATRIX_TEST(Local, MayDieBeforeTheGoroutines) {
  tally t;
  const chan<void> used(1);
  const chan<void> gate;
  {
    local<std::shared_ptr<tracked>> value{[&] { return std::make_shared<tracked>(t, 1); }};
    runnel::go([&value, used, gate] {
      (void)value.get();
      used.send();
      gate.recv();
    });
    used.recv();
  }
  local<std::shared_ptr<tracked>> next{[&] { return std::make_shared<tracked>(t, 2); }};
  EXPECT_EQ((*next)->value(), 2);  // not mistaken for the one that died
  next.get().reset();
  gate.send();
  EXPECT_TRUE(eventually([&] { return t.alive() == 0; }));
  EXPECT_EQ(t.broken, 0);
}

MATRIX_TEST(Local, SeveralBesideEachOther) {
  std::vector<std::unique_ptr<local<int>>> many;
  for (int i = 0; i < 50; ++i) many.push_back(std::make_unique<local<int>>([i] { return i; }));
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 49; i >= 0; --i) ASSERT_EQ(*many[static_cast<std::size_t>(i)]->operator->(), i);
    });
  all.wait();
}

MATRIX_TEST(Local, AFactoryThatThrowsIsAskedAgain) {
  int calls = 0;
  local<int> value{[&]() -> int {
    if (++calls == 1) throw std::runtime_error("not yet");
    return 3;
  }};
  EXPECT_THROW((void)value.get(), std::runtime_error);
  EXPECT_EQ(*value, 3);
  EXPECT_EQ(calls, 2);
}

struct blocks_at_the_end {
  chan<void> told{nullptr};
  ~blocks_at_the_end() {
    if (told) told.send();
  }
};

MATRIX_TEST(Local, ItsDestructorMayBlock) {
  local<blocks_at_the_end> value;
  const chan<void> told;
  runnel::go([&value, told] { value->told = told; });
  EXPECT_TRUE(told.recv());
}

}  // namespace
