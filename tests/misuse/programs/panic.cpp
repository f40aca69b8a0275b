// Exceptions that leave a goroutine (PA-01 to PA-10, PA-14, WG-07).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/go.hpp>
#include <runnel/patterns.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using namespace std::chrono_literals;
using runnel::chan;
using runnel_test::say;

namespace {

struct says_destroyed {
  ~says_destroyed() { say("destroyed"); }
};

[[gnu::noinline]] void throw_test(const char* what) { throw std::runtime_error(what); }

/// A goroutine called "crasher" throws while main waits for something that never comes.
template <class F>
void crash(F f) {
  runnel::run([&] {
    runnel::go({.name = "crasher"}, f);
    chan<int>().recv();
    say("main went on");
  });
}

}  // namespace

SCENARIO(goroutine) {  // PA-01, PA-02
  crash([] { throw_test("test"); });
}

extern "C" [[gnu::noinline]] void f() {
  throw_test("test");
  say("not here");  // no tail call
}

SCENARIO(in_a_c_function) {
  crash([] { f(); });
}

SCENARIO(nested) {
  crash([] {
    try {
      try {
        throw_test("inner");
      } catch (...) {
        std::throw_with_nested(std::logic_error("middle"));
      }
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  });
}

struct fails_to_tell : std::exception {
  const char* what() const noexcept override {
    throw_test("in what()");
    return "";
  }
};

SCENARIO(text_throws) {  // PA-07
  crash([] { throw fails_to_tell(); });
}

// Nothing is unwound before the report, so a destructor cannot release main to win a race to a clean exit.
SCENARIO(destructor_would_release_main) {  // PA-02
  runnel::run([] {
    runnel::wait_group wg;
    wg.add(1);
    runnel::go({.name = "crasher"}, [&] {
      struct release {
        runnel::wait_group& wg;
        ~release() { wg.done(); }
      } const r{wg};
      const says_destroyed d;
      throw_test("test");
    });
    wg.wait();
    say("main went on");
  });
}

SCENARIO(stage) {
  runnel::run([] {
    const chan<int> numbers(1);
    numbers.send(1);
    const auto out = runnel::transform(runnel::background(), numbers, 2, [](int n) {
      if (n == 1) throw_test("test");
      return n;
    });
    (void)out.recv();
    say("main went on");
  });
}

SCENARIO(wait_group_go) {  // WG-07
  runnel::run([] {
    runnel::wait_group wg;
    wg.go([] { throw_test("test"); });
    wg.wait();
    say("main went on");
  });
}

/// Its text releases main and takes its time: main must not end the process cleanly meanwhile.
class slow_text : public std::exception {
 public:
  explicit slow_text(chan<void> c) : released_(std::move(c)) {}
  const char* what() const noexcept override {
    released_.close();
    ::usleep(300'000);
    return "slow";
  }

 private:
  chan<void> released_;
};

SCENARIO(main_cannot_win) {  // PA-02
  runnel::run([] {
    chan<void> released;
    runnel::go([=] { throw slow_text(released); });
    released.recv();
  });
}

SCENARIO(each_catches_its_own) {  // PA-03
  const auto guarded = [](const char* where) {
    try {
      throw_test("test");
    } catch (const std::runtime_error&) {
      say(where);
    }
  };
  runnel::run([&] {
    guarded("main done");
    runnel::wait_group wg;
    wg.go([&] {
      runnel::lock_os_thread();
      guarded("locked done");
    });
    wg.wait();
    wg.go([&] { guarded("second done"); });
    wg.wait();
    guarded("again done");
  });
}

SCENARIO(not_caught_elsewhere) {  // PA-04
  runnel::run([] {
    try {
      runnel::go([] { throw_test("test"); });
      chan<int>().recv();
    } catch (...) {
      say("caught");
    }
  });
}

class text_that_yields : public std::exception {
 public:
  const char* what() const noexcept override {
    runnel::yield();
    runnel::sleep_for(1ms);
    ::usleep(1000);
    std::fprintf(stdout, "asked\n");
    return "after a yield";
  }
};

SCENARIO(text_yields) {  // PA-06
  crash([] { throw text_that_yields(); });
}

SCENARIO(several_lines) {  // PA-08
  crash([] { throw_test("first\nsecond\nthird"); });
}

SCENARIO(not_an_exception_class) {
  crash([] { throw 42; });  // NOLINT
}

SCENARIO(text_thrown) {
  crash([] { throw std::string("just text"); });  // NOLINT
}

SCENARIO(error_thrown) {
  crash([] { throw runnel::wrap("reading", "no such thing"); });  // NOLINT
}

SCENARIO(rethrown) {  // PA-05
  crash([] {
    try {
      throw_test("test");
    } catch (...) {
      throw;
    }
  });
}

SCENARIO(thrown_while_handling) {  // PA-05
  crash([] {
    try {
      throw_test("inner");
    } catch (const std::exception&) {
      throw_test("outer");
    }
  });
}

SCENARIO(from_a_noexcept_function) {
  crash([] { []() noexcept { throw_test("test"); }(); });
}

SCENARIO(terminate_without_exception) {
  crash([] { std::terminate(); });
}

SCENARIO(empty_function) {  // PA-10
  runnel::run([] {
    try {
      runnel::go(std::function<void()>());
    } catch (...) {
      say("caught");
      std::_Exit(0);
    }
    chan<int>().recv();
  });
}

SCENARIO(inside_a_once) {
  crash([] {
    runnel::once o;
    o.call([] { throw_test("test"); });
  });
}

SCENARIO(after_parking) {
  crash([] {
    runnel::sleep_for(1ms);
    runnel::yield();
    throw_test("test");
  });
}

SCENARIO(with_others_and_timers) {  // PA-14
  crash([] {
    for (int i = 0; i < 3; ++i) runnel::go({.name = "bystander"}, [] { chan<int>().recv(); });
    const runnel::timer far(1h);
    runnel::yield();
    throw_test("test");
  });
}

SCENARIO(many_at_once) {
  runnel::run({.max_procs = 4}, [] {
    for (int i = 0; i < 50; ++i)
      runnel::go([] {
        runnel::yield();
        throw_test("test");
      });
    chan<int>().recv();
  });
}

SCENARIO(handler) {
  runnel::set_panic_handler([](std::exception_ptr e, const runnel::goroutine_info& g) {
    try {
      std::rethrow_exception(std::move(e));
    } catch (const std::exception& x) {
      std::printf("handler saw %s in %s, id %s, %zu frames\n", x.what(), g.name.c_str(),
                  g.id > 0 ? "set" : "none", g.stack.size());
      std::fflush(stdout);
    }
  });
  crash([] {
    const says_destroyed d;
    throw_test("test");
  });
}

SCENARIO(own_terminate_handler) {
  std::set_terminate([] {
    say("own handler");
    std::_Exit(7);
  });
  crash([] { throw_test("test"); });
}

// run() hands on what main threw: nothing has left a goroutine.
SCENARIO(main_throws) {
  try {
    runnel::run([] { throw_test("test"); });
  } catch (const std::runtime_error& e) {
    say(e.what());
  }
}

SCENARIO(async_keeps_it) {
  runnel::run([] {
    auto f = runnel::async([] { throw_test("test"); });
    f.wait();
    {
      auto dropped = runnel::async([] { throw_test("dropped"); });
    }
    runnel::sleep_for(5ms);
    try {
      f.get();
    } catch (const std::runtime_error& e) {
      say(e.what());
    }
  });
}

SCENARIO_MAIN()
