// White box: what a job writes, kept or sent line by line.
#include "map/capture.hpp"
#include "map/job_pipe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <runnel/runnel.hpp>

namespace runnel_cli {
namespace {

struct sent {
  std::vector<std::string> texts;
  std::string label;
  bool to_errors = false;
};

// What a capture sends while `body` uses it.
template <class F>
sent sent_by(const F& body) {
  runnel::chan<event> events(1000);
  {
    capture c(events, "label", true);
    body(c);
  }
  events.close();
  sent all;
  while (std::optional<event> e = events.recv()) {
    const lines& l = std::get<lines>(*e);
    all.texts.push_back(l.text.text());
    all.label = l.label;
    all.to_errors = l.to_errors;
  }
  return all;
}

TEST(Capture, KeepsWhatIsAdded) {
  capture c;
  c.add("one\ntw");
  c.add("o");
  c.finish();
  EXPECT_EQ(c.size(), 7U);
  EXPECT_EQ(c.take().text(), "one\ntwo");
  EXPECT_TRUE(c.take().empty());
  EXPECT_FALSE(c.trouble());
}

TEST(Capture, SendsLinesAsTheyAreComplete) {
  runnel::run([] {
    const sent all = sent_by([](capture& c) {
      c.add("a");
      c.add("b\nc\nd");
      c.add("e");
      c.add("\n");
      c.add("end");
      c.finish();
    });
    EXPECT_EQ(all.texts, (std::vector<std::string>{"ab\nc\n", "de\n",
                                                   "end\n"}));  // with an end, for others follow
    EXPECT_EQ(all.label, "label");
    EXPECT_TRUE(all.to_errors);
  });
}

TEST(Capture, SendsALongLineWhole) {
  runnel::run([] {
    const std::string piece(16 * 1024, 'x');
    const sent all = sent_by([&](capture& c) {
      c.add("before\nx");
      for (int i = 0; i < 200; ++i) c.add(piece);
      c.add("\nafter");
      c.finish();
    });
    ASSERT_EQ(all.texts.size(), 3U);
    EXPECT_EQ(all.texts[0], "before\n");
    EXPECT_TRUE(all.texts[1] == std::string(200 * piece.size() + 1, 'x') + "\n");
    EXPECT_EQ(all.texts[2], "after\n");
  });
}

TEST(Capture, WritesACopy) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const owned_fd reader(ends[0]);
  {
    capture c;
    c.copy_to(owned_fd(ends[1]));
    c.add("text");
    EXPECT_EQ(c.take().text(), "text");
  }
  char text[8] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 4);
  EXPECT_EQ(::read(reader.get(), text + 4, 1), 0) << "the copy is still open";
  EXPECT_STREQ(text, "text");
}

TEST(Capture, RemembersTheFirstTrouble) {
  capture c;
  c.copy_to(owned_fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
  c.add("lost");
  c.note(runnel::error("later"));
  EXPECT_TRUE(c.trouble().is(std::errc::no_space_on_device));
  EXPECT_EQ(c.size(), 4U);
}

// A process that writes to `to`.
runnel::process writer(const std::string& script, job_pipe& to) {
  EXPECT_FALSE(to.open());
  runnel::command c;
  c.arguments = {"sh", "-c", script};
  c.output = to.redirect();
  return runnel::spawn(c);
}

TEST(Drain, MovesAllUntilTheJobHasEnded) {
  runnel::run([] {
    auto [ended, end] = runnel::with_cancel(runnel::background());
    job_pipe pipe;
    runnel::process p = writer("head -c 500000 /dev/zero; echo end", pipe);
    capture c;
    runnel::wait_group moving;
    moving.go([&, &ended = ended] { drain(ended, pipe.reader(), c); });
    EXPECT_FALSE(p.wait());
    end();
    moving.wait();
    EXPECT_EQ(c.size(), 500'004U);
    EXPECT_TRUE(c.take().text().ends_with("end\n"));
    EXPECT_FALSE(c.trouble());
  });
}

TEST(Drain, WhereItIsOverTakesWhatIsThere) {
  runnel::run([] {
    auto [ended, end] = runnel::with_cancel(runnel::background());
    job_pipe pipe;
    runnel::process p = writer("echo text; exec sleep 1000", pipe);
    static_cast<void>(runnel::wait_readable(pipe.reader().get()));
    end();
    capture c;
    drain(ended, pipe.reader(), c);
    EXPECT_EQ(c.take().text(), "text\n");
    EXPECT_FALSE(c.trouble());
    static_cast<void>(p.kill(SIGKILL));
    static_cast<void>(p.wait());
  });
}

TEST(Drain, WhatCannotBeReadIsTroubleAndEndsIt) {
  runnel::run([] {
    owned_fd closed;
    capture c;
    drain(runnel::background(), closed, c);
    EXPECT_TRUE(c.trouble().is(std::errc::bad_file_descriptor));
  });
}

// An exception of any kind: the one at hand is that of a channel that is closed.
TEST(Drain, AnExceptionIsTroubleAndTheJobDoesNotWaitForEver) {
  runnel::run([] {
    runnel::chan<event> events(1);
    events.close();
    job_pipe pipe;
    runnel::process p = writer("echo line; exec cat /dev/zero", pipe);
    capture c(events, "label", false);
    drain(runnel::background(), pipe.reader(), c);
    EXPECT_TRUE(c.trouble());
    static_cast<void>(p.wait());
    EXPECT_EQ(p.status().signal, SIGPIPE);
  });
}

TEST(JobPipe, TheEndOfTheJobWakesNobodyWhoReads) {
  runnel::run([] {
    job_pipe pipe;
    runnel::process p = writer(":", pipe);
    static_cast<void>(p.wait());
    char byte = 0;
    EXPECT_EQ(::read(pipe.reader().get(), &byte, 1), -1);
    EXPECT_EQ(errno, EAGAIN);
  });
}

TEST(JobPipe, TellsWhyThereIsNone) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  job_pipe pipe;
  const std::error_code failed = pipe.open();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(failed, std::errc::too_many_files_open);
}

TEST(Feed, TellsHowMuchWasTaken) {
  runnel::run([] {
    runnel::command c;
    c.arguments = {"head", "-c", "1"};
    c.input = runnel::redirect::pipe();
    c.output = runnel::redirect::null();
    runnel::process p = runnel::spawn(c);
    const std::string text(1'000'000, 'x');
    const std::uint64_t taken = feed(runnel::background(), p.input(), text);
    EXPECT_LT(taken, text.size());
    EXPECT_FALSE(p.input().is_open());
    static_cast<void>(p.wait());
  });
}

}  // namespace
}  // namespace runnel_cli
