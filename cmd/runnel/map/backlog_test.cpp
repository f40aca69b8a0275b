// White box: spools put aside in one file.
#include "map/backlog.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace runnel_cli {
namespace {

std::string pattern(std::size_t number, std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (number + i) * 7 % 23);
  return text;
}

spool filled(const std::string& text) {
  spool s;
  EXPECT_FALSE(s.add(text));
  return s;
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(Backlog, LeavesASmallSpoolInMemory) {
  backlog b;
  spool s = filled(pattern(1, backlog::most_in_memory));
  spool none;
  ASSERT_FALSE(b.put_aside(s));
  ASSERT_FALSE(b.put_aside(none));
  EXPECT_FALSE(s.is_kept());
  EXPECT_FALSE(none.is_kept());
  EXPECT_EQ(s.text(), pattern(1, backlog::most_in_memory));
  EXPECT_EQ(b.disk_usage(), 0U);
}

TEST(Backlog, KeepsManySpoolsInOneFile) {
  const std::ptrdiff_t before = open_descriptors();
  backlog b;
  std::deque<spool> all;
  const auto size_of = [](std::size_t i) { return 4097 + i * 1237 % 400'000; };
  for (std::size_t i = 0; i < 200; ++i) {
    all.push_back(filled(pattern(i, size_of(i))));
    ASSERT_FALSE(b.put_aside(all.back()));
    ASSERT_TRUE(all.back().is_kept());
  }
  EXPECT_EQ(open_descriptors(), before + 1);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].size(), size_of(i));
    EXPECT_TRUE(all[i].text() == pattern(i, size_of(i))) << i;
  }
}

TEST(Backlog, ASpoolThatIsInItStaysWhereItIs) {
  backlog b;
  spool s = filled(pattern(1, 10'000));
  ASSERT_FALSE(b.put_aside(s));
  const std::uint64_t usage = b.disk_usage();
  ASSERT_FALSE(b.put_aside(s));
  EXPECT_EQ(b.disk_usage(), usage);
  EXPECT_EQ(s.text(), pattern(1, 10'000));
}

TEST(Backlog, GivesThePlaceOfEachSpoolBack) {
  backlog b;
  std::deque<spool> held;
  // Sizes that are no multiples of a page: nothing may be left of the pages at the ends.
  for (std::size_t i = 0; i < 500; ++i) {
    held.push_back(filled(pattern(i, 5'000 + i)));
    ASSERT_FALSE(b.put_aside(held.back()));
    if (held.size() > 3) held.pop_front();
  }
  EXPECT_GE(b.disk_usage(), 3U * 5'000);
  EXPECT_LE(b.disk_usage(), 64U * 1024);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(held[i].text(), pattern(497 + i, 5'497 + i));
  }
  held[1] = {};  // those around it stay whole
  EXPECT_EQ(held[0].text(), pattern(497, 5'497));
  EXPECT_EQ(held[2].text(), pattern(499, 5'499));
}

TEST(Backlog, IsEmptiedWhenNothingIsInItAnyMoreAndStartsAnew) {
  backlog b;
  for (int round = 0; round < 3; ++round) {
    spool first = filled(pattern(1, 300'000));
    spool second = filled(pattern(2, 20'000));
    ASSERT_FALSE(b.put_aside(first));
    ASSERT_FALSE(b.put_aside(second));
    EXPECT_GE(b.disk_usage(), 320'000U);
    first = {};
    EXPECT_LT(b.disk_usage(), 300'000U);
    EXPECT_EQ(second.text(), pattern(2, 20'000));
    second = {};
    EXPECT_EQ(b.disk_usage(), 0U);
  }
}

TEST(Backlog, SpoolsMayOutliveIt) {
  const std::ptrdiff_t before = open_descriptors();
  {
    spool s = filled(pattern(1, 10'000));
    {
      backlog b;
      ASSERT_FALSE(b.put_aside(s));
    }
    EXPECT_EQ(s.text(), pattern(1, 10'000));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Backlog, ASpoolStaysAsItWasWhenThereIsNoFile) {
  backlog b;
  spool s = filled(pattern(1, 10'000));
  ::setenv("TMPDIR", "/nonexistent", 1);
  const runnel::error failed = b.put_aside(s);
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(failed.is(std::errc::no_such_file_or_directory));
  EXPECT_FALSE(s.is_kept());
  EXPECT_EQ(s.text(), pattern(1, 10'000));
  ASSERT_FALSE(b.put_aside(s));
  EXPECT_EQ(s.text(), pattern(1, 10'000));
}

}  // namespace
}  // namespace runnel_cli
