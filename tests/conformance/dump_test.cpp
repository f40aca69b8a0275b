// goroutines() and dump_goroutines(): who there is and what each waits for (behaviours DL-15, SC-25).
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <regex>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::goroutine_info;
using runnel::wait_group;

std::optional<goroutine_info> named(const std::string& name) {
  for (auto& g : runnel::goroutines())
    if (g.name == name) return g;
  return std::nullopt;
}

/// Starts `body` under a name, as one of `all`, and waits until a dump says that it is in `state`.
void expect_state(wait_group& all, const std::string& name, const std::string& state,
                  const std::function<void()>& body) {
  all.add(1);
  runnel::go({.name = name}, [&all, body] {
    body();
    all.done();
  });
  EXPECT_TRUE(until_blocked_named(name, state))
      << name << " is in " << named(name).value_or(goroutine_info{}).state;
}

MATRIX_TEST(Dump, StatesUseGosWords_DL15) {
  const chan<int> ch;
  const chan<void> timed;
  runnel::mutex m;
  runnel::shared_mutex rw;
  wait_group wg;
  runnel::semaphore sem(1);
  m.lock();
  rw.lock();
  wg.add(1);
  sem.acquire();
  runnel::condition_variable cv;
  runnel::mutex cv_mutex;
  bool go_on = false;
  wait_group all;  // they use what is local here

  expect_state(all, "receiver", "chan receive", [&] { (void)ch.recv(); });
  expect_state(all, "selecting", "select",
               [&] { runnel::select(runnel::on_recv(timed), runnel::on_send(timed)); });
  expect_state(all, "locking", "sync.Mutex.Lock", [&] { const std::lock_guard hold(m); });
  expect_state(all, "reading", "sync.RWMutex.RLock", [&] { const std::shared_lock hold(rw); });
  expect_state(all, "writing", "sync.RWMutex.Lock", [&] { const std::lock_guard hold(rw); });
  expect_state(all, "waiting", "sync.WaitGroup.Wait", [&] { wg.wait(); });
  expect_state(all, "acquiring", "semacquire", [&] { sem.acquire(); });
  expect_state(all, "on a condition", "sync.Cond.Wait", [&] {
    std::unique_lock hold(cv_mutex);
    cv.wait(hold, [&] { return go_on; });
  });
  std::atomic<bool> stop{false};
  expect_state(all, "sleeping", "sleep", [&] {
    while (!stop) runnel::sleep_for(50ms);
  });

  ch.send(1);
  timed.send();
  m.unlock();
  rw.unlock();
  wg.done();
  sem.release();
  {
    const std::lock_guard hold(cv_mutex);
    go_on = true;
  }
  cv.notify_all();
  stop = true;
  const chan<int> full;
  expect_state(all, "sender", "chan send", [&] { full.send(1); });
  (void)full.recv();
  all.wait();
}

MATRIX_TEST(Dump, RunningAndRunnable) {
  const auto me = runnel::this_goroutine::id();
  runnel::this_goroutine::set_name("the main one");
  const auto all = runnel::goroutines();
  const auto self = std::find_if(all.begin(), all.end(), [&](const auto& g) { return g.id == me; });
  ASSERT_NE(self, all.end());
  EXPECT_EQ(self->state, "running");
  EXPECT_EQ(self->name, "the main one");
  runnel::this_goroutine::set_name("");
}

MATRIX_TEST(Dump, EveryIdOnceInOrder) {
  const chan<void> gate;
  for (int i = 0; i < 20; ++i) runnel::go([gate] { gate.recv(); });
  const auto all = runnel::goroutines();
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].id, all[i].id);
  EXPECT_GE(all.size(), 21U);
  gate.close();
}

MATRIX_TEST(Dump, SaysWhereAGoroutineWasStartedAndHowLongItWaits_SC25) {
  const chan<void> gate;
  runnel::go({.name = "child"}, [gate] { gate.recv(); });
  ASSERT_TRUE(until_blocked_named("child", "chan receive"));
  EXPECT_TRUE(eventually([] { return named("child")->since >= 2ms; }));
  const auto child = named("child");
  EXPECT_FALSE(child->created_at.empty());
  EXPECT_FALSE(child->stack.empty());
  gate.close();
}

MATRIX_TEST(Dump, TheTextHasGosForm_SC25) {
  const chan<void> gate;
  runnel::go({.name = "waiter"}, [gate] { gate.recv(); });
  ASSERT_TRUE(until_blocked_named("waiter", "chan receive"));
  const auto id = named("waiter")->id;
  std::ostringstream text;
  runnel::dump_goroutines(text);
  const std::string dump = text.str();
  const auto head = "goroutine " + std::to_string(id) + " [chan receive";
  const auto part = dump.find(head);
  ASSERT_NE(part, std::string::npos) << dump;
  EXPECT_NE(dump.find("waiter"), std::string::npos) << dump;
  EXPECT_NE(dump.find("[running]"), std::string::npos) << dump;
  // A goroutine's part ends with who created it.
  const auto end = dump.find("\n\n", part);
  const std::string own = dump.substr(part, end == std::string::npos ? end : end - part);
  const std::string parent = std::to_string(runnel::this_goroutine::id());
  EXPECT_TRUE(
      std::regex_search(own, std::regex("\ncreated by [^\n]* in goroutine " + parent + "\\b")))
      << own;
  gate.close();
}

MATRIX_TEST(Dump, ANameCannotBreakTheLineItStandsIn) {
  const chan<void> gate;
  const std::string name = "grüne\ngoroutine 7 [running] \"x\\y\"\x1b[31m\t:";
  runnel::go({.name = name}, [gate] { gate.recv(); });
  ASSERT_TRUE(until_blocked_named(name, "chan receive"));
  std::ostringstream text;
  runnel::dump_goroutines(text);
  const std::string line = R"([chan receive] grüne\ngoroutine 7 [running] "x\\y"\x1b[31m\t::)";
  EXPECT_NE(text.str().find(line + "\n"), std::string::npos) << text.str();
  gate.close();
}

MATRIX_TEST(Dump, MayBeTakenWhileEverythingMoves) {
  std::atomic<bool> stop{false};
  const chan<int> ch(2);
  wait_group all;
  for (int i = 0; i < 4; ++i) {
    all.go([&] {
      while (!stop) (void)ch.send_for(1, 1ms);
    });
    all.go([&] {
      while (!stop) (void)ch.recv_for(1ms);
    });
    all.go([&] {
      while (!stop) {
        wait_group child;
        child.go([] {});
        child.wait();
      }
    });
  }
  for (int i = 0; i < scaled(40); ++i) {
    EXPECT_GE(runnel::goroutines().size(), 13U);
    runnel::yield();
  }
  stop = true;
  all.wait();
}

// The frames around it do not depend on whether the goroutine is locked to its thread.
[[gnu::noinline]] void wait_at(const chan<void>& gate) {
  gate.recv();
  std::atomic_signal_fence(std::memory_order_seq_cst);  // not a tail call
}

/// The frame of wait_at, and those around it, in the stack of the goroutine called `name`.
std::vector<std::string> callers_of_wait(const std::string& name) {
  std::vector<std::string> stack = named(name)->stack;
  const auto here = std::find_if(stack.begin(), stack.end(), [](const std::string& frame) {
    return frame.find("wait_at") != std::string::npos;
  });
  stack.erase(stack.begin(), here);
  return stack;
}

MATRIX_TEST(Dump, ShowsTheStackOfAGoroutineThatIsLockedToItsThread) {
  const chan<void> gate;
  wait_group all;
  const auto body = [&](bool locks) {
    all.add(1);
    runnel::go({.name = locks ? "locked" : "free"}, [&, locks] {
      if (locks) runnel::lock_os_thread();
      wait_at(gate);
      all.done();
    });
  };
  body(true);
  body(false);
  ASSERT_TRUE(until_blocked_named("locked", "chan receive"));
  ASSERT_TRUE(until_blocked_named("free", "chan receive"));
  ASSERT_TRUE(eventually([] { return !named("free")->stack.empty(); }));
  EXPECT_TRUE(eventually([] { return !named("locked")->stack.empty(); }));
  EXPECT_EQ(callers_of_wait("locked"), callers_of_wait("free"));
  gate.close();
  all.wait();
}

MATRIX_TEST(Dump, LeavesLockedGoroutinesAsTheyAreWhileItLooks) {
  constexpr int pairs = 3;
  const int hand_overs = scaled(300);
  std::atomic<int> ended{0};
  std::vector<chan<int>> there(pairs);
  std::vector<chan<int>> back(pairs);
  for (int i = 0; i < pairs; ++i) {
    there[i] = chan<int>(0);
    back[i] = chan<int>(0);
    runnel::go([&, i] {
      runnel::lock_os_thread();
      for (int n = 0; n < hand_overs; ++n) {
        EXPECT_FALSE(back[i].recv_for(1us).has_value());
        there[i].send(n);
        EXPECT_EQ(back[i].recv(), n);
      }
      ++ended;
    });
    runnel::go([&, i] {
      runnel::lock_os_thread();
      for (int n = 0; n < hand_overs; ++n) back[i].send(there[i].recv().value());
      runnel::unlock_os_thread();
      ++ended;
    });
  }
  while (ended < 2 * pairs) {
    EXPECT_LT(runnel::goroutines().size(), 100U);
    runnel::yield();
  }
}

// The names of functions are looked up for all of them at once, in a process of its own for the first time.
MATRIX_TEST(Dump, ManyThreadsAskAtOnce) {
  const chan<int> never_sent;
  wait_group all;
  for (int i = 0; i < 20; ++i) all.go([=] { (void)never_sent.recv(); });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      std::ostringstream text;
      runnel::dump_goroutines(text);
      EXPECT_NE(text.str().find("ManyThreadsAskAtOnce"), std::string::npos) << text.str();
      EXPECT_GE(runnel::goroutines().size(), 20U);
    });
  runnel::blocking([&] {
    for (auto& t : threads) t.join();
  });
  never_sent.close();
  all.wait();
}

TEST(Dump, WorksFromAPlainThread) {
  runnel::run([] {});
  EXPECT_TRUE(eventually([] { return runnel::goroutines().empty(); }));
  std::ostringstream text;
  runnel::dump_goroutines(text);
}

}  // namespace
