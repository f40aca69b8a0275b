// Data races that a race detector must see although both sides use the library: what orders nothing must not look as if
// it did. Each is run many times over, on two threads that begin together, or two goroutines that do.
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include <runnel/chan.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>
#include <runnel/time.hpp>

#include "../../support/scenario.hpp"

using runnel::chan;
using runnel_test::say;

namespace {

constexpr int rounds = 20;
int shared = 0;  // what the races are about

class meeting {
 public:
  void arrive() {
    here_.fetch_add(1, std::memory_order_relaxed);
    while (here_.load(std::memory_order_relaxed) < 2) {
    }
  }

 private:
  std::atomic<int> here_{0};
};

template <class F, class G>
void on_threads(F first, G second) {
  meeting both;
  std::thread a([&] {
    both.arrive();
    first();
  });
  both.arrive();
  second();
  a.join();
}

template <class F, class G>
void in_goroutines(F first, G second) {
  runnel::run({.max_procs = 4}, [&] {
    meeting both;
    runnel::wait_group all;
    all.go([&] {
      both.arrive();
      first();
    });
    all.go([&] {
      both.arrive();
      second();
    });
    all.wait();
  });
}

}  // namespace

SCENARIO(none) {
  for (int i = 0; i < rounds; ++i) {
    runnel::mutex m;
    const auto add = [&] {
      const std::scoped_lock lock(m);
      ++shared;
    };
    on_threads(add, add);
    in_goroutines(add, add);
  }
  say("done");
}

SCENARIO(buffered_send_does_not_wait_for_its_receive) {
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch(10);
    in_goroutines(
        [&] {
          shared = 1;
          ch.recv();
        },
        [&] {
          ch.send(1);
          shared = 2;
        });
  }
}

SCENARIO(length_seen_to_grow) {
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch(10);
    on_threads(
        [&] {
          shared = 1;
          ch.send(1);
        },
        [&] {
          while (ch.len() == 0) {
          }
          shared = 2;
        });
  }
}

SCENARIO(length_seen_to_shrink) {
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch(10);
    ch.send(1);
    on_threads(
        [&] {
          shared = 1;
          ch.recv();
        },
        [&] {
          while (ch.len() != 0) {
          }
          shared = 2;
        });
  }
}

SCENARIO(two_senders) {
  for (int i = 0; i < rounds; ++i) {
    const chan<int> ch(2);
    const auto sender = [&] {
      shared = 1;
      ch.send(1);
    };
    in_goroutines(sender, sender);
  }
}

SCENARIO(handle_overwritten) {
  for (int i = 0; i < rounds; ++i) {
    chan<int> ch(2);
    const chan<int> kept = ch;
    in_goroutines([&] { ch.send(1); }, [&] { ch = chan<int>(2); });
  }
}

SCENARIO(after_unlocking) {
  for (int i = 0; i < rounds; ++i) {
    runnel::mutex m;
    runnel::condition_variable changed;
    bool set = false;
    on_threads(
        [&] {
          {
            const std::scoped_lock lock(m);
            set = true;
          }
          shared = 1;
          changed.notify_one();
        },
        [&] {
          {
            std::unique_lock lock(m);
            changed.wait(lock, [&] { return set; });
          }
          shared = 2;
        });
  }
}

SCENARIO(two_locks) {
  for (int i = 0; i < rounds; ++i) {
    runnel::mutex m;
    runnel::mutex n;
    const auto add = [](runnel::mutex& which) {
      const std::scoped_lock lock(which);
      ++shared;
    };
    in_goroutines([&] { add(m); }, [&] { add(n); });
  }
}

SCENARIO(two_readers) {
  for (int i = 0; i < rounds; ++i) {
    runnel::shared_mutex m;
    meeting inside;
    const auto write = [&] {
      const std::shared_lock lock(m);
      inside.arrive();
      shared = 1;
    };
    in_goroutines(write, write);
  }
}

SCENARIO(wait_group_as_a_lock) {
  for (int i = 0; i < rounds; ++i) {
    runnel::wait_group wg;
    const auto write = [&] {
      wg.add(1);
      shared = 1;
      wg.done();
    };
    in_goroutines(write, write);
  }
}

SCENARIO(two_callbacks) {
  for (int i = 0; i < rounds; ++i) {
    meeting both;
    runnel::latch ended(2);
    const auto write = [&] {
      both.arrive();
      shared = 1;
      ended.count_down();
    };
    runnel::after_func(std::chrono::microseconds(1), write);
    runnel::after_func(std::chrono::microseconds(1), write);
    ended.wait();
  }
}

SCENARIO(end_of_a_goroutine) {
  for (int i = 0; i < rounds; ++i) {
    std::atomic<bool> seen{false};
    on_threads(
        [&] {
          runnel::go([&] {
            shared = 1;
            seen.store(true, std::memory_order_relaxed);
          });
        },
        [&] {
          while (!seen.load(std::memory_order_relaxed)) {
          }
          shared = 2;
        });
  }
}

SCENARIO_MAIN()
