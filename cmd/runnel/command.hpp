// What the subcommands have in common: how they are added, how they end, how bad usage is reported.
#pragma once
#include <CLI/CLI.hpp>

#include <functional>
#include <stdexcept>
#include <string>

namespace runnel_cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 255;

/// Bad usage: the message says what is wrong and, where that can be guessed, what was meant.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A subcommand that has been added to the parser, and what runs it once the arguments are parsed.
/// run() returns the exit status and may throw usage_error.
struct command {
  CLI::App* app;
  std::function<int()> run;
};

command add_tour(CLI::App& root);
command add_hash(CLI::App& root);

/// The whole number `text` stands for. Throws usage_error, naming `option`, unless it is one from
/// `low` to `high`.
int parse_count(const std::string& option, const std::string& text, int low, int high);

}  // namespace runnel_cli
