// Jobs: how many items go into one, and where input is cut into blocks.
#include "map/batch.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "../../../tests/support/scratch_directory.hpp"

namespace runnel_cli {
namespace {

using words = std::vector<std::string>;
using word_lists = std::vector<words>;

constexpr std::size_t overhead = 1 + sizeof(char*);

std::unique_ptr<item_source> items(words values) {
  return open_items({.nul = false, .files = {}, .lists = {{false, std::move(values)}}});
}

// Gives the values and then fails.
class failing_items final : public item_source {
 public:
  explicit failing_items(words values) : values_(std::move(values)) {}
  std::optional<item> next() override {
    if (position_ == values_.size()) throw std::runtime_error("x: broken");
    return item{{values_[position_++]}};
  }
  std::optional<std::uint64_t> total() const override { return std::nullopt; }

 private:
  words values_;
  std::size_t position_ = 0;
};

// The first values of the items of each job; the numbers are checked on the way.
word_lists jobs_of(job_source& source) {
  word_lists result;
  while (const std::optional<job> next = source.next()) {
    EXPECT_EQ(next->number, result.size() + 1);
    EXPECT_TRUE(next->block.empty());
    words values;
    for (const item& i : next->items) values.push_back(i.fields.front());
    result.push_back(std::move(values));
  }
  return result;
}
word_lists jobs_of(words values, std::size_t max_items, std::size_t max_bytes = 0,
                   std::size_t fixed_bytes = 0) {
  return jobs_of(*one_or_more(items(std::move(values)), max_items, max_bytes, fixed_bytes));
}

TEST(batch_test, jobs_take_up_to_so_many_items) {
  EXPECT_EQ(jobs_of({"a", "b"}, 1), (word_lists{{"a"}, {"b"}}));
  EXPECT_EQ(jobs_of({"a", "b", "c"}, 2), (word_lists{{"a", "b"}, {"c"}}));
  EXPECT_EQ(jobs_of({"a", "b"}, 2), (word_lists{{"a", "b"}}));
  EXPECT_EQ(jobs_of({"a", "b"}, 0), (word_lists{{"a", "b"}}));
  EXPECT_TRUE(jobs_of({}, 2).empty());
}

TEST(batch_test, jobs_take_what_fits_to_the_byte) {
  const std::size_t two = 2 * (3 + overhead);
  EXPECT_EQ(jobs_of({"abc", "def", "ghi"}, 0, 10 + two, 10), (word_lists{{"abc", "def"}, {"ghi"}}));
  EXPECT_EQ(jobs_of({"abc", "def", "ghi"}, 0, 9 + two, 10),
            (word_lists{{"abc"}, {"def"}, {"ghi"}}));
  EXPECT_EQ(jobs_of({"abc", "def", "ghi"}, 1, 10 + two, 10),
            (word_lists{{"abc"}, {"def"}, {"ghi"}}));
}

TEST(batch_test, all_values_of_an_item_count) {
  const auto source = one_or_more(
      open_items({.nul = false, .files = {}, .lists = {{false, {"a", "b"}}, {false, {"1234"}}}}), 0,
      2 * (1 + overhead) + (4 + overhead), 0);
  EXPECT_EQ(jobs_of(*source), (word_lists{{"a"}, {"b"}}));
}

TEST(batch_test, an_item_that_is_too_long_is_a_job_of_its_own) {
  const std::string huge(1000, 'x');
  EXPECT_EQ(jobs_of({"a", huge, "b", "c"}, 0, 100, 20), (word_lists{{"a"}, {huge}, {"b", "c"}}));
  EXPECT_EQ(jobs_of({"a", "b"}, 0, 100, 200), (word_lists{{"a"}, {"b"}}));
}

TEST(batch_test, an_item_with_trouble_is_a_job_of_its_own) {
  const runnel_test::scratch_directory d;
  d.write("items", std::string("a\nb\nx\0\nc\nd\n", 11));
  const auto source =
      one_or_more(open_items({.nul = false, .files = {d.path() + "/items"}, .lists = {}}), 3, 0, 0);
  EXPECT_EQ(jobs_of(*source), (word_lists{{"a", "b"}, {"x"}, {"c", "d"}}));
}

TEST(batch_test, the_total_is_known_if_the_items_are_counted_and_sizes_do_not_matter) {
  EXPECT_EQ(one_or_more(items({"a", "b", "c"}), 1, 0, 0)->total(), 3u);
  EXPECT_EQ(one_or_more(items({"a", "b", "c"}), 2, 0, 0)->total(), 2u);
  EXPECT_EQ(one_or_more(items({"a", "b", "c"}), 0, 0, 0)->total(), 1u);
  EXPECT_EQ(one_or_more(items({"a", "b", "c"}), 1, 100, 0)->total(), 3u);
  EXPECT_EQ(one_or_more(items({"a", "b", "c"}), 2, 100, 0)->total(), std::nullopt);
  EXPECT_EQ(one_or_more(items({}), 2, 0, 0)->total(), 0u);
  EXPECT_EQ(one_or_more(std::make_unique<failing_items>(words{}), 1, 0, 0)->total(), std::nullopt);
}

TEST(batch_test, items_before_a_failure_are_a_job_and_the_failure_comes_after_it) {
  const auto source = one_or_more(std::make_unique<failing_items>(words{"a", "b", "c"}), 2, 0, 0);
  EXPECT_EQ(source->next()->items.size(), 2u);
  const std::optional<job> last = source->next();
  ASSERT_TRUE(last);
  ASSERT_EQ(last->items.size(), 1u);
  EXPECT_EQ(last->items[0].fields, words{"c"});
  EXPECT_THROW(source->next(), std::runtime_error);
}

TEST(batch_test, no_more_items_are_read_than_the_job_needs) {
  const auto source = one_or_more(std::make_unique<failing_items>(words{"a", "b"}), 2, 0, 0);
  EXPECT_TRUE(source->next());
  EXPECT_THROW(source->next(), std::runtime_error);
}

TEST(batch_test, the_argument_space_is_at_most_what_xargs_takes) {
  EXPECT_LE(argument_space(), 128u * 1024);
  EXPECT_GE(argument_space(), 2048u);
}

// A file without a name that holds `text`.
class temporary_input {
 public:
  explicit temporary_input(std::string_view text) : file_(std::tmpfile()) {
    if (file_ == nullptr) throw std::runtime_error("tmpfile");
    std::fwrite(text.data(), 1, text.size(), file_);
    std::rewind(file_);
  }
  temporary_input(const temporary_input&) = delete;
  temporary_input& operator=(const temporary_input&) = delete;
  ~temporary_input() { std::fclose(file_); }
  int fd() const { return ::fileno(file_); }

 private:
  std::FILE* file_;
};

words all_blocks(job_source& source) {
  words result;
  while (std::optional<job> next = source.next()) {
    EXPECT_EQ(next->number, result.size() + 1);
    EXPECT_TRUE(next->items.empty());
    result.push_back(std::move(next->block));
  }
  return result;
}
words blocks_of(std::string_view text, std::size_t block_size, char record_end = '\n') {
  const temporary_input input(text);
  return all_blocks(*blocks(input.fd(), block_size, record_end));
}

TEST(blocks_test, blocks_end_at_the_last_record_that_fits) {
  EXPECT_EQ(blocks_of("aa\nbb\ncc\n", 7), (words{"aa\nbb\n", "cc\n"}));
  EXPECT_EQ(blocks_of("aa\nbb\ncc\n", 6), (words{"aa\nbb\n", "cc\n"}));
  EXPECT_EQ(blocks_of("aa\nbb\ncc\n", 5), (words{"aa\n", "bb\n", "cc\n"}));
  EXPECT_EQ(blocks_of("aa\nbb\ncc\n", 9), (words{"aa\nbb\ncc\n"}));
  EXPECT_EQ(blocks_of("aa\nbb\ncc\n", 100), (words{"aa\nbb\ncc\n"}));
}

TEST(blocks_test, a_record_longer_than_a_block_stays_whole) {
  EXPECT_EQ(blocks_of("aaaaaa\nb\nc\n", 4), (words{"aaaaaa\n", "b\nc\n"}));
  EXPECT_EQ(blocks_of("a\nbbbbbb\nc\n", 1), (words{"a\n", "bbbbbb\n", "c\n"}));
  EXPECT_EQ(blocks_of("a\nb\n", 0), (words{"a\n", "b\n"}));
}

TEST(blocks_test, the_last_record_may_lack_its_end) {
  EXPECT_EQ(blocks_of("aa\nbb", 6), (words{"aa\nbb"}));
  EXPECT_EQ(blocks_of("aa\nbb", 5), (words{"aa\n", "bb"}));
  EXPECT_EQ(blocks_of("aa\nbb", 4), (words{"aa\n", "bb"}));
  EXPECT_EQ(blocks_of("aaaa", 2), (words{"aaaa"}));
  EXPECT_TRUE(blocks_of("", 2).empty());
}

TEST(blocks_test, any_byte_may_end_a_record_and_any_may_be_in_one) {
  EXPECT_EQ(blocks_of(std::string_view("a\n\0b\0", 5), 1, '\0'),
            (words{std::string("a\n\0", 3), std::string("b\0", 2)}));
  EXPECT_EQ(blocks_of(std::string_view("a\0\n", 3), 10), (words{std::string("a\0\n", 3)}));
  EXPECT_EQ(blocks_of("\n\n\n", 2), (words{"\n\n", "\n"}));
}

TEST(blocks_test, nothing_is_lost_or_changed_at_any_block_size) {
  std::string text;
  for (int i = 0; i < 30000; ++i)
    text += std::string(static_cast<std::size_t>(i * 7 % 23), 'x') + '\n';
  text += std::string(150'000, 'y') + "\nunfinished";
  for (const std::size_t size : {1u, 20u, 4096u, 65535u, 65536u, 65537u, 200'000u, 10'000'000u}) {
    const words pieces = blocks_of(text, size);
    std::string joined;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      joined += pieces[i];
      EXPECT_TRUE(i + 1 == pieces.size() || pieces[i].back() == '\n') << size;
      EXPECT_TRUE(pieces[i].size() <= size || pieces[i].find('\n') >= size - 1) << size;
    }
    EXPECT_TRUE(joined == text) << size;
  }
}

TEST(blocks_test, a_block_is_given_as_soon_as_it_is_full) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const auto source = blocks(ends[0], 4, '\n');
  ASSERT_EQ(::write(ends[1], "a\nb\nc", 5), 5);
  EXPECT_EQ(source->next()->block, "a\nb\n");
  ASSERT_EQ(::write(ends[1], "c\nd\n", 4), 4);
  EXPECT_EQ(source->next()->block, "cc\n");
  ::close(ends[1]);
  EXPECT_EQ(source->next()->block, "d\n");
  EXPECT_FALSE(source->next());
  ::close(ends[0]);
}

// A terminal whose other end is closed gives what was written there, and then an error.
TEST(blocks_test, whole_records_before_a_failure_are_given_and_the_rest_is_not) {
  const int fd = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::grantpt(fd), 0);
  ASSERT_EQ(::unlockpt(fd), 0);
  const int other = ::open(::ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(other, 0);
  ASSERT_EQ(::write(other, "a;b;c", 5), 5);
  ::close(other);
  const auto source = blocks(fd, 100, ';');
  EXPECT_EQ(source->next()->block, "a;b;");
  EXPECT_THROW(source->next(), std::runtime_error);
  ::close(fd);
}

TEST(blocks_test, a_cancelled_wait_ends_the_blocks_without_the_unfinished_one) {
  runnel::run([] {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    auto [ctx, cancel] = runnel::with_cancel(runnel::context());
    const auto source = blocks(ends[0], 100, '\n', ctx);
    ASSERT_EQ(::write(ends[1], "a\nb", 3), 3);
    runnel::go([&cancel] { cancel(); });
    EXPECT_FALSE(source->next());
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

}  // namespace
}  // namespace runnel_cli
