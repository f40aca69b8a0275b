// go: arguments, names and ids, and what a goroutine keeps of its own.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cfenv>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::wait_group;
namespace this_goroutine = runnel::this_goroutine;

template <class... A>
concept can_go = requires(A&&... a) {
  runnel::go(std::forward<A>(a)...);
};
static_assert(can_go<void (*)(int), int> && can_go<void (*)(std::string), const char*>);
static_assert(!can_go<void (*)(int)> && !can_go<void (*)(int), std::string> && !can_go<int>);
static_assert(!can_go<void (*)(int&), int>);  // as std::thread: the copy is passed as an rvalue

// -- arguments -------------------------------------------------------------------------------------------------------

MATRIX_TEST(Goroutine, ArgumentsAreDecayCopied) {
  const chan<std::string> out(1);
  char text[] = "before";
  runnel::go([out](std::string s) { out.send(s); }, std::string(text));
  EXPECT_EQ(out.recv(), "before");
  int x = 1;
  const chan<int> ints(1);
  const chan<void> go_on;
  runnel::go(
      [=](int v) {
        go_on.recv();
        ints.send(v);
      },
      x);
  x = 2;
  go_on.send();
  EXPECT_EQ(ints.recv(), 1);
  runnel::go(
      [&](int& v) {
        v = 7;
        ints.send(0);
      },
      std::ref(x));
  (void)ints.recv();
  EXPECT_EQ(x, 7);
}

MATRIX_TEST(Goroutine, MoveOnlyArgumentsAndCallables) {
  const chan<int> out(2);
  runnel::go([out](std::unique_ptr<int> p,
                   const std::string& s) { out.send(*p + static_cast<int>(s.size())); },
             std::make_unique<int>(5), "abc");
  EXPECT_EQ(out.recv(), 8);
  runnel::go([out, p = std::make_unique<int>(6)]() mutable {
    const auto mine = std::move(p);
    out.send(*mine);
  });
  EXPECT_EQ(out.recv(), 6);
}

struct counter {
  std::atomic<int> n{0};
  void add(int k) { n += k; }
};
void set_to_four(std::atomic<int>* p) { *p = 4; }

MATRIX_TEST(Goroutine, AnyCallable) {
  counter c;
  std::atomic<int> x{0};
  runnel::go(&counter::add, &c, 3);
  runnel::go(set_to_four, &x);
  std::function<void()> f = [&] { c.add(10); };
  runnel::go(f);
  runnel::go(std::move(f));
  EXPECT_TRUE(eventually([&] { return c.n == 23 && x == 4; }));
}

MATRIX_TEST(Goroutine, ClosuresAreMovedAndDestroyedOnce) {
  tally t;
  {
    tracked lvalue(t, 1);
    wait_group all;
    all.add(3);
    runnel::go(
        [&all](const tracked& v) {
          EXPECT_EQ(v.value(), 1);
          all.done();
        },
        lvalue);
    EXPECT_EQ(t.copied, 1);
    runnel::go(
        [&all](tracked v) {
          EXPECT_EQ(v.value(), 2);
          all.done();
        },
        tracked(t, 2));
    runnel::go([&all, v = tracked(t, 3)] {
      EXPECT_EQ(v.value(), 3);
      all.done();
    });
    EXPECT_EQ(t.copied, 1);
    all.wait();
  }
  EXPECT_TRUE(eventually([&] { return t.alive() == 0; }));
  EXPECT_EQ(t.broken, 0);
  EXPECT_EQ(t.full_destroyed, 4);
}

struct throws_when_copied {
  throws_when_copied() = default;
  throws_when_copied(const throws_when_copied&) { throw std::runtime_error("copy"); }
  void operator()() const {}
};

MATRIX_TEST(Goroutine, ACopyThatThrowsReachesTheCaller) {
  const std::size_t before = runnel::num_goroutines();
  const throws_when_copied f;
  for (int i = 0; i < 100; ++i) EXPECT_THROW(runnel::go(f), std::runtime_error);
  EXPECT_EQ(runnel::num_goroutines(), before);
}

MATRIX_TEST(Goroutine, LargeAndOverAlignedClosures) {
  struct alignas(256) aligned {
    std::array<char, 256> c{};
  };
  const chan<int> out(1);
  std::array<int, 10'000> big{};
  big[9'999] = 9;
  runnel::go([out, big] { out.send(big[9'999]); });
  EXPECT_EQ(out.recv(), 9);
  const aligned a;
  runnel::go([out, a] { out.send(reinterpret_cast<std::uintptr_t>(&a) % 256 == 0 ? 1 : 0); });
  EXPECT_EQ(out.recv(), 1);
}

MATRIX_TEST(Goroutine, TheStackIsAlignedForVectorsAndFloatingPointWorks) {
  const chan<double> out(1);
  for (int i = 0; i < 4; ++i) {
    runnel::go([out] {
      alignas(32) volatile double v[4] = {0.5, 1.5, 2.5, 3.5};
      std::ostringstream s;  // needs an aligned stack inside the C library
      s << v[0] + v[3];
      out.send(reinterpret_cast<std::uintptr_t>(&v) % 32 == 0 ? std::stod(s.str()) : -1);
    });
    EXPECT_EQ(out.recv(), 4.0);
  }
}

// -- names and ids ---------------------------------------------------------------------------------------------------

MATRIX_TEST(Goroutine, IdsAreUniqueAndStay) {
  EXPECT_TRUE(this_goroutine::is_goroutine());
  const auto mine = this_goroutine::id();
  EXPECT_NE(mine, 0U);
  const chan<std::uint64_t> ids(100);
  for (int i = 0; i < 100; ++i)
    runnel::go([ids] {
      const auto id = this_goroutine::id();
      runnel::yield();
      EXPECT_EQ(this_goroutine::id(), id);
      ids.send(id);
    });
  std::set<std::uint64_t> seen{mine};
  for (int i = 0; i < 100; ++i) seen.insert(ids.recv().value());
  EXPECT_EQ(seen.size(), 101U);
  EXPECT_EQ(this_goroutine::id(), mine);
}

TEST(Goroutine, APlainThreadIsNone) {
  EXPECT_FALSE(this_goroutine::is_goroutine());
  EXPECT_EQ(this_goroutine::id(), 0U);
  runnel::run([] { EXPECT_TRUE(this_goroutine::is_goroutine()); });
  EXPECT_FALSE(this_goroutine::is_goroutine());
}

MATRIX_TEST(Goroutine, Names) {
  const chan<std::string> names(1);
  std::string name = "worker of some length that no small buffer holds";
  runnel::go({.name = name}, [names] { names.send(this_goroutine::name()); });
  const std::string given = std::exchange(name, std::string(48, 'x'));  // the name was copied
  EXPECT_EQ(names.recv(), given);
  runnel::go([names] {
    EXPECT_EQ(this_goroutine::name(), "");
    this_goroutine::set_name("late");
    runnel::yield();
    names.send(this_goroutine::name());
  });
  EXPECT_EQ(names.recv(), "late");
  runnel::go(
      {.name = "with arguments"},
      [names](int n) { names.send(this_goroutine::name() + std::to_string(n)); }, 3);
  EXPECT_EQ(names.recv(), "with arguments3");
}

// -- what is a goroutine's own ---------------------------------------------------------------------------------------

void noise(int n) {
  for (int i = 0; i < n; ++i) {
    try {
      throw std::runtime_error("noise");
    } catch (const std::runtime_error&) {
      runnel::yield();
    }
  }
}

MATRIX_TEST(Goroutine, MayBlockInACatchBlock) {
  wait_group all;
  const chan<void> gate;
  for (int g = 0; g < 10; ++g)
    all.go([&, g] {
      const std::string text = "exception " + std::to_string(g);
      try {
        throw std::runtime_error(text);
      } catch (const std::exception& e) {
        const auto held = std::current_exception();
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        gate.recv();
        runnel::yield();
        EXPECT_EQ(e.what(), text);
        EXPECT_EQ(std::current_exception(), held);
        try {
          throw;
        } catch (const std::runtime_error& again) {
          runnel::yield();
          EXPECT_EQ(again.what(), text);
        }
      }
      EXPECT_EQ(std::current_exception(), nullptr);
    });
  noise(20);
  EXPECT_EQ(std::current_exception(), nullptr);
  ASSERT_TRUE(until_blocked("chan receive", 10));
  gate.close();
  all.wait();
}

struct blocks_when_destroyed {
  const chan<void>& gate;
  int expected_uncaught;
  ~blocks_when_destroyed() {
    EXPECT_EQ(std::uncaught_exceptions(), expected_uncaught);
    gate.recv();
    EXPECT_EQ(std::uncaught_exceptions(), expected_uncaught);
    runnel::yield();
    EXPECT_EQ(std::uncaught_exceptions(), expected_uncaught);
  }
};

MATRIX_TEST(Goroutine, MayBlockInADestructorDuringUnwinding) {
  wait_group all;
  const chan<void> gate;
  for (int g = 0; g < 10; ++g)
    all.go([&, g] {
      try {
        const blocks_when_destroyed outer{gate, 1};
        const blocks_when_destroyed inner{gate, 1};
        throw std::logic_error(std::to_string(g));
      } catch (const std::logic_error& e) {
        EXPECT_EQ(e.what(), std::to_string(g));
      }
      EXPECT_EQ(std::uncaught_exceptions(), 0);
    });
  ASSERT_TRUE(until_blocked("chan receive", 10));
  EXPECT_EQ(std::uncaught_exceptions(), 0);
  noise(20);
  gate.close();
  all.wait();
}

[[gnu::noinline]] void far_down(int levels, const std::function<void()>& f) {
  if (levels == 0) {
    f();
  } else {
    far_down(levels - 1, f);
  }
  asm volatile("" ::: "memory");  // not a tail call
}

// An exception deep in a destructor that runs because of another one, and a look at the stack from there.
MATRIX_TEST(Goroutine, TheStackCanBeWalkedAmongNestedExceptions) {
  std::size_t frames = 0;
  int pending = -1;
  const auto look = [&] {
    pending = std::uncaught_exceptions();
    for (const auto& g : runnel::goroutines())
      if (g.id == runnel::this_goroutine::id()) frames = g.stack.size();
  };
  struct while_unwinding {
    std::function<void()> f;
    ~while_unwinding() {
      try {
        far_down(30, [] { throw std::runtime_error("second"); });
      } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "second");
        runnel::yield();
        far_down(30, f);
      }
    }
  };
  try {
    const while_unwinding last{look};
    far_down(30, [] { throw std::runtime_error("first"); });
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "first");
  }
  EXPECT_EQ(pending, 1);
  EXPECT_GE(frames, 30U);
  EXPECT_EQ(std::uncaught_exceptions(), 0);
}

MATRIX_TEST(Goroutine, TheRoundingModeIsItsOwn) {
  wait_group all;
  for (const int mode : {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO})
    all.go([mode] {
      std::fesetround(mode);
      for (int i = 0; i < scaled(50); ++i) {
        runnel::yield();
        ASSERT_EQ(std::fegetround(), mode);
      }
    });
  all.wait();
  EXPECT_EQ(std::fegetround(), FE_TONEAREST);
}

MATRIX_TEST(Goroutine, YieldLetsOthersRun) {
  std::atomic<bool> ran{false};
  wait_group other;
  other.go([&] { ran = true; });
  while (!ran) runnel::yield();
  other.wait();
}

TEST(Goroutine, YieldOnAPlainThreadReturns) { runnel::yield(); }

}  // namespace
