// Which of several ready cases is chosen, what is evaluated, and that all are seen at one instant (behaviours SE-13 to
// SE-16, SE-20 to SE-25).
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::on_deadline;
using runnel::on_recv;
using runnel::on_send;
using runnel::on_timeout;
using runnel::otherwise;
using runnel::select;
using runnel::select_case;
using runnel::select_ordered;
using runnel::wait_group;

void expect_all_cases_seen(void (*make_ready)(const chan<int>&)) {
  const int rounds = scaled(2000);
  for (int i = 0; i < rounds; ++i) {
    const chan<int> c1(1);
    const chan<int> c2(1);
    const chan<bool> missed(1);
    c1.send(1);
    runnel::go([=] { missed.send(select(on_recv(c1), on_recv(c2), otherwise()) == 2); });
    make_ready(c2);
    (void)c1.try_recv();
    ASSERT_EQ(missed.recv(), false);
  }
}

MATRIX_TEST(SelectChoice, AllCasesAreSeenAtOneInstant_SE13) {
  expect_all_cases_seen([](const chan<int>& c) { c.send(1); });
}
MATRIX_TEST(SelectChoice, AllCasesAreSeenAtOneInstantBesideAClose_SE14) {
  expect_all_cases_seen([](const chan<int>& c) { c.close(); });
}

MATRIX_TEST(SelectChoice, AllCasesAreSeenAtOneInstantOnPlainThreads_SE13) {
  for (int i = 0; i < scaled(40); ++i) {
    const chan<int> c1(1);
    const chan<int> c2(1);
    std::atomic<bool> missed{false};
    c1.send(1);
    std::thread other([&] { missed = select(on_recv(c1), on_recv(c2), otherwise()) == 2; });
    c2.send(1);
    (void)c1.try_recv();
    runnel::blocking([&] { other.join(); });
    ASSERT_FALSE(missed);
  }
}

// Ten standard deviations of a fair choice, as Go's own test allows.
void expect_fair(const std::vector<int>& picks) {
  double total = 0;
  for (const int n : picks) total += n;
  const double p = 1.0 / static_cast<double>(picks.size());
  const double sigma = std::sqrt(total * p * (1 - p));
  for (const int n : picks) EXPECT_NEAR(n, total * p, 10 * sigma);
}

MATRIX_TEST(SelectChoice, IsUniformAmongTheReady_SE15) {
  const int rounds = scaled(10'000);
  const chan<int> never1;
  const chan<int> never2(nullptr);
  const chan<int> x(rounds);
  const chan<int> y(rounds);
  for (int i = 0; i < rounds; ++i) {
    x.send(1);
    y.send(1);
  }
  std::vector<int> picks(2);
  for (int i = 0; i < rounds; ++i) {
    const std::size_t chosen = select(on_recv(never1), on_recv(never2), on_recv(x), on_recv(y));
    ASSERT_GE(chosen, 2U);
    ++picks[chosen - 2];
  }
  expect_fair(picks);
}

MATRIX_TEST(SelectChoice, IsUniformAmongThree) {
  const int rounds = scaled(6000);
  const chan<int> closed;
  closed.close();
  std::vector<int> picks(3);
  for (int i = 0; i < rounds; ++i)
    ++picks[select(on_recv(closed), on_recv(closed), on_recv(closed))];
  expect_fair(picks);
  std::vector<select_case> cases;
  for (int i = 0; i < 5; ++i) cases.emplace_back(on_recv(closed));
  std::vector<int> dynamic(5);
  for (int i = 0; i < rounds; ++i) ++dynamic[select(cases)];
  expect_fair(dynamic);
}

MATRIX_TEST(SelectChoice, IsUniformAmongTimeoutsDueAtOnce) {
  const chan<int> idle;
  const int rounds = scaled(2000);
  std::vector<int> past(3);
  for (int i = 0; i < rounds; ++i)
    ++past[select(on_timeout(0s), on_timeout(-1s), on_deadline(runnel::clock::now() - 1s))];
  expect_fair(past);
  std::vector<int> waited(2);
  for (int i = 0; i < 40; ++i) {
    const auto due = runnel::clock::now() + 100us;
    ++waited[select(on_recv(idle), on_deadline(due), on_deadline(due)) - 1];
  }
  EXPECT_TRUE(waited[0] > 0 && waited[1] > 0) << waited[0] << " and " << waited[1];
  for (int i = 0; i < 20; ++i) EXPECT_EQ(select_ordered(on_timeout(0s), on_timeout(-1s)), 0U);
}

MATRIX_TEST(SelectChoice, ASenderOfTwoValuesSendsBoth_SE16) {
  for (const int cap : {0, 100}) {
    const int n = 200;
    const chan<int> ch(cap);
    wait_group sender;
    sender.go([&] {
      for (int i = 0; i < n; ++i) select(on_send(ch, 0), on_send(ch, 1));
    });
    int ones = 0;
    for (int i = 0; i < n; ++i) ones += ch.recv().value();
    sender.wait();
    EXPECT_GT(ones, n / 10);
    EXPECT_LT(ones, n - n / 10);
  }
}

// A partner that never waits itself meets only selects that are asleep.
int await_value(const chan<int>& ch) {
  for (;; runnel::yield())
    if (const auto value = ch.try_recv()) return *value;
}

MATRIX_TEST(SelectChoice, IsUniformAmongSendersThatWaitAtOneChannel) {
  const int n = scaled(2000);
  const chan<int> ch;
  const chan<int> idle;
  wait_group sender;
  sender.go([&] {
    for (int i = 0; i < n; ++i)
      select(on_send(ch, 0), on_recv(idle), on_send(ch, 1), on_send(ch, 2));
    for (int i = 0; i < 20; ++i) select_ordered(on_recv(idle), on_send(ch, 0), on_send(ch, 1));
  });
  std::vector<int> picks(3);
  for (int i = 0; i < n; ++i) ++picks[static_cast<std::size_t>(await_value(ch))];
  expect_fair(picks);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(await_value(ch), 0);
  sender.wait();
}

MATRIX_TEST(SelectChoice, IsUniformAmongReceiversThatWaitAtOneChannel) {
  const int n = scaled(2000);
  const chan<int> ch;
  wait_group sender;
  sender.go([&] {
    for (int i = 0; i < n; ++i)
      while (!ch.try_send(i)) runnel::yield();
  });
  std::vector<int> picks(2);
  for (int i = 0; i < n; ++i) ++picks[select(on_recv(ch), on_recv(ch))];
  expect_fair(picks);
  sender.wait();
}

MATRIX_TEST(SelectChoice, OrderedTakesTheFirstThatIsReady) {
  const chan<int> idle;
  const chan<int> ready(1);
  const chan<int> closed;
  closed.close();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(select_ordered(on_recv(idle), on_recv(closed), on_send(ready, 1)), 1U);
    EXPECT_EQ(select_ordered(otherwise(), on_send(idle, 1), on_recv(closed)), 2U);
    EXPECT_EQ(select_ordered(on_recv(idle), otherwise()), 1U);
    std::vector<select_case> cases;
    cases.emplace_back(on_recv(idle));
    cases.emplace_back(on_recv(closed));
    cases.emplace_back(on_recv(closed));
    EXPECT_EQ(select_ordered(cases), 1U);
  }
  EXPECT_EQ(select_ordered(on_recv(idle), on_recv(idle), runnel::on_timeout(1ms)), 2U);
  wait_group waiting;
  waiting.go([&] { EXPECT_EQ(select_ordered(on_recv(chan<int>(nullptr)), on_recv(idle)), 1U); });
  idle.send(1);
  waiting.wait();
}

// -- evaluation ------------------------------------------------------------------------------------------------------

MATRIX_TEST(SelectChoice, EverythingIsEvaluatedOnceInOrder_SE20) {
  std::vector<int> order;
  const chan<int> ready(1);
  const auto channel = [&](int id, const chan<int>& c) -> const chan<int>& {
    order.push_back(id);
    return c;
  };
  const auto value = [&](int id) {
    order.push_back(id);
    return id;
  };
  const chan<int> nil(nullptr);
  // Braces fix the order of evaluation.
  select_case cases[] = {on_send(channel(1, nil), value(2)), on_recv(channel(3, nil)),
                         on_send(channel(4, ready), value(5)), otherwise()};
  EXPECT_EQ(select(cases), 2U);
  // The two arguments of one on_send are a call's, whose order C++ leaves open.
  for (auto& id : order)
    if (id == 2 || id == 5) --id;
  EXPECT_TRUE(order.size() == 5 && order[2] == 3) << ::testing::PrintToString(order);
  EXPECT_EQ(order, (std::vector<int>{1, 1, 3, 4, 4}));
  EXPECT_EQ(ready.recv(), 5);
}

MATRIX_TEST(SelectChoice, TheTargetOfALosingCaseIsNotTouched_SE22) {
  const chan<int> ready(1);
  const chan<int> idle;
  ready.send(1);
  const auto never = std::make_unique<std::optional<int>>(5);
  select(on_recv(idle, *never), on_recv(ready));
  EXPECT_EQ(*never, 5);
}

// Where a value goes is found out last of all: its handler runs after the receive.
MATRIX_TEST(SelectChoice, TheHandlerLooksForItsTargetAfterTheReceive) {
  std::vector<std::string> order;
  const auto say = [&](const char* what) { order.emplace_back(what); };
  const chan<int> full(1);
  full.send(7);
  std::map<int, int> targets;
  const auto channel = [&]() -> const chan<int>& {
    say("channel");
    return full;
  };
  const auto target = [&]() -> int& {
    say(full.len() == 0 ? "target after the receive" : "target too early");
    return targets[1];
  };
  select(on_recv(chan<int>(nullptr), [&] { target() = -1; }),
         on_recv(channel(), [&](std::optional<int> v) { target() = *v; }));
  EXPECT_EQ(order, (std::vector<std::string>{"channel", "target after the receive"}));
  EXPECT_EQ(targets, (std::map<int, int>{{1, 7}}));
}

MATRIX_TEST(SelectChoice, AValueIsTakenWhenItsCaseIsMade_SE23) {
  const chan<int> ch(1);
  int x = 1;
  const auto change = [&] {
    x = 2;
    return chan<int>(nullptr);
  };
  select_case cases[] = {on_send(ch, x), on_recv(change())};
  EXPECT_EQ(select(cases), 0U);
  EXPECT_EQ(ch.recv(), 1);
}

MATRIX_TEST(SelectChoice, AChannelIsTakenWhenItsCaseIsMade_SE24) {
  chan<int> ch;
  const auto close_and_forget = [&] {
    ch.close();
    ch = nullptr;
    return chan<int>(nullptr);
  };
  std::optional<int> out = 1;
  select_case cases[] = {on_recv(ch, out), on_recv(close_and_forget())};
  EXPECT_EQ(select(cases), 0U);
  EXPECT_EQ(out, std::nullopt);
}

MATRIX_TEST(SelectChoice, AThrowingOperandStopsTheEvaluation_SE25) {
  int later = 0;
  const auto fails = []() -> chan<int> { throw std::runtime_error("operand"); };
  const auto counts = [&] {
    ++later;
    return chan<int>(nullptr);
  };
  EXPECT_THROW(([&] {
                 select_case cases[] = {on_recv(fails()), on_recv(counts()), otherwise()};
                 select(cases);
               }()),
               std::runtime_error);
  EXPECT_EQ(later, 0);
}

// What a case was made from is gone: a select_case keeps it, a moved case does, and a case of a temporary does.
const auto gives_three = [](std::optional<int> v) { EXPECT_EQ(v, 3); };

chan<int> full() {
  chan<int> ch(1);
  ch.send(3);
  return ch;
}

MATRIX_TEST(SelectChoice, ASelectCaseKeepsItsChannel) {
  const auto make = []() -> select_case {
    const chan<int> ch = full();
    return on_recv(ch, gives_three);
  };
  select_case cases[] = {make()};
  EXPECT_EQ(select(cases), 0U);
}

MATRIX_TEST(SelectChoice, AMovedCaseKeepsItsChannel) {
  chan<int> source = full();
  chan<int> target(1);
  auto receives = on_recv(source, gives_three);
  auto sends = on_send(target, 4);
  const runnel::recv_chan<int> sent = target;
  auto receives_too = std::move(receives);
  auto sends_too = std::move(sends);
  source = nullptr;
  target = nullptr;
  EXPECT_EQ(select(receives_too), 0U);
  EXPECT_EQ(select(sends_too), 0U);
  EXPECT_EQ(sent.recv(), 4);
}

MATRIX_TEST(SelectChoice, ACaseOfATemporaryKeepsItsChannel) {
  auto c = on_recv(full(), gives_three);
  EXPECT_EQ(select(c), 0U);
}

// A case of a channel that has a name takes no share: whoever selects on it together with many does not write to it.
MATRIX_TEST(SelectChoice, AHandlerMayDropTheChannel) {
  chan<int> ch = full();
  EXPECT_EQ(select(on_recv(ch,
                           [&](std::optional<int> v) {
                             ch = nullptr;
                             EXPECT_EQ(v, 3);
                           })),
            0U);
  EXPECT_EQ(ch, nullptr);
}

}  // namespace
