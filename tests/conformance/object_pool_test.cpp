// object_pool: objects made on demand, lent out, taken back.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::object_pool;
using runnel::wait_group;

std::atomic<int> alive{0};

struct thing {
  thing() { ++alive; }
  ~thing() { --alive; }
  thing(const thing&) = delete;
  thing& operator=(const thing&) = delete;
  std::atomic<int> users{0};
  int value = 0;
};

MATRIX_TEST(ObjectPool, MakesOnDemandAndReuses) {
  int made = 0;
  object_pool<thing> pool([&] {
    ++made;
    return std::make_unique<thing>();
  });
  EXPECT_EQ(made, 0);
  thing* first = nullptr;
  {
    auto h = pool.get();
    first = &*h;
    h->value = 42;
    EXPECT_EQ(made, 1);
  }
  {
    auto h = pool.get();
    EXPECT_EQ(&*h, first);
    EXPECT_EQ(h->value, 42);
    auto other = pool.get();
    EXPECT_NE(&*other, first);
  }
  EXPECT_EQ(made, 2);
}

MATRIX_TEST(ObjectPool, KeepsAtMostMaxIdle) {
  const int before = alive;
  {
    object_pool<thing> pool([] { return std::make_unique<thing>(); }, 2);
    {
      std::vector<decltype(pool.get())> lent;
      for (int i = 0; i < 5; ++i) lent.push_back(pool.get());
      EXPECT_EQ(alive, before + 5);
    }
    EXPECT_EQ(alive, before + 2);
  }
  EXPECT_EQ(alive, before);
}

MATRIX_TEST(ObjectPool, KeepsAtMostMaxIdleOfMany) {
  const int before = alive;
  object_pool<thing> pool([] { return std::make_unique<thing>(); }, 10);
  const auto use_some = [&] {
    std::vector<decltype(pool.get())> lent;
    for (int i = 0; i < 5; ++i) lent.push_back(pool.get());
    runnel::yield();
  };
  for (int round = 0; round < scaled(20); ++round) {
    wait_group all;
    for (int g = 0; g < 8; ++g) all.go(use_some);
    all.wait();
    EXPECT_LE(pool.idle(), 10u);
    EXPECT_EQ(alive, before + static_cast<int>(pool.idle()));
  }
}

MATRIX_TEST(ObjectPool, WhatOthersGaveBackIsUsed) {
  std::atomic<int> made{0};
  object_pool<thing> pool([&] {
    ++made;
    return std::make_unique<thing>();
  });
  const auto use_eight = [&] {
    std::vector<decltype(pool.get())> lent;
    for (int i = 0; i < 8; ++i) lent.push_back(pool.get());
  };
  std::thread(use_eight).join();
  EXPECT_EQ(pool.idle(), 8u);
  use_eight();
  for (int i = 0; i < 8; ++i) {
    wait_group other;
    other.go(use_eight);
    other.wait();
    std::thread(use_eight).join();
  }
  EXPECT_EQ(made, 8);
  EXPECT_EQ(pool.idle(), 8u);
}

MATRIX_TEST(ObjectPool, WithoutIdleRoomEverythingIsDestroyed) {
  const int before = alive;
  object_pool<thing> pool([] { return std::make_unique<thing>(); }, 0);
  { auto h = pool.get(); }
  EXPECT_EQ(alive, before);
}

MATRIX_TEST(ObjectPool, AHandleIsMovedNotShared) {
  object_pool<thing> pool([] { return std::make_unique<thing>(); });
  using handle = decltype(pool.get());
  static_assert(std::is_nothrow_move_constructible_v<handle>);
  static_assert(!std::is_copy_constructible_v<handle>);
  auto a = pool.get();
  thing* object = &*a;
  auto b = std::move(a);
  EXPECT_EQ(&*b, object);
  auto c = pool.get();
  EXPECT_NE(&*c, object);
  c = std::move(b);  // gives its own back
  EXPECT_EQ(&*c, object);
}

MATRIX_TEST(ObjectPool, HandlesOutliveThePool) {
  const int before = alive;
  auto pool = std::make_unique<object_pool<thing>>([] { return std::make_unique<thing>(); });
  auto given_back = pool->get();
  auto kept = pool->get();
  auto taken_over = pool->get();
  pool->get();  // idle when the pool goes
  pool.reset();
  EXPECT_EQ(alive, before + 3);
  given_back.reset();
  EXPECT_EQ(alive, before + 2);
  const std::unique_ptr<thing> mine = kept.release();
  taken_over = {};
  EXPECT_EQ(alive, before + 1);
}

MATRIX_TEST(ObjectPool, WhatMakeThrowsReachesTheCaller) {
  bool broken = true;
  object_pool<thing> pool([&]() -> std::unique_ptr<thing> {
    if (broken) throw std::runtime_error("no thing");
    return std::make_unique<thing>();
  });
  EXPECT_THROW(pool.get(), std::runtime_error);
  broken = false;
  EXPECT_NO_THROW(pool.get());
}

MATRIX_TEST(ObjectPool, NobodySharesAnObject) {
  object_pool<thing> pool([] { return std::make_unique<thing>(); }, 4);
  wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([&] {
      for (int i = 0; i < scaled(500); ++i) {
        auto h = pool.get();
        EXPECT_EQ(++h->users, 1);
        if (i % 7 == 0) runnel::yield();
        --h->users;
      }
    });
  all.wait();
}

MATRIX_TEST_THREAD(ObjectPool, WorksOnAPlainThread) {
  object_pool<thing> pool([] { return std::make_unique<thing>(); });
  wait_group all;
  all.go([&] {
    for (int i = 0; i < 100; ++i) pool.get()->value = i;
  });
  for (int i = 0; i < 100; ++i) pool.get()->value = i;
  all.wait();
}

}  // namespace
