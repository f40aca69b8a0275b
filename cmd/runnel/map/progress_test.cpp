// The progress line: its text, its rate, and its manners on terminals and files.
#include "map/progress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>

#include <runnel/runnel.hpp>

namespace runnel_cli {
namespace {

using namespace std::chrono_literals;

constexpr progress_timing at_once{.frame = 1us, .line = 1us};
constexpr progress_timing hardly_ever{.frame = 1h, .line = 1h};
const std::string erased = "\r\033[K";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Two descriptors: what is written to one is read from the other.
class channel {
 public:
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() {
    close_end(in_);
    close_end(out_);
  }
  int out() const { return out_; }

  // Reads until `part` has come; gives all that was read since the last call.
  std::string read_until(const std::string& part) {
    std::string text;
    while (!contains(text, part)) {
      char block[4096];
      pollfd readable{.fd = in_, .events = POLLIN, .revents = 0};
      const auto count = runnel::blocking([&]() -> ssize_t {
        return ::poll(&readable, 1, 10'000) == 1 ? ::read(in_, block, sizeof block) : -1;
      });
      if (count <= 0) {
        ADD_FAILURE() << "'" << part << "' did not come, but '" << text << "'";
        break;
      }
      text.append(block, static_cast<std::size_t>(count));
    }
    return text;
  }
  void write(const std::string& text) const {
    EXPECT_EQ(::write(out_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

 protected:
  channel() = default;
  int in_ = -1;
  int out_ = -1;

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
};

struct pipe_channel : channel {
  pipe_channel() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    in_ = ends[0];
    out_ = ends[1];
  }
};

struct terminal_channel : channel {
  explicit terminal_channel(unsigned short columns = 80) {
    ::setenv("TERM", "xterm", 1);
    in_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(::grantpt(in_), 0);
    EXPECT_EQ(::unlockpt(in_), 0);
    out_ = ::open(::ptsname(in_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_GE(out_, 0);
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    EXPECT_EQ(::ioctl(out_, TIOCSWINSZ, &size), 0);
  }
};

const progress_state half_done{
    .done = 45, .failed = 2, .running = 8, .total = 90, .rate = 12.34, .elapsed = 4s};

TEST(ProgressText, TellsEverythingIfThereIsRoom) {
  EXPECT_EQ(render(half_done, 100),
            "[===================>                  ]   50%  45/90  12.3/s  ETA 4s  8 running  "
            "2 failed");
}

TEST(ProgressText, NeverPassesTheWidthAndIsPlainAscii) {
  for (int width = -1; width < 200; ++width) {
    const std::string line = render(half_done, width);
    EXPECT_LE(line.size(), static_cast<std::size_t>(std::max(0, width)));
    EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; })) << line;
  }
}

TEST(ProgressText, LeavesOutTheBarFirstAndTheCountsLast) {
  EXPECT_EQ(render(half_done, 50), " 50%  45/90  12.3/s  ETA 4s  8 running  2 failed");
  EXPECT_EQ(render(half_done, 45), " 50%  45/90  12.3/s  ETA 4s  2 failed");
  EXPECT_EQ(render(half_done, 30), " 50%  45/90  ETA 4s  2 failed");
  EXPECT_EQ(render(half_done, 16), "45/90  2 failed");
  EXPECT_EQ(render(half_done, 5), "45/90");
  EXPECT_EQ(render(half_done, 3), "45/");
}

TEST(ProgressText, WithoutATotalThereIsNoBarAndNoEta) {
  progress_state state = half_done;
  state.total.reset();
  EXPECT_EQ(render(state, 100), "45 done  12.3/s  8 running  2 failed");
}

TEST(ProgressText, AnUnknownRateIsNotTold) {
  progress_state state = half_done;
  state.rate = 0;
  EXPECT_EQ(render(state, 40), " 50%  45/90  8 running  2 failed");
}

TEST(ProgressText, TheBarIsFullWhenAllIsDoneAndHundredPercentNotBefore) {
  progress_state state{.done = 999, .total = 1000};
  EXPECT_TRUE(contains(render(state, 100), " 99%"));
  EXPECT_TRUE(contains(render(state, 100), ">]") || contains(render(state, 100), "> "));
  state.done = 1000;
  EXPECT_TRUE(contains(render(state, 100), "=]  100%  1000/1000"));
  EXPECT_FALSE(contains(render(state, 100), "ETA"));
}

TEST(ProgressText, TakesOddTotals) {
  EXPECT_TRUE(contains(render({.done = 0, .total = 0}, 100), "100%  0/0"));
  EXPECT_TRUE(contains(render({.done = 5, .total = 3, .rate = 1}, 100), "100%  5/3"));
}

TEST(ProgressText, SlowRatesAreToldByTheMinuteOrTheHour) {
  EXPECT_TRUE(contains(render({.rate = 1234.5}, 100), "1234/s"));
  EXPECT_TRUE(contains(render({.rate = 0.5}, 100), "30.0/min"));
  EXPECT_TRUE(contains(render({.rate = 0.005}, 100), "18.0/h"));
}

TEST(ProgressText, LongEtasAreToldShort) {
  EXPECT_TRUE(contains(render({.total = 65, .rate = 1}, 100), "ETA 1m05s"));
  EXPECT_TRUE(contains(render({.total = UINT64_MAX - 1, .rate = 1e-9}, 100), "ETA over 100d"));
}

TEST(ProgressText, ForAFileHasNoBar) {
  EXPECT_EQ(render_plain(half_done),
            "runnel map: 50%  45/90  12.3/s  ETA 4s  8 running  2 failed  4.0s elapsed");
}

TEST(RateMeter, KnowsNothingBeforeTheFirstSample) {
  rate_meter meter;
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(0s, 10);
  EXPECT_EQ(meter.per_second(), 0);
}

TEST(RateMeter, GivesASteadyRateFromTheStart) {
  rate_meter meter;
  for (std::uint64_t i = 1; i <= 600; ++i) {
    meter.sample(i * 100ms, i * 2);
    EXPECT_NEAR(meter.per_second(), 20, 1e-6);
  }
}

TEST(RateMeter, FollowsAChangeButNotEveryJump) {
  rate_meter meter;
  std::uint64_t done = 0;
  int tick = 0;
  for (; tick < 300; ++tick) meter.sample((tick + 1) * 100ms, done += 2);
  meter.sample((++tick) * 100ms, done += 20);  // ten times as many, once
  EXPECT_LT(meter.per_second(), 25);
  for (const int end = tick + 1200; tick < end; ++tick) {
    meter.sample((tick + 1) * 100ms, done += 4);
  }
  EXPECT_NEAR(meter.per_second(), 40, 2);
}

TEST(RateMeter, IgnoresWhatGoesBackwards) {
  rate_meter meter;
  meter.sample(1s, 10);
  meter.sample(1s, 20);
  meter.sample(500ms, 30);
  meter.sample(2s, 5);
  EXPECT_NEAR(meter.per_second(), 10, 1e-9);
}

TEST(Progress, CountsWhatHasStartedAndEnded) {
  runnel::run([] {
    pipe_channel file;
    progress bar(file.out(), true, hardly_ever);
    for (int i = 0; i < 5; ++i) bar.started();
    bar.finished(true);
    bar.finished(false);
    const progress_state state = bar.state();
    EXPECT_EQ(state.running, 3U);
    EXPECT_EQ(state.done, 2U);
    EXPECT_EQ(state.failed, 1U);
    EXPECT_FALSE(state.total);
    bar.set_total(7);
    EXPECT_EQ(bar.state().total, 7U);
    bar.set_total({});
    EXPECT_FALSE(bar.state().total);
  });
}

TEST(Progress, SwitchedOffWritesNothing) {
  runnel::run([] {
    pipe_channel file;
    {
      progress bar(file.out(), false, at_once);
      bar.started();
      bar.finished(true);
      bar.clear();
      bar.redraw();
      bar.close();
    }
    file.write("|");
    EXPECT_EQ(file.read_until("|"), "|");
  });
}

TEST(Progress, MayBeMadeAnywhereIfItIsOff) {
  progress bar(STDERR_FILENO, false);
  bar.started();
  EXPECT_EQ(bar.state().running, 1U);
}

TEST(Progress, AFileGetsPlainLinesAndNoControlCharacters) {
  runnel::run([] {
    pipe_channel file;
    progress bar(file.out(), true, {.frame = 1ms, .line = 1ms});
    bar.set_total(2);
    bar.started();
    bar.finished(true);
    std::string text = file.read_until("50%  1/2");
    text += file.read_until("\n");
    bar.finished(false);
    bar.close();
    text += file.read_until("100%  2/2");
    EXPECT_TRUE(std::ranges::all_of(text, [](char c) {
      return c == '\n' || (c >= ' ' && c <= '~');
    })) << text;
  });
}

TEST(Progress, AFileGetsALastLineOnceHoweverOftenItIsClosed) {
  runnel::run([] {
    pipe_channel file;
    {
      progress bar(file.out(), true, hardly_ever);
      bar.started();
      bar.finished(false);
      bar.close();
      bar.close();
    }
    file.write("|");
    const std::string text = file.read_until("|");
    EXPECT_EQ(std::ranges::count(text, '\n'), 1);
    EXPECT_TRUE(contains(text, "runnel map: 1 done"));
    EXPECT_TRUE(contains(text, "0 running  1 failed"));
    EXPECT_EQ(text.substr(text.size() - 2), "\n|");
  });
}

TEST(Progress, ATerminalShowsOneLineThatGoesAwayAtTheEnd) {
  runnel::run([] {
    terminal_channel terminal;
    progress bar(terminal.out(), true, {.frame = 1ms});
    bar.set_total(4);
    bar.started();
    std::string text = terminal.read_until("0/4  1 running");
    bar.finished(false);
    text += terminal.read_until("1/4");
    bar.close();
    terminal.write("|");
    text += terminal.read_until("|");
    EXPECT_FALSE(contains(text, "\n"));
    EXPECT_EQ(text.substr(text.size() - erased.size() - 1), erased + "|");
  });
}

TEST(Progress, ALineKeepsToTheTerminalsWidth) {
  runnel::run([] {
    terminal_channel terminal(30);
    progress bar(terminal.out(), true, {.frame = 1ms});
    bar.set_total(1'000'000);
    const std::string text = terminal.read_until("failed\033[K");
    const std::string line = text.substr(text.rfind('\r') + 1);
    EXPECT_LT(line.size(), 30 + erased.size() - 1);
  });
}

TEST(Progress, ADumbTerminalIsAFile) {
  runnel::run([] {
    terminal_channel terminal;
    ::setenv("TERM", "dumb", 1);
    progress bar(terminal.out(), true, hardly_ever);
    ::setenv("TERM", "xterm", 1);
    bar.close();
    EXPECT_FALSE(contains(terminal.read_until("elapsed"), "\033"));
  });
}

TEST(Progress, NothingIsDrawnUntilEveryClearHasItsRedraw) {
  runnel::run([] {
    terminal_channel terminal;
    progress bar(terminal.out(), true, at_once);
    terminal.read_until("0 done");
    bar.clear();
    bar.clear();
    bar.finished(true);
    bar.redraw();  // one clear() is left
    terminal.write("<output>");
    const std::string before = terminal.read_until("<output>");
    bar.redraw();
    const std::string after = terminal.read_until("1 done");
    const std::string all = before + after;
    EXPECT_TRUE(contains(all, erased + "<output>")) << all;
  });
}

TEST(Progress, ClearingWhatIsNotShownWritesNothing) {
  runnel::run([] {
    terminal_channel terminal;
    progress bar(terminal.out(), true, hardly_ever);
    for (int i = 0; i < 100; ++i) {
      bar.clear();
      bar.redraw();
    }
    bar.close();
    terminal.write("|");
    EXPECT_EQ(terminal.read_until("|"), "|");
  });
}

TEST(Progress, AnythingThatCannotBeWrittenIsLeftAlone) {
  runnel::run([] {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    progress bar(full, true, {.frame = 1ms, .line = 1ms});
    bar.started();
    bar.finished(true);
    bar.close();
    ::close(full);
    EXPECT_EQ(bar.state().done, 1U);
  });
}

TEST(Progress, ManyGoroutinesMayUseItAtOnce) {
  runnel::run([] {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    progress bar(nowhere, true, at_once);
    runnel::wait_group jobs;
    for (int i = 0; i < 100; ++i) {
      jobs.go([&bar, i] {
        bar.started();
        bar.clear();
        runnel::yield();
        bar.redraw();
        bar.finished(i % 10 != 0);
      });
    }
    jobs.wait();
    bar.close();
    ::close(nowhere);
    EXPECT_EQ(bar.state().done, 100U);
    EXPECT_EQ(bar.state().failed, 10U);
    EXPECT_EQ(bar.state().running, 0U);
  });
}

}  // namespace
}  // namespace runnel_cli
