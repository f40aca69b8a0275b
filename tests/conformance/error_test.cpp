// What error.hpp promises.
#include <gtest/gtest.h>

#include <cerrno>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace {

using runnel::error;

struct bad_weather : std::runtime_error {
  bad_weather() : std::runtime_error("rain") {}
  int millimetres = 12;
};

template <class E>
error from_throw(E e) {
  try {
    throw e;
  } catch (...) {
    return error::current();
  }
}

TEST(Error, IsNoneByDefaultFromNullptrZeroAndNullExceptionPtr) {
  EXPECT_FALSE(error());
  EXPECT_FALSE(error(nullptr));
  EXPECT_FALSE(error(std::error_code()));
  EXPECT_FALSE(error(std::errc{}));
  EXPECT_FALSE(error(std::exception_ptr()));
  EXPECT_FALSE(error(static_cast<const char*>(nullptr)));
  EXPECT_FALSE(error::current());
  EXPECT_EQ(error().message(), "");
  EXPECT_EQ(error(), error(nullptr));
  EXPECT_EQ(error(), nullptr);
}

TEST(Error, TakesTexts) {
  EXPECT_EQ(error("a").message(), "a");
  EXPECT_EQ(error(std::string("b")).message(), "b");
  EXPECT_EQ(error(std::string_view("c")).message(), "c");
  EXPECT_TRUE(error(std::string()));
}

TEST(Error, TakesCodesAndEnums) {
  const error code = std::error_code(ENOENT, std::generic_category());
  EXPECT_EQ(code.message(), std::generic_category().message(ENOENT));
  EXPECT_TRUE(code.is(std::errc::no_such_file_or_directory));
  EXPECT_TRUE(code.is(std::error_code(ENOENT, std::generic_category())));
  EXPECT_FALSE(code.is(std::errc::timed_out));
  const error system = std::error_code(ENOENT, std::system_category());
  EXPECT_TRUE(system.is(std::make_error_condition(std::errc::no_such_file_or_directory)));
  EXPECT_FALSE(system.is(std::error_code(ENOENT, std::generic_category())));
  const error from_enum = std::errc::timed_out;
  EXPECT_TRUE(from_enum.is(std::errc::timed_out));
  EXPECT_FALSE(error().is(std::errc{}));
}

TEST(Error, EqualsItsCopiesOnly) {
  const error a = "same";
  const error b = "same";
  error copy = a;
  EXPECT_EQ(copy, a);
  EXPECT_NE(a, b);
  EXPECT_NE(a, nullptr);
  copy = b;
  EXPECT_EQ(copy, b);
  const error moved = std::move(copy);
  EXPECT_EQ(moved, b);
  EXPECT_FALSE(copy);  // NOLINT: the moved-from state is none
  EXPECT_TRUE(error(std::errc::timed_out) == std::errc::timed_out);
  EXPECT_TRUE(error(std::errc::timed_out) != std::errc::io_error);
  EXPECT_TRUE(error() == std::error_code());
  EXPECT_TRUE(error("x") != std::error_code());
}

TEST(Error, CarriesExceptions) {
  const error e = from_throw(bad_weather());
  EXPECT_TRUE(e);
  EXPECT_EQ(e.message(), "rain");
  ASSERT_NE(e.as<bad_weather>(), nullptr);
  EXPECT_EQ(e.as<bad_weather>()->millimetres, 12);
  EXPECT_NE(e.as<std::runtime_error>(), nullptr);
  EXPECT_EQ(e.as<std::logic_error>(), nullptr);
  EXPECT_THROW(e.rethrow(), bad_weather);
}

TEST(Error, SeesTheCodeOfASystemError) {
  const error e = from_throw(std::system_error(std::make_error_code(std::errc::io_error), "disk"));
  EXPECT_TRUE(e.is(std::errc::io_error));
  EXPECT_EQ(e.message().rfind("disk: ", 0), 0u);
}

TEST(Error, TakesAnythingThrown) {
  EXPECT_EQ(from_throw(std::string("text")).message(), "text");
  EXPECT_EQ(from_throw("literal").message(), "literal");
  EXPECT_EQ(from_throw(7).message(), "exception of type int");
  EXPECT_EQ(*from_throw(7).as<int>(), 7);
  const error inner = "inner";
  EXPECT_EQ(from_throw(inner), inner);
}

TEST(Error, WrapAddsContextAndIsTransparent) {
  const error cause = from_throw(bad_weather());
  const error e = runnel::wrap("picnic", runnel::wrap("park", cause));
  EXPECT_EQ(e.message(), "picnic: park: rain");
  EXPECT_NE(e.as<bad_weather>(), nullptr);
  EXPECT_EQ(e.unwrap().unwrap(), cause);
  EXPECT_FALSE(cause.unwrap());
  EXPECT_TRUE(e.is(cause));
  EXPECT_THROW(e.rethrow(), bad_weather);
  EXPECT_FALSE(runnel::wrap("nothing", {}));
  EXPECT_TRUE(runnel::wrap("w", std::errc::timed_out).is(std::errc::timed_out));
}

TEST(Error, JoinKeepsAllAndDropsNone) {
  const error a = "a";
  const error b = runnel::wrap("b", std::errc::timed_out);
  const error c = from_throw(bad_weather());
  const error e = runnel::join({a, {}, b, c});
  EXPECT_EQ(e.message(), "a\nb: " + error(std::errc::timed_out).message() + "\nrain");
  EXPECT_TRUE(e.is(std::errc::timed_out));
  EXPECT_TRUE(e.is(a));
  EXPECT_NE(e.as<bad_weather>(), nullptr);
  EXPECT_FALSE(e.unwrap());
  EXPECT_FALSE(runnel::join({error(), error()}));
  EXPECT_FALSE(runnel::join(std::span<const error>()));
  const std::vector<error> two{a, c};
  EXPECT_EQ(runnel::join(two).message(), "a\nrain");
  EXPECT_EQ(runnel::join({error(), a}), a);
}

TEST(Error, RethrowsCodesAndTexts) {
  EXPECT_NO_THROW(error().rethrow());
  EXPECT_THROW(error("text").rethrow(), std::runtime_error);
  try {
    runnel::wrap("reading", std::errc::io_error).rethrow();
    FAIL();
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), std::errc::io_error);
    EXPECT_NE(std::string(e.what()).find("reading"), std::string::npos);
  }
}

TEST(Error, LongChainsEndWithoutRecursion) {
  error e = "root";
  for (int i = 0; i < 1'000'000; ++i) e = runnel::wrap("", std::move(e));
  EXPECT_FALSE(e.is(std::errc::timed_out));
}

// As `errs = errors.Join(errs, err)` in a loop; on a goroutine's stack.
TEST(Error, JoinsOfJoinsEndWithoutRecursion) {
  runnel::run([] {
    constexpr int rounds = 20'000;
    error all;
    for (int i = 0; i < rounds; ++i) all = runnel::join({all, error("failed")});
    EXPECT_EQ(all.message().size(), rounds * 7U - 1);
    EXPECT_FALSE(all.is(std::errc::timed_out));
    all = runnel::join({all, error(std::make_error_code(std::errc::timed_out))});
    EXPECT_TRUE(all.is(std::errc::timed_out));
  });
}

TEST(Error, MessagesOfNestedJoinsAreInOrder) {
  const error inner = runnel::join({error("b"), runnel::wrap("c", "d")});
  const error all = runnel::join({error("a"), runnel::wrap("in", inner), error("e")});
  EXPECT_EQ(all.message(), "a\nin: b\nc: d\ne");
}

TEST(Error, Prints) {
  std::ostringstream out;
  out << error() << ' ' << error("x");
  EXPECT_EQ(out.str(), "no error x");
}

}  // namespace
