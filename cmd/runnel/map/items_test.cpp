// Items: how lists are split off, how sources are combined, how input is cut into values.
#include "map/items.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "command.hpp"
#include "map/byte_input.hpp"

#include "../../../tests/support/scratch_directory.hpp"

namespace runnel_cli {
namespace {

using values = std::vector<std::string>;
using rows = std::vector<values>;

class items_test : public ::testing::Test {
 protected:
  std::string file(const std::string& text) {
    const std::string name = std::to_string(files_++);
    scratch_.write(name, text);
    return directory() + "/" + name;
  }
  std::string directory() const { return scratch_.path(); }

  static rows all(item_source& source) {
    rows result;
    while (std::optional<item> next = source.next()) result.push_back(std::move(next->fields));
    return result;
  }
  static rows all(item_options options) { return all(*open_items(std::move(options))); }
  rows lines_of(const std::string& text, bool nul = false) {
    return all({.nul = nul, .files = {file(text)}, .lists = {}});
  }

 private:
  const runnel_test::scratch_directory scratch_;
  int files_ = 0;
};

// Standard input is the end of a pipe while it lives; `write_end` is the other one.
struct piped_standard_input {
  piped_standard_input() : saved(::dup(STDIN_FILENO)) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    ::dup2(ends[0], STDIN_FILENO);
    ::close(ends[0]);
    write_end = ends[1];
  }
  ~piped_standard_input() {
    close_write_end();
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(write_end, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_write_end() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
  int saved;
  int write_end = -1;
};

item_options lists(std::vector<item_options::list> l) {
  return {.nul = false, .files = {}, .lists = std::move(l)};
}

std::string usage_message(const std::function<void()>& f) {
  try {
    f();
  } catch (const usage_error& e) {
    return e.what();
  }
  return "no usage_error";
}

std::string runtime_message(item_source& source) {
  try {
    while (source.next()) {
    }
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "no runtime_error";
}

TEST_F(items_test, arguments_without_lists_are_the_command) {
  std::vector<item_options::list> found;
  EXPECT_EQ(split_lists({"echo", "a", "::"}, found), (values{"echo", "a", "::"}));
  EXPECT_TRUE(found.empty());
}

TEST_F(items_test, lists_are_split_off_the_command_empty_ones_included) {
  std::vector<item_options::list> found;
  EXPECT_EQ(split_lists({"echo", "-n", ":::", "a", "b", ":::+", "1", ":::"}, found),
            (values{"echo", "-n"}));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].values, (values{"a", "b"}));
  EXPECT_FALSE(found[0].linked);
  EXPECT_EQ(found[1].values, values{"1"});
  EXPECT_TRUE(found[1].linked);
  EXPECT_TRUE(found[2].values.empty());
  EXPECT_FALSE(found[2].linked);
}

TEST_F(items_test, a_linked_list_needs_one_before_it) {
  std::vector<item_options::list> found;
  EXPECT_NE(usage_message([&] {
              split_lists({"echo", ":::+", "a"}, found);
            }).find("':::+'"),
            std::string::npos);
}

TEST_F(items_test, four_colons_are_refused_and_the_option_for_files_is_named) {
  std::vector<item_options::list> found;
  EXPECT_NE(usage_message([&] {
              split_lists({"echo", "::::", "a"}, found);
            }).find("-a FILE"),
            std::string::npos);
  EXPECT_NE(usage_message([&] {
              split_lists({":::", "x", "::::+", "a"}, found);
            }).find("'::::+'"),
            std::string::npos);
}

TEST_F(items_test, lists_give_all_combinations_the_last_varying_fastest) {
  EXPECT_EQ(all(lists({{false, {"A", "B"}}, {false, {"1", "2"}}})),
            (rows{{"A", "1"}, {"A", "2"}, {"B", "1"}, {"B", "2"}}));
  EXPECT_EQ(all(lists({{false, {"A", "B"}}, {false, {"1"}}, {false, {"x", "y"}}})),
            (rows{{"A", "1", "x"}, {"A", "1", "y"}, {"B", "1", "x"}, {"B", "1", "y"}}));
}

TEST_F(items_test, linked_lists_go_side_by_side_until_the_shorter_ends) {
  EXPECT_EQ(all(lists({{false, {"A", "B", "C"}}, {true, {"1", "2"}}})),
            (rows{{"A", "1"}, {"B", "2"}}));
  EXPECT_EQ(all(lists({{false, {"A"}}, {true, {"1", "2"}}})), (rows{{"A", "1"}}));
  EXPECT_EQ(all(lists({{false, {"A", "B"}}, {true, {"1", "2"}}, {true, {"x", "y", "z"}}})),
            (rows{{"A", "1", "x"}, {"B", "2", "y"}}));
}

TEST_F(items_test, a_group_of_linked_lists_combines_with_other_lists) {
  EXPECT_EQ(all(lists({{false, {"x", "y"}}, {false, {"A", "B"}}, {true, {"1", "2"}}})),
            (rows{{"x", "A", "1"}, {"x", "B", "2"}, {"y", "A", "1"}, {"y", "B", "2"}}));
}

TEST_F(items_test, an_empty_list_leaves_nothing) {
  EXPECT_TRUE(all(lists({{false, {}}})).empty());
  EXPECT_TRUE(all(lists({{false, {"A"}}, {false, {}}})).empty());
  EXPECT_TRUE(all(lists({{false, {}}, {false, {"A"}}})).empty());
}

TEST_F(items_test, the_total_of_lists_is_known_and_stays) {
  const auto source = open_items(lists({{false, {"A", "B"}}, {false, {"1", "2", "3"}}}));
  EXPECT_EQ(source->total(), 6u);
  EXPECT_EQ(all(*source).size(), 6u);
  EXPECT_EQ(source->total(), 6u);
  EXPECT_EQ(open_items(lists({{false, {"A"}}, {true, {}}}))->total(), 0u);
}

TEST_F(items_test, a_total_too_large_to_count_is_not_known) {
  const std::vector<item_options::list> many(64, {false, {"a", "b"}});
  EXPECT_EQ(open_items(lists(many))->total(), std::nullopt);
}

TEST_F(items_test, the_total_of_a_file_is_not_known) {
  EXPECT_EQ(open_items({.nul = false, .files = {file("a\n")}, .lists = {{false, {"1"}}}})->total(),
            std::nullopt);
}

TEST_F(items_test, a_line_ends_with_a_line_feed_only_and_the_last_may_lack_it) {
  EXPECT_EQ(lines_of("a\nb\r\n c \nd"), (rows{{"a"}, {"b\r"}, {" c "}, {"d"}}));
}

TEST_F(items_test, empty_lines_are_items_but_an_empty_file_has_none) {
  EXPECT_EQ(lines_of("\na\n\n"), (rows{{""}, {"a"}, {""}}));
  EXPECT_TRUE(lines_of("").empty());
}

TEST_F(items_test, nul_ends_items_if_asked_and_line_feeds_belong_to_them) {
  EXPECT_EQ(lines_of(std::string("a\nb\0\0c", 6), true), (rows{{"a\nb"}, {""}, {"c"}}));
}

TEST_F(items_test, lines_longer_than_the_buffer_and_at_its_edge_stay_whole) {
  for (const std::size_t length : {65534u, 65535u, 65536u, 65537u, 131071u}) {
    const std::string longest(length, 'x');
    EXPECT_EQ(lines_of(longest + "\nend\n"), (rows{{longest}, {"end"}})) << length;
    EXPECT_EQ(lines_of(longest), (rows{{longest}})) << length;
  }
}

TEST_F(items_test, a_nul_byte_in_a_line_is_trouble_that_names_the_line_and_others_go_on) {
  const std::string path = file(std::string("a\nb\0c\nd\n\0", 9));
  const auto source = open_items({.nul = false, .files = {path}, .lists = {}});
  EXPECT_EQ(source->next()->trouble, "");
  const std::optional<item> second = source->next();
  EXPECT_EQ(second->fields, (values{"b"}));
  EXPECT_EQ(second->trouble.find(path + ": line 2 holds a NUL byte"), 0u) << second->trouble;
  EXPECT_NE(second->trouble.find("-0"), std::string::npos);
  const std::optional<item> third = source->next();
  EXPECT_EQ(third->fields, (values{"d"}));
  EXPECT_EQ(third->trouble, "");
  EXPECT_NE(source->next()->trouble, "") << "a line without an end, of a NUL alone";
  EXPECT_FALSE(source->next());
}

TEST_F(items_test, what_is_longer_than_an_argument_can_be_is_trouble_and_not_kept) {
  for (const std::size_t length : {131072u, 1'000'000u}) {
    const std::string path = file("a\n" + std::string(length, 'x') + "\nb\n");
    const auto source = open_items({.nul = false, .files = {path}, .lists = {{false, {"1"}}}});
    EXPECT_EQ(source->next()->fields, (values{"a", "1"}));
    const std::optional<item> second = source->next();
    EXPECT_EQ(second->trouble,
              path + ": line 2 has more than 131071 bytes: Argument list too long");
    EXPECT_EQ(second->fields, (values{std::string(64, 'x') + "...", "1"}));
    EXPECT_EQ(source->next()->fields, (values{"b", "1"}));
    EXPECT_FALSE(source->next());
  }
}

TEST_F(items_test, trouble_of_any_source_is_the_combinations) {
  const std::string path = file(std::string("x\0\ny\n", 6));
  const auto source = open_items({.nul = false, .files = {file("a\n"), path}, .lists = {}});
  EXPECT_NE(source->next()->trouble, "");
  EXPECT_EQ(source->next()->trouble, "");
}

TEST_F(items_test, files_combine_with_files_and_lists_files_first) {
  EXPECT_EQ(
      all({.nul = false, .files = {file("a\nb\n"), file("1\n2\n")}, .lists = {{false, {"x"}}}}),
      (rows{{"a", "1", "x"}, {"a", "2", "x"}, {"b", "1", "x"}, {"b", "2", "x"}}));
}

TEST_F(items_test, a_file_that_cannot_be_opened_is_named_at_once) {
  const std::string missing = directory() + "/missing";
  const std::string message = usage_message([&] {
    open_items({.nul = false, .files = {file("a\n"), missing}, .lists = {}});
  });
  EXPECT_NE(message.find(missing), std::string::npos) << message;
  EXPECT_NE(message.find("No such file"), std::string::npos) << message;
}

TEST_F(items_test, a_directory_is_no_file_of_items) {
  EXPECT_NE(usage_message([&] {
              open_items({.nul = false, .files = {directory()}, .lists = {}});
            }).find("is a directory"),
            std::string::npos);
}

TEST_F(items_test, standard_input_cannot_be_named_twice) {
  EXPECT_NE(usage_message([] {
              open_items({.nul = false, .files = {"-", "-"}, .lists = {}});
            }).find("only once"),
            std::string::npos);
}

TEST_F(items_test, standard_input_is_read_if_nothing_is_named_and_also_as_an_inner_source) {
  {
    piped_standard_input in;
    in.write("a\nb");
    in.close_write_end();
    EXPECT_EQ(all(item_options{}), (rows{{"a"}, {"b"}}));
  }
  piped_standard_input in;
  in.write("1\n2\n");
  in.close_write_end();
  EXPECT_EQ(all({.nul = false, .files = {file("a\nb\n"), "-"}, .lists = {}}),
            (rows{{"a", "1"}, {"a", "2"}, {"b", "1"}, {"b", "2"}}));
}

TEST_F(items_test, a_failing_read_is_an_error_that_names_the_source) {
  // The memory of this process is a file whose first page cannot be read.
  const auto source = open_items({.nul = false, .files = {"/proc/self/mem"}, .lists = {}});
  EXPECT_EQ(runtime_message(*source).find("/proc/self/mem: "), 0u);
}

TEST_F(items_test, an_item_is_given_as_soon_as_its_line_has_come) {
  piped_standard_input in;
  const auto source = open_items({});
  in.write("a\nb");
  EXPECT_EQ(source->next()->fields, values{"a"});
  in.write("c\n");
  EXPECT_EQ(source->next()->fields, values{"bc"});
  in.close_write_end();
  EXPECT_FALSE(source->next());
}

// ^D after some text gives a terminal's reader that text, and ^D after nothing an end.
TEST_F(items_test, nothing_is_read_after_the_end_of_a_terminal) {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  const auto source = open_items({.nul = false, .files = {::ptsname(terminal)}, .lists = {}});
  ASSERT_EQ(::write(terminal,
                    "a\x04\x04"
                    "b\n",
                    5),
            5);
  EXPECT_EQ(source->next()->fields, values{"a"});
  ASSERT_FALSE(source->next());
  ASSERT_FALSE(source->next());
  ::close(terminal);
}

TEST_F(items_test, waiting_for_input_parks_the_goroutine_and_not_its_processor) {
  piped_standard_input in;
  const int before = runnel::set_max_procs(1);
  runnel::run([&] {
    const auto source = open_items({});
    runnel::wait_group reader;
    rows got;
    reader.go([&] { got = all(*source); });
    runnel::go([&] {
      runnel::yield();
      in.write("late\n");
      in.close_write_end();
    });
    reader.wait();
    EXPECT_EQ(got, (rows{{"late"}}));
  });
  runnel::set_max_procs(before);
}

TEST_F(items_test, a_cancelled_wait_ends_the_items_without_the_unfinished_line) {
  piped_standard_input in;
  runnel::run([&] {
    auto [ctx, cancel] = runnel::with_cancel(runnel::context());
    const auto source = open_items({}, ctx);
    in.write("whole\nhal");
    EXPECT_EQ(source->next()->fields, values{"whole"});
    runnel::go([&cancel] { cancel(); });
    EXPECT_FALSE(source->next());
    EXPECT_FALSE(source->next());
  });
}

TEST_F(items_test, a_cancelled_wait_for_an_inner_source_gives_no_combination) {
  piped_standard_input in;
  runnel::run([&] {
    auto [ctx, cancel] = runnel::with_cancel(runnel::context());
    const auto source = open_items({.nul = false, .files = {file("a\n"), "-"}, .lists = {}}, ctx);
    in.write("1\n");
    runnel::go([&cancel] { cancel(); });
    EXPECT_FALSE(source->next());
  });
}

}  // namespace
}  // namespace runnel_cli
