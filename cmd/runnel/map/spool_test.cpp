// White box: bytes in memory, in a file, and kept by somebody else.
#include "map/spool.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

namespace runnel_cli {
namespace {

std::string pattern(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + i * 7 % 23 + i / 4096 % 3);
  return text;
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(Spool, GivesBackWhatWasAddedWhateverTheSize) {
  for (const std::size_t size : {0U, 1U, 262144U, 262145U, 3000000U}) {
    const std::string text = pattern(size);
    spool s;
    for (std::size_t at = 0; at < size; at += 10'000) {
      ASSERT_FALSE(s.add(std::string_view(text).substr(at, 10'000)));
    }
    EXPECT_EQ(s.size(), size);
    EXPECT_EQ(s.empty(), size == 0);
    EXPECT_TRUE(s.text() == text) << size;
    EXPECT_TRUE(s.text() == text) << size << ", again";
  }
}

TEST(Spool, HasADescriptorOnlyWhileItHoldsMuch) {
  const std::ptrdiff_t before = open_descriptors();
  {
    spool s;
    ASSERT_FALSE(s.add(pattern(200'000)));
    EXPECT_EQ(open_descriptors(), before);
    ASSERT_FALSE(s.add(pattern(200'000)));
    EXPECT_EQ(open_descriptors(), before + 1);
    spool moved = std::move(s);
    EXPECT_EQ(open_descriptors(), before + 1);
    EXPECT_EQ(moved.size(), 400'000U);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Spool, StopsReadingAtTheFirstError) {
  spool s;
  ASSERT_FALSE(s.add(pattern(1'000'000)));
  int calls = 0;
  const runnel::error failed = s.for_each([&](std::string_view) {
    ++calls;
    return runnel::error("enough");
  });
  EXPECT_EQ(failed.message(), "enough");
  EXPECT_EQ(calls, 1);
}

TEST(Spool, KeepsWhatWasAddedWhenThereIsNoFileForMore) {
  spool s;
  ASSERT_FALSE(s.add("first"));
  ::setenv("TMPDIR", "/nonexistent", 1);
  const runnel::error failed = s.add(pattern(300'000));
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(failed.is(std::errc::no_such_file_or_directory));
  EXPECT_TRUE(failed.message().starts_with("temporary file: ")) << failed;
  EXPECT_EQ(s.text(), "first");
  ASSERT_FALSE(s.add(", second"));
  EXPECT_EQ(s.text(), "first, second");
}

class in_memory final : public stored {
 public:
  in_memory(std::string text, bool& gone) : text_(std::move(text)), gone_(gone) {}
  ~in_memory() override { gone_ = true; }
  runnel::error for_each(const std::function<runnel::error(std::string_view)>& use) const override {
    return use(text_);
  }

 private:
  std::string text_;
  bool& gone_;
};

TEST(Spool, ReadsWhereItsBytesAreKeptAndGivesThePlaceBack) {
  const std::ptrdiff_t before = open_descriptors();
  bool gone = false;
  spool s;
  const std::string text = pattern(300'000);
  ASSERT_FALSE(s.add(text));
  s.keep_in(std::make_unique<in_memory>(text, gone));
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(s.size(), text.size());
  EXPECT_TRUE(s.text() == text);
  spool moved = std::move(s);
  EXPECT_TRUE(moved.text() == text);
  EXPECT_FALSE(gone);
  moved = {};
  EXPECT_TRUE(gone);
  EXPECT_TRUE(moved.empty());
}

}  // namespace
}  // namespace runnel_cli
