// A program of several scenarios, of which its first argument names the one to run.
#pragma once
#include <cstdio>
#include <cstring>
#include <string_view>

namespace runnel_test {

struct scenario {
  scenario(const char* n, void (*f)()) : name(n), run(f), next(first()) { first() = this; }

  static const scenario*& first() {
    static const scenario* list = nullptr;
    return list;
  }

  const char* const name;
  void (*const run)();
  const scenario* const next;
};

inline int run_scenario(int argc, char** argv) {
  for (const scenario* s = scenario::first(); s != nullptr; s = s->next)
    if (argc > 1 && std::strcmp(argv[1], s->name) == 0) {
      s->run();
      return 0;
    }
  std::fprintf(stderr, "unknown scenario\n");
  return 126;
}

/// Writes at once, whatever becomes of the process.
inline void say(const char* text) {
  std::fputs(text, stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

}  // namespace runnel_test

#define SCENARIO(name)                                                            \
  static void scenario_##name();                                                  \
  static const ::runnel_test::scenario registered_##name{#name, scenario_##name}; \
  static void scenario_##name()

#define SCENARIO_MAIN() \
  int main(int argc, char** argv) { return ::runnel_test::run_scenario(argc, argv); }
