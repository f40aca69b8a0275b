// Two functions at the same time.
#pragma once
#include <thread>

#include <runnel/go.hpp>
#include <runnel/wait_group.hpp>

namespace runnel_test {

/// Runs `first` as a goroutine and `second` here; and once more with `first` on a plain thread.
template <class F, class G>
void side_by_side(F first, G second) {
  runnel::wait_group done;
  done.go(first);
  second();
  done.wait();
}
template <class F, class G>
void thread_by_side(F first, G second) {
  std::thread t(first);
  second();
  runnel::blocking([&] { t.join(); });
}

}  // namespace runnel_test
