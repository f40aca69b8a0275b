// A TCP echo server on the loopback interface, a goroutine for each connection; ends by itself after a
// minute.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <runnel/go.hpp>
#include <runnel/poll.hpp>
#include <runnel/time.hpp>

#include "common/bench.hpp"

namespace {

void write_all(int fd, const char* data, ssize_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, static_cast<std::size_t>(size));
    if (n > 0) {
      data += n;
      size -= n;
    } else if (errno != EAGAIN || runnel::wait_writable(fd)) {
      return;
    }
  }
}

void serve(int fd) {
  std::array<char, 4096> buffer{};
  while (!runnel::wait_readable(fd)) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n == 0 || (n < 0 && errno != EAGAIN)) break;
    write_all(fd, buffer.data(), n);
  }
  ::close(fd);
}

int listen_on(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(fd, SOMAXCONN) == 0;
  bench::check(bound, "the port is free");
  return fd;
}

void echo(const bench::args& a) {
  const int listener = listen_on(a.port);
  runnel::after_func(std::chrono::minutes(1), [] { std::_Exit(0); });  // bounded
  while (!runnel::wait_readable(listener)) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    runnel::go([fd] { serve(fd); });
  }
}

const bench::workload registered{"echo", echo};

}  // namespace
