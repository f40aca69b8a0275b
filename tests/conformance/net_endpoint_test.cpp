// Endpoints, names, Unix domain sockets and datagrams.
#include <gtest/gtest.h>

#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/go.hpp>
#include <runnel/net.hpp>
#include <runnel/sync.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/scratch_directory.hpp"

namespace {

using namespace runnel_test;
using runnel::background;
using runnel::endpoint;
using runnel::wait_group;

std::string take(runnel::stream& s) {
  std::string text(100, '?');
  text.resize(s.read_some(text));
  return text;
}

// -- endpoints -------------------------------------------------------------------------------------------------------

TEST(Endpoint, IsReadAndWritten) {
  const std::vector<std::array<std::string_view, 2>> good = {
      {"127.0.0.1:80", "127.0.0.1:80"},    {"0.0.0.0:0", "0.0.0.0:0"},
      {"[::1]:8080", "[::1]:8080"},        {":443", "[::]:443"},
      {"[::]:65535", "[::]:65535"},        {"[2001:db8:0:0::1]:5", "[2001:db8::1]:5"},
      {"[fe80::1%lo]:7", "[fe80::1%lo]:7"}};
  for (const auto& [text, again] : good) {
    const auto e = endpoint::parse(text);
    ASSERT_TRUE(e) << text;
    EXPECT_EQ(e->to_string(), again);
    EXPECT_EQ(endpoint(again), *e);
  }
  EXPECT_TRUE(endpoint("[::1]:1").is_v6());
  EXPECT_EQ(endpoint("127.0.0.1:80").port(), 80);
  EXPECT_EQ(endpoint("::1", 9), endpoint("[::1]:9"));
  EXPECT_EQ(endpoint("127.0.0.1", 9), endpoint::loopback(9));
  EXPECT_EQ(endpoint(), endpoint::any(0));
}

TEST(Endpoint, WhatIsNoneIsRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view bad :
       {""sv, "127.0.0.1"sv, "127.0.0.1:"sv, "127.0.0.1:x"sv, "127.0.0.1:-1"sv, "127.0.0.1:65536"sv,
        "localhost:80"sv, "127.0.0.1:80 "sv, "::1:80"sv, "[::1]"sv, "[127.0.0.1]:80"sv, "[::1:80"sv,
        "1.2.3:4"sv, "127.0.0.1\0:80"sv, "[fe80::1%nosuchthing]:7"sv}) {
    EXPECT_FALSE(endpoint::parse(bad)) << bad;
    try {
      const endpoint e(bad);
      ADD_FAILURE() << bad;
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.code(), std::errc::invalid_argument);
      EXPECT_NE(std::string(e.what()).find("ADDRESS:PORT"), std::string::npos) << e.what();
    }
  }
}

TEST(Endpoint, IsAKey) {
  const std::vector<endpoint> all = {"127.0.0.1:80", "127.0.0.1:81", "[::1]:80", "127.0.0.2:80"};
  EXPECT_EQ(std::set<endpoint>(all.begin(), all.end()).size(), all.size());
  std::unordered_set<endpoint> hashed(all.begin(), all.end());
  hashed.insert("127.0.0.1:80");
  EXPECT_EQ(hashed.size(), all.size());
}

// -- names -----------------------------------------------------------------------------------------------------------

MATRIX_TEST(Resolver, NumbersAndLocalNames) {
  const runnel::resolver names;
  EXPECT_EQ(names.resolve(background(), "127.0.0.1", "80"), std::vector<endpoint>{"127.0.0.1:80"});
  EXPECT_EQ(names.resolve(background(), "::1", "81"), std::vector<endpoint>{"[::1]:81"});
  const auto local = names.resolve(background(), "localhost", "7");
  ASSERT_FALSE(local.empty());
  for (const endpoint& e : local) {
    EXPECT_EQ(e.port(), 7);
    EXPECT_TRUE(e.address() == "127.0.0.1" || e.address() == "::1") << e.to_string();
  }
}

MATRIX_TEST(Resolver, SaysWhyNot) {
  const runnel::resolver names(1);
  std::error_code failure;
  EXPECT_TRUE(names.resolve(background(), "no such name", "80", failure).empty());
  EXPECT_EQ(failure.category(), runnel::resolver_category());
  EXPECT_EQ(failure.message(), gai_strerror(failure.value()));
  EXPECT_THROW(names.resolve(background(), "no such name", "80"), std::system_error);
  auto [ctx, cancel] = runnel::with_cancel(background());
  cancel();
  EXPECT_TRUE(names.resolve(ctx, "localhost", "80", failure).empty());
  EXPECT_EQ(failure, runnel::context_errc::canceled);
  EXPECT_THROW(runnel::resolver(0), std::invalid_argument);
}

MATRIX_TEST(Resolver, ManyAtOnceOnFewThreads) {
  const runnel::resolver names(2);
  wait_group all;
  for (int i = 0; i < 20; ++i)
    all.go([names] { EXPECT_FALSE(names.resolve(background(), "localhost", "80").empty()); });
  all.wait();
}

// -- Unix domain -----------------------------------------------------------------------------------------------------

void talk(const runnel::unix_endpoint& where) {
  runnel::unix_listener listener = runnel::listen(where);
  wait_group all;
  all.go([&] {
    runnel::unix_stream s = listener.accept();
    s.write(take(s));
  });
  EXPECT_TRUE(until_blocked("IO wait"));
  runnel::unix_stream s = runnel::connect(background(), where);
  s.write(std::string("hello"));
  EXPECT_EQ(take(s), "hello");
  EXPECT_EQ(take(s), "");
  all.wait();
  std::error_code failure;
  EXPECT_FALSE(runnel::listen(where, failure).is_open());
  EXPECT_EQ(failure, std::errc::address_in_use);
}

MATRIX_TEST(NetUnix, AFileThatGoesWithItsListener) {
  const scratch_directory place;
  const std::string path = place.path() + "/s";
  talk({path});
  struct stat info {};
  EXPECT_NE(::stat(path.c_str(), &info), 0);
  talk({path});
  std::error_code failure;
  runnel::connect(background(), runnel::unix_endpoint{path}, failure);
  EXPECT_EQ(failure, std::errc::no_such_file_or_directory);
}

MATRIX_TEST(NetUnix, AnAbstractName) { talk({"@runnel-test-" + std::to_string(::getpid())}); }

MATRIX_TEST(NetUnix, APair) {
  auto [one, two] = runnel::unix_pair();
  one.write(std::string("a"));
  EXPECT_EQ(take(two), "a");
  wait_group all;
  all.go([&, &two = two] { EXPECT_EQ(take(two), ""); });
  EXPECT_TRUE(until_blocked("IO wait"));
  one.close();
  all.wait();
}

TEST(NetUnixNames, WhatIsNoneIsRefused) {
  std::error_code failure;
  runnel::listen(runnel::unix_endpoint{""}, failure);
  EXPECT_EQ(failure, std::errc::invalid_argument);
  runnel::listen(runnel::unix_endpoint{std::string("a\0b", 3)}, failure);
  EXPECT_EQ(failure, std::errc::invalid_argument);
  runnel::connect(background(), runnel::unix_endpoint{std::string(108, 'a')}, failure);
  EXPECT_EQ(failure, std::errc::filename_too_long);
}

// -- datagrams -------------------------------------------------------------------------------------------------------

MATRIX_TEST(NetUdp, DatagramsComeWithTheirSenders) {
  runnel::udp_socket one = runnel::bind(endpoint::loopback(0));
  runnel::udp_socket two = runnel::bind(endpoint::any(0));
  const endpoint to_two = endpoint::loopback(two.local_endpoint().port());
  wait_group all;
  all.go([&] {
    std::array<char, 100> room{};
    for (int i = 0; i < 10; ++i) {
      endpoint from;
      const std::size_t n = two.receive_from(room, from);
      EXPECT_EQ(from, one.local_endpoint());
      two.send_to(std::span(room).first(n), from);
    }
  });
  std::array<char, 100> room{};
  for (int i = 0; i < 10; ++i) {
    const std::string text(static_cast<std::size_t>(i), 'x');
    EXPECT_EQ(one.send_to(text, to_two), text.size());
    endpoint from;
    EXPECT_EQ(one.receive_from(room, from), text.size());
    EXPECT_EQ(from, to_two);
  }
  all.wait();
}

MATRIX_TEST(NetUdp, ADatagramIsAWhole) {
  runnel::udp_socket one = runnel::bind(endpoint::loopback(0));
  runnel::udp_socket two = runnel::bind(endpoint::loopback(0));
  one.send_to(std::vector<std::string>{"ab", "cd"}, two.local_endpoint());
  one.send_to(std::string("ef"), two.local_endpoint());
  std::array<char, 3> room{};
  endpoint from;
  EXPECT_EQ(two.receive_from(room, from), 3U);
  EXPECT_EQ(std::string(room.data(), 3), "abc");
  EXPECT_EQ(two.receive_from(room, from), 2U) << "the rest of the first is lost";
  std::error_code failure;
  one.send_to(std::vector<std::string>(17, "x"), two.local_endpoint(), failure);
  EXPECT_EQ(failure, std::errc::message_size);
  one.send_to(std::string(70'000, 'x'), two.local_endpoint(), failure);
  EXPECT_EQ(failure, std::errc::message_size);
  auto [ctx, cancel] = runnel::with_timeout(background(), std::chrono::milliseconds(5));
  EXPECT_EQ(two.receive_from(ctx, room, from, failure), 0U);
  EXPECT_EQ(failure, runnel::context_errc::deadline_exceeded);
  two.set_read_deadline(runnel::clock::now());
  two.receive_from(room, from, failure);
  EXPECT_EQ(failure, std::errc::timed_out);
}

}  // namespace
