// The poller from inside: its count of waiters, its interrupt, its own descriptors.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/select.hpp>
#include <runnel/time.hpp>
#include <runnel/wait_group.hpp>

#include "../../tests/support/goroutine_state.hpp"
#include "../../tests/support/matrix.hpp"
#include "../../tests/support/pipe.hpp"
#include "poll/epoll.hpp"
#include "sched/start.hpp"

namespace {

using namespace runnel_test;
using runnel::detail::the_poller;

bool none_waiting() {
  return eventually([] { return !the_poller.pending(); });
}

MATRIX_TEST(Poller, CountsExactlyThoseWhoWait_NP14) {
  const pipe_ends p;
  EXPECT_FALSE(the_poller.pending());
  runnel::wait_group all;
  for (int i = 0; i < 3; ++i) all.go([&] { EXPECT_FALSE(runnel::wait_readable(p.read_end())); });
  all.go([&] { EXPECT_EQ(runnel::select(runnel::on_readable(p.read_end())), 0U); });
  EXPECT_TRUE(until_blocked("IO wait", 3));
  EXPECT_TRUE(until_blocked("select"));
  EXPECT_TRUE(the_poller.pending());
  p.put('a');
  all.wait();
  EXPECT_TRUE(none_waiting());
}

MATRIX_TEST(Poller, EveryKindOfEndIsCounted_NP14) {
  const pipe_ends p;
  const int fd = p.read_end();
  for (int i = 0; i < scaled(200); ++i) {
    runnel::wait_group all;
    all.go([&] { (void)runnel::wait_readable(fd, runnel::clock::now() + 100us); });
    all.go([&] { runnel::select(runnel::on_readable(fd), runnel::on_timeout(100us, [] {})); });
    all.go([&] {
      auto [ctx, cancel] = runnel::with_timeout(runnel::background(), 100us);
      (void)runnel::wait_readable(ctx, fd);
    });
    if (i % 2 == 0) p.put('a');  // the three ends meet the event
    all.wait();
    EXPECT_EQ(p.take(), i % 2 == 0 ? 'a' : -2);
  }
  EXPECT_TRUE(none_waiting());
}

// A thread that sleeps in the poller.
class sleeper {
 public:
  sleeper() {
    runnel::detail::ensure_started();
    EXPECT_EQ(the_poller.open(), 0);
    thread_ = std::thread([this] {
      the_poller.poll(runnel::detail::now_ns() + 60'000'000'000);
      woken_ = true;
    });
  }
  ~sleeper() { thread_.join(); }

  bool woken() const { return woken_; }

 private:
  std::atomic<bool> woken_{false};
  std::thread thread_;
};

TEST(PollerInterrupt, WakesTheSleeper_NP15) {
  for (int i = 0; i < 100; ++i) {
    const sleeper s;
    the_poller.interrupt();
    EXPECT_TRUE(eventually([&] { return s.woken(); }));
  }
}

TEST(PollerInterrupt, BeforeTheSleepItIsNotLostToAPassingLook) {
  runnel::detail::ensure_started();
  ASSERT_EQ(the_poller.open(), 0);
  for (int i = 0; i < 100; ++i) {
    the_poller.interrupt();
    the_poller.poll(0);
    the_poller.interrupt();
    the_poller.poll(0);
    const sleeper s;
    EXPECT_TRUE(eventually([&] { return s.woken(); }));
  }
}

TEST(PollerInterrupt, IsGoneOnceItWasTaken) {
  runnel::detail::ensure_started();
  ASSERT_EQ(the_poller.open(), 0);
  the_poller.interrupt();
  the_poller.poll(runnel::detail::never);
  const std::int64_t until = runnel::detail::now_ns() + 2'000'000;
  the_poller.poll(until);
  EXPECT_GE(runnel::detail::now_ns(), until);
}

TEST(Poller, KeepsItsDescriptorsFromChildren) {
  runnel::detail::ensure_started();
  ASSERT_EQ(the_poller.open(), 0);
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry, gone).string();
    if (target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]") continue;
    ++seen;
    EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0) << target;
  }
  EXPECT_EQ(seen, 2);
}

TEST(EdgeWord, WhoFoundItEmptyDoesNotClearAReportThatCameMeanwhile) {
  using runnel::detail::edge_word;
  edge_word edge;
  const auto before = edge.look();
  EXPECT_TRUE(edge_word::may_be_ready(before)) << "nobody has asked yet";
  edge.report(false);
  edge.found_empty(before);
  EXPECT_TRUE(edge_word::may_be_ready(edge.look()));
  edge.found_empty(edge.look());
  EXPECT_FALSE(edge_word::may_be_ready(edge.look()));
  EXPECT_FALSE(edge_word::is_special(edge.look()));
  edge.report(true);
  edge.found_empty(edge.look());
  edge.report(false);
  EXPECT_TRUE(edge_word::is_special(edge.look())) << "for good";
  edge.reset();
  EXPECT_EQ(edge.look(), before);
}

TEST(Descriptors, AreFoundAgainWhateverTheNumber) {
  for (const int fd : {0, 255, 256, 65'535, 1 << 20, 0x7fff'ffff}) {
    runnel::detail::descriptor& d = runnel::detail::descriptor_of(fd);
    EXPECT_EQ(d.fd, fd);
    EXPECT_EQ(runnel::detail::find_descriptor(fd), &d);
    EXPECT_EQ(&runnel::detail::descriptor_of(fd), &d);
  }
  EXPECT_EQ(runnel::detail::find_descriptor(3 << 20), nullptr);
}

}  // namespace
