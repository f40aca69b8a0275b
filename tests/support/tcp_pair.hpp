// Two ends of a TCP connection on the loopback interface.
#pragma once
#include <utility>

#include <runnel/context.hpp>
#include <runnel/net.hpp>

namespace runnel_test {

struct tcp_pair {
  tcp_pair() {
    runnel::tcp_listener listener = runnel::listen(runnel::endpoint::loopback(0));
    near = runnel::connect(runnel::background(), listener.local_endpoint());
    far = listener.accept();
  }

  runnel::tcp_stream near;
  runnel::tcp_stream far;
};

}  // namespace runnel_test
