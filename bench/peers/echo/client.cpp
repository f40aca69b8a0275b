// The load client of the echo workload: one thread, epoll, so many connections, each with one
// message under way. Usage: echo_client [--port P] [--conns C] [--size BYTES] [--seconds S]
// [--warmup S] Connects to 127.0.0.1 only. Prints requests per second, and the median and 99th
// percentile of the latency.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

struct settings {
  int port = 7000;
  int conns = 100;
  int size = 64;
  int seconds = 4;
  int warmup = 1;
};

struct connection {
  int fd = -1;
  std::size_t received = 0;  // bytes of the current reply
  clock_type::time_point sent;
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

settings parse(int argc, char** argv) {
  settings s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const int value = std::atoi(argv[i + 1]);
    if (key == "--port") {
      s.port = value;
    } else if (key == "--conns") {
      s.conns = value;
    } else if (key == "--size") {
      s.size = value;
    } else if (key == "--seconds") {
      s.seconds = value;
    } else if (key == "--warmup") {
      s.warmup = value;
    } else {
      std::fprintf(stderr, "unknown option %s\n", argv[i]);
      std::exit(2);
    }
  }
  return s;
}

int dial(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int tries = 0; tries < 250; ++tries) {  // the server may still be starting: at most 5 s
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      fcntl(fd, F_SETFL, O_NONBLOCK);
      return fd;
    }
    close(fd);
    usleep(20'000);
  }
  die("connect");
}

class load {
 public:
  explicit load(const settings& s)
      : settings_(s),
        message_(static_cast<std::size_t>(s.size), 'x'),
        connections_(static_cast<std::size_t>(s.conns)),
        epoll_(epoll_create1(0)) {
    if (epoll_ < 0) die("epoll_create1");
    for (auto& c : connections_) {
      c.fd = dial(s.port);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = &c;
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) < 0) die("epoll_ctl");
    }
    latencies_.reserve(8U << 20);
  }

  void run() {
    begin_ = clock_type::now() + std::chrono::seconds(settings_.warmup);
    end_ = begin_ + std::chrono::seconds(settings_.seconds);
    for (auto& c : connections_) send(c);
    std::vector<epoll_event> events(256);
    while (clock_type::now() < end_) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1000);
      if (count == 0) {
        std::fprintf(stderr, "no reply within a second\n");
        std::exit(1);
      }
      for (int i = 0; i < count; ++i) {
        receive(*static_cast<connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
    }
  }

  void print() {
    if (latencies_.empty()) std::exit(1);
    std::printf("echo_rps\t1\t%.6g\treq/s\n",
                static_cast<double>(latencies_.size()) / settings_.seconds);
    std::printf("echo_p50\t1\t%.4g\tus\n", percentile(0.50));
    std::printf("echo_p99\t1\t%.4g\tus\n", percentile(0.99));
  }

 private:
  void send(connection& c) {
    c.received = 0;
    c.sent = clock_type::now();
    const auto size = static_cast<ssize_t>(message_.size());
    if (write(c.fd, message_.data(), message_.size()) != size) die("write");
  }

  void receive(connection& c) {
    char buffer[65536];
    const ssize_t size = read(c.fd, buffer, sizeof buffer);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) die("read");
    if (!std::all_of(buffer, buffer + size, [](char b) { return b == 'x'; })) {
      std::fprintf(stderr, "wrong answer: what came back is not what was sent\n");
      std::exit(1);
    }
    c.received += static_cast<std::size_t>(size);
    if (c.received < message_.size()) return;
    const auto now = clock_type::now();
    if (now >= begin_ && now < end_) {
      latencies_.push_back(std::chrono::duration<float, std::micro>(now - c.sent).count());
    }
    send(c);
  }

  double percentile(double p) {
    const auto rank = static_cast<std::ptrdiff_t>(p * static_cast<double>(latencies_.size() - 1));
    std::nth_element(latencies_.begin(), latencies_.begin() + rank, latencies_.end());
    return latencies_[static_cast<std::size_t>(rank)];
  }

  settings settings_;
  std::vector<char> message_;
  std::vector<connection> connections_;
  std::vector<float> latencies_;  // microseconds
  int epoll_;
  clock_type::time_point begin_;
  clock_type::time_point end_;
};

}  // namespace

int main(int argc, char** argv) {
  load l(parse(argc, argv));
  l.run();
  l.print();
}
