// Fetches 200 items from an HTTP service, eight requests at a time, each with a time limit, and tries
// those again that the service was too busy for. The service is a small one on the loopback
// interface, started here: a goroutine for every connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <runnel/poll.hpp>
#include <runnel/runnel.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::error_code last_error() { return {errno, std::generic_category()}; }

// A non-blocking socket whose calls park the goroutine until they can go ahead or `ctx` is done.
class socket_handle {
 public:
  explicit socket_handle(int fd) : fd_(fd) {}
  socket_handle(socket_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  socket_handle& operator=(socket_handle&&) = delete;
  ~socket_handle() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

  runnel::error write(const runnel::context& ctx, const std::string& text) const {
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t n = ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n >= 0) {
        sent += static_cast<std::size_t>(n);
      } else if (errno != EAGAIN) {
        return last_error();
      } else if (runnel::error e = runnel::wait_writable(ctx, fd_)) {
        return e;
      }
    }
    return nullptr;
  }

  // Appends to `text` until it holds `end`; none (nullptr): until the other side has closed.
  runnel::error read_until(const runnel::context& ctx, const char* end, std::string& text) const {
    char block[4096];
    while (end == nullptr || text.find(end) == std::string::npos) {
      const ssize_t n = ::recv(fd_, block, sizeof block, 0);
      if (n > 0) {
        text.append(block, static_cast<std::size_t>(n));
      } else if (n == 0) {
        return end == nullptr ? runnel::error() : runnel::error("connection closed early");
      } else if (errno != EAGAIN) {
        return last_error();
      } else if (runnel::error e = runnel::wait_readable(ctx, fd_)) {
        return e;
      }
    }
    return nullptr;
  }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

socket_handle new_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(last_error(), "socket");
  return socket_handle(fd);
}

// GET /N answers with N squared after a few milliseconds; too busy for every tenth first request.
class server {
 public:
  server() : listener_(new_socket()) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.fd(), raw, size) != 0 || ::listen(listener_.fd(), 64) != 0 ||
        ::getsockname(listener_.fd(), raw, &size) != 0) {
      throw std::system_error(last_error(), "cannot listen on the loopback interface");
    }
    port_ = ntohs(address.sin_port);
    connections_.go([this](const runnel::context& ctx) { accept_all(ctx); });
  }
  // The group cancels what is left and waits for it.
  ~server() = default;

  std::uint16_t port() const { return port_; }
  int most_at_once() const { return most_; }

 private:
  void accept_all(const runnel::context& ctx) {
    while (!runnel::wait_readable(ctx, listener_.fd())) {
      const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) continue;
      connections_.go(
          [this, c = socket_handle(fd)](const runnel::context& inner) { serve(inner, c); });
    }
  }

  void serve(const runnel::context& ctx, const socket_handle& connection) {
    const int now = ++busy_;
    for (int seen = most_; now > seen && !most_.compare_exchange_weak(seen, now);) {
    }
    std::string request;
    if (!connection.read_until(ctx, "\r\n\r\n", request) && request.starts_with("GET /")) {
      runnel::sleep_for(5ms);
      const int n = std::atoi(request.c_str() + 5);
      const bool too_busy = n % 10 == 0 && request.find("Attempt: 1") != std::string::npos;
      --busy_;
      (void)connection.write(ctx, (too_busy ? "HTTP/1.0 503 Busy\r\n\r\n"
                                            : "HTTP/1.0 200 OK\r\n\r\n" + std::to_string(n * n)));
    } else {
      --busy_;
    }
  }

  socket_handle listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> busy_ = 0;
  std::atomic<int> most_ = 0;
  runnel::group connections_;  // last: its goroutines use the others
};

runnel::error fetch(const runnel::context& parent, std::uint16_t port, int item, int attempt,
                    int& answer) {
  auto [ctx, cancel] = runnel::with_timeout(parent, 5s);
  const socket_handle connection = new_socket();
  const sockaddr_in address = loopback(port);
  if (::connect(connection.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    if (errno != EINPROGRESS) return last_error();
    if (runnel::error e = runnel::wait_writable(ctx, connection.fd())) return e;
  }
  const std::string request = "GET /" + std::to_string(item) +
                              " HTTP/1.0\r\nAttempt: " + std::to_string(attempt) + "\r\n\r\n";
  if (runnel::error e = connection.write(ctx, request)) return e;
  std::string reply;
  if (runnel::error e = connection.read_until(ctx, nullptr, reply)) return e;
  if (!reply.starts_with("HTTP/1.0 200 ")) return "item " + std::to_string(item) + ": busy";
  answer = std::atoi(reply.c_str() + reply.find("\r\n\r\n") + 4);
  return nullptr;
}

int fan_out() {
  constexpr int items = 200;
  const server service;
  std::vector<int> answers(items, -1);
  runnel::worker_pool pool({.size = 8,
                            .queue = 16,
                            .stop_on_error = true,
                            .retries = 3,
                            .retry_backoff = {.initial = 2ms, .max = 50ms},
                            .name = "requests"});
  pool.run();
  for (int item = 0; item < items; ++item) {
    const runnel::error refused = pool.add_task(
        [&answers, port = service.port(), item, attempt = 0](const runnel::context& ctx) mutable {
          return fetch(ctx, port, item, ++attempt, answers[static_cast<std::size_t>(item)]);
        });
    if (refused) break;
  }
  if (const runnel::error failed = pool.wait()) {
    std::fprintf(stderr, "%s\n", failed.message().c_str());
    return 1;
  }
  for (int item = 0; item < items; ++item) {
    if (answers[static_cast<std::size_t>(item)] != item * item) return 1;
  }
  std::printf("%d answers, %d requests tried again, never more than 8 at once: %s\n", items,
              static_cast<int>(pool.stats().retried),
              service.most_at_once() <= 8 ? "true" : "false");
  return service.most_at_once() <= 8 ? 0 : 1;
}

}  // namespace

int main() {
  return runnel::run([] { return fan_out(); });
}
