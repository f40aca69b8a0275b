// What the subcommands have in common: how they are added, how they end, how bad usage is reported.
#pragma once
#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace runnel_cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 255;
inline constexpr int exit_by_signal = 128;  // plus its number, as a shell says

/// Bad usage: the message says what is wrong and, where that can be guessed, what was meant.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A subcommand that has been added to the parser, and what runs it once the arguments are parsed.
/// run() returns the exit status and may throw usage_error.
struct command {
  CLI::App* app;
  std::function<int()> run;
  /// Not null: the subcommand's own options end at the first argument that is none, or after "--";
  /// what stands there is not parsed and comes here.
  std::shared_ptr<std::vector<std::string>> rest{};
  /// Whatever run() starts ends with it (supervise.hpp).
  bool supervised = false;
};

command add_tour(CLI::App& root);
command add_hash(CLI::App& root);
command add_map(CLI::App& root);

/// The whole number `text` stands for. Throws usage_error, naming `option`, unless it is one from
/// `low` to `high`.
int parse_count(const std::string& option, const std::string& text, int low, int high);

}  // namespace runnel_cli
