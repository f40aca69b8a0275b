// select over cases chosen at run time (behaviours SE-17 to SE-19).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/select.hpp>
#include <runnel/wait_group.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/tracked.hpp"

namespace {

using namespace runnel_test;
using runnel::chan;
using runnel::closed_channel;
using runnel::on_recv;
using runnel::on_send;
using runnel::on_timeout;
using runnel::otherwise;
using runnel::select;
using runnel::select_case;
using runnel::select_ordered;
using runnel::wait_group;

using recv_case = decltype(on_recv(std::declval<chan<int>>()));
static_assert(std::is_convertible_v<recv_case, select_case>);
static_assert(std::is_convertible_v<decltype(otherwise()), select_case>);
static_assert(std::is_nothrow_move_constructible_v<select_case>);

enum class kind {
  ready_send,
  ready_recv,
  blocked_send,
  blocked_recv,
  nil_send,
  nil_recv,
  closed_send,
  closed_recv,
  other
};
constexpr std::array all_kinds{kind::ready_send,   kind::ready_recv,  kind::blocked_send,
                               kind::blocked_recv, kind::nil_send,    kind::nil_recv,
                               kind::closed_send,  kind::closed_recv, kind::other};

bool is_ready(kind k) {
  return k == kind::ready_send || k == kind::ready_recv || k == kind::closed_send ||
         k == kind::closed_recv;
}
bool can_be_helped(kind k) { return k == kind::blocked_send || k == kind::blocked_recv; }

/// One case, its channel, and what was received through it.
struct entry {
  explicit entry(kind which, int id) : k(which), ch(make(which)), value(id) {}

  static chan<int> make(kind k) {
    if (k == kind::nil_send || k == kind::nil_recv) return nullptr;
    chan<int> ch(k == kind::ready_send || k == kind::ready_recv ? 1 : 0);
    if (k == kind::closed_send || k == kind::closed_recv) ch.close();
    return ch;
  }
  select_case as_case() {
    if (k == kind::other) return otherwise();
    if (k == kind::ready_send || k == kind::blocked_send || k == kind::nil_send ||
        k == kind::closed_send)
      return on_send(ch, value);
    if (k == kind::ready_recv) ch.send(value);
    return on_recv(ch, got);
  }
  /// A partner for a blocked case.
  void help() const {
    if (k == kind::blocked_send) {
      EXPECT_EQ(ch.recv(), value);
    } else {
      ch.send(value);
    }
  }
  void expect_went_ahead() const {
    if (k == kind::ready_send) {
      EXPECT_EQ(ch.recv(), value);
    } else if (k == kind::ready_recv || k == kind::blocked_recv) {
      EXPECT_EQ(got, value);
    } else if (k == kind::closed_recv) {
      EXPECT_EQ(got, std::nullopt);
    }
  }

  kind k;
  chan<int> ch;
  int value;
  std::optional<int> got = -1;
};

void try_combination(const std::vector<kind>& kinds) {
  std::deque<entry> entries;
  for (const kind k : kinds) entries.emplace_back(k, 100 + static_cast<int>(entries.size()));
  std::vector<select_case> cases;
  bool any_ready = false;
  bool has_other = false;
  const entry* helped = nullptr;
  for (auto& e : entries) {
    cases.push_back(e.as_case());
    any_ready = any_ready || is_ready(e.k);
    has_other = has_other || e.k == kind::other;
    if (can_be_helped(e.k)) helped = &e;
  }
  wait_group helper;
  const bool needs_help = !any_ready && !has_other;
  if (needs_help && helped == nullptr) return;  // would block for ever
  if (needs_help) helper.go([helped] { helped->help(); });
  std::size_t chosen = 0;
  try {
    chosen = select(cases);
  } catch (const closed_channel&) {
    EXPECT_TRUE(any_ready);
    for (const kind k : kinds)
      if (k == kind::closed_send) return;
    ADD_FAILURE() << "threw without a send case on a closed channel";
    return;
  }
  ASSERT_LT(chosen, entries.size());
  helper.wait();
  const entry& e = entries[chosen];
  EXPECT_NE(e.k, kind::closed_send);
  EXPECT_TRUE(any_ready ? is_ready(e.k) : has_other ? e.k == kind::other : &e == helped);
  e.expect_went_ahead();
  for (const auto& o : entries) EXPECT_TRUE(&o == &e || o.got == -1);
}

MATRIX_TEST(SelectDynamic, EveryCombinationChoosesALegalCase_SE17) {
  for (const kind a : all_kinds) {
    try_combination({a});
    for (const kind b : all_kinds) {
      if (a == kind::other && b == kind::other) continue;
      try_combination({a, b});
      for (const kind c : all_kinds) {
        if (c == kind::other && (a == kind::other || b == kind::other)) continue;
        try_combination({a, b, c});
      }
    }
  }
}

MATRIX_TEST(SelectDynamic, ManyCases_SE18) {
  const std::size_t n = scaled(std::size_t{65'536});
  std::vector<chan<int>> idle(1000);
  const chan<int> ready(1);
  std::vector<select_case> cases;
  cases.reserve(n);
  for (std::size_t i = 0; i + 1 < n; ++i) cases.emplace_back(on_recv(idle[i % idle.size()]));
  cases.emplace_back(on_recv(ready));
  ready.send(1);
  EXPECT_EQ(select(cases), n - 1);
  wait_group sender;
  sender.go([&] { idle[n % 1000].send(1); });
  EXPECT_EQ(select(cases) % 1000, n % 1000);  // perhaps after it blocked on all of them
  sender.wait();
}

MATRIX_TEST(SelectDynamic, OnlyOtherwise_SE19) {
  std::vector<select_case> cases;
  cases.emplace_back(otherwise());
  EXPECT_EQ(select(cases), 0U);
  std::array<select_case, 2> two{on_recv(chan<int>(nullptr)), otherwise()};
  EXPECT_EQ(select(std::span<select_case>(two)), 1U);
  two[0] = select_case(otherwise());
  EXPECT_THROW(select(two), std::invalid_argument);
}

TEST(SelectDynamic, NoCasesBlockForEver_SE01) {
  runnel::run([] {
    runnel::go([] {
      select(std::span<select_case>());
      ADD_FAILURE() << "a select without cases returned";
    });
    EXPECT_TRUE(until_blocked("select (no cases)"));
  });
}

MATRIX_TEST(SelectDynamic, CasesMayBeUsedAgain) {
  const chan<int> a(1);
  const chan<int> b(1);
  int sum = 0;
  std::vector<select_case> cases;
  cases.emplace_back(on_recv(a, [&](std::optional<int> v) { sum += *v; }));
  cases.emplace_back(on_recv(b, [&](std::optional<int> v) { sum += 100 * *v; }));
  for (int i = 0; i < 10; ++i) {
    (i % 2 == 0 ? a : b).send(i);
    EXPECT_EQ(select(cases), static_cast<std::size_t>(i % 2));
  }
  EXPECT_EQ(sum, 20 + 2500);
}

// For every number of cases, as there are other ways for few, many and very many: nothing ready, one ready, none but nil.
MATRIX_TEST(SelectDynamic, AnyNumberOfCasesBesideOtherwise) {
  for (const std::size_t n : {1U, 2U, 8U, 9U, 64U, 65U, 200U}) {
    SCOPED_TRACE(n);
    const chan<int> idle;
    const chan<int> ready(1);
    const auto select_with = [&](const chan<int>& odd_one) {
      std::vector<select_case> cases;
      for (std::size_t i = 0; i + 1 < n; ++i) cases.emplace_back(on_recv(chan<int>(nullptr)));
      cases.emplace_back(on_recv(odd_one));
      cases.emplace_back(otherwise());
      const std::size_t unordered = select(cases);
      EXPECT_EQ(select_ordered(cases), unordered);
      return unordered;
    };
    EXPECT_EQ(select_with(nullptr), n);
    EXPECT_EQ(select_with(idle), n);
    const chan<int> closed;
    closed.close();
    EXPECT_EQ(select_with(closed), n - 1);
    std::vector<select_case> cases;
    for (std::size_t i = 0; i < n; ++i) cases.emplace_back(on_recv(i == n / 2 ? ready : idle));
    cases.emplace_back(otherwise());
    EXPECT_EQ(select(cases), n);
    ready.send(1);
    EXPECT_EQ(select(cases), n / 2);
  }
}

MATRIX_TEST(SelectDynamic, OfVeryManyThatAreReadyAnyMayBePicked) {
  constexpr std::size_t n = 100;
  std::vector<select_case> cases;
  for (std::size_t i = 0; i < n; ++i) {
    const chan<int> closed;
    closed.close();
    cases.emplace_back(on_recv(closed));
  }
  std::vector<int> picked(n, 0);
  for (int i = 0; i < 3000; ++i) ++picked[select(cases)];
  EXPECT_EQ(std::ranges::count(picked, 0), 0);  // by chance once in 10^11 times
  EXPECT_EQ(select_ordered(cases), 0U);
}

// A value comes before a deadline that is past, and that before otherwise.
MATRIX_TEST(SelectDynamic, AnyNumberOfCasesBesideADeadlineThatIsPast) {
  for (const std::size_t n : {1U, 2U, 8U, 9U, 64U, 65U, 200U}) {
    SCOPED_TRACE(n);
    const chan<int> idle;
    const chan<int> ready(2);
    std::vector<select_case> cases;
    cases.emplace_back(on_timeout(0s));
    for (std::size_t i = 0; i < n; ++i) cases.emplace_back(on_recv(i == n / 2 ? ready : idle));
    EXPECT_EQ(select(cases), 0U);
    ready.send(1);
    EXPECT_EQ(select(cases), n / 2 + 1);
    cases.emplace_back(otherwise());
    EXPECT_EQ(select_ordered(cases), 0U);
    EXPECT_EQ(select(cases), 0U);
    ready.send(2);
    EXPECT_EQ(select_ordered(cases), n / 2 + 1);
  }
}

MATRIX_TEST(SelectDynamic, TakesFromAnyNumberOfProducers) {
  constexpr int producers = 20;
  constexpr int each = scaled(100);
  std::vector<chan<int>> sources;
  for (int p = 0; p < producers; ++p) {
    const chan<int> ch(p % 3);
    runnel::go([ch] {
      for (int i = 0; i < each; ++i) ch.send(1);
      ch.close();
    });
    sources.push_back(ch);
  }
  int total = 0;
  while (!sources.empty()) {
    std::vector<select_case> cases;
    std::optional<int> v;
    for (const auto& s : sources) cases.emplace_back(on_recv(s, v));
    const std::size_t i = select(cases);
    if (v)
      total += *v;
    else
      sources.erase(sources.begin() + static_cast<std::ptrdiff_t>(i));
  }
  EXPECT_EQ(total, producers * each);
}

MATRIX_TEST(SelectDynamic, ValuesAreMovedAndDestroyedOnce) {
  tally t;
  {
    const chan<tracked> full(1);
    const chan<tracked> room(1);
    full.send(tracked(t, 0));
    std::vector<select_case> cases;
    cases.emplace_back(on_send(full, tracked(t, 1)));
    cases.emplace_back(on_send(room, tracked(t, 2)));
    EXPECT_EQ(select(cases), 1U);
    EXPECT_EQ(room.recv()->value(), 2);
  }
  EXPECT_EQ(t.copied, 0);
  EXPECT_EQ(t.alive(), 0);
  EXPECT_EQ(t.broken, 0);
  EXPECT_EQ(t.full_destroyed, 3);
}

}  // namespace
