// Misuse that ends the process and cannot be caught (MU-03, RW-05, RW-06).
#include <cstdlib>
#include <mutex>

#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "../../support/scenario.hpp"

using runnel_test::say;

namespace {

template <class F>
void try_to_catch(F f) {
  runnel::run([&] {
    try {
      f();
    } catch (...) {
      say("caught");
      std::_Exit(0);
    }
  });
  say("went on");
}

}  // namespace

SCENARIO(mutex_never_locked) {
  try_to_catch([] { runnel::mutex().unlock(); });
}
SCENARIO(mutex_twice) {
  try_to_catch([] {
    runnel::mutex m;
    m.lock();
    m.unlock();
    m.unlock();
  });
}
SCENARIO(timed_mutex) {
  try_to_catch([] { runnel::timed_mutex().unlock(); });
}
SCENARIO(mutex_on_a_thread) {
  runnel::mutex().unlock();
  say("went on");
}
SCENARIO(shared_never_locked) {
  try_to_catch([] { runnel::shared_mutex().unlock(); });
}
SCENARIO(shared_while_read_locked) {
  try_to_catch([] {
    runnel::shared_mutex m;
    m.lock_shared();
    m.unlock();
  });
}
SCENARIO(shared_twice) {
  try_to_catch([] {
    runnel::shared_mutex m;
    m.lock();
    m.unlock();
    m.unlock();
  });
}
SCENARIO(shared_read_never_locked) {
  try_to_catch([] { runnel::shared_mutex().unlock_shared(); });
}
SCENARIO(shared_read_while_write_locked) {
  try_to_catch([] {
    runnel::shared_mutex m;
    m.lock();
    m.unlock_shared();
  });
}
SCENARIO(shared_read_once_too_often) {
  try_to_catch([] {
    runnel::shared_mutex m;
    m.lock_shared();
    m.lock_shared();
    m.unlock_shared();
    m.unlock_shared();
    m.unlock_shared();
  });
}
SCENARIO(shared_timed) {
  try_to_catch([] { runnel::shared_timed_mutex().unlock(); });
}

SCENARIO_MAIN()
