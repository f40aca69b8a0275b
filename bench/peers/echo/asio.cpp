// A TCP echo server on the loopback interface, by callbacks; ends by itself after a minute.
#include <array>
#include <boost/asio.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "common/bench.hpp"

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

class connection : public std::enable_shared_from_this<connection> {
 public:
  explicit connection(tcp::socket s) : socket_(std::move(s)) {}

  void read() {
    socket_.async_read_some(boost::asio::buffer(buffer_),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (!error) self->write(size);
                            });
  }

 private:
  void write(std::size_t size) {
    boost::asio::async_write(socket_, boost::asio::buffer(buffer_, size),
                             [self = shared_from_this()](error_code error, std::size_t) {
                               if (!error) self->read();
                             });
  }

  tcp::socket socket_;
  std::array<char, 4096> buffer_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](error_code error, tcp::socket s) {
    if (error) return;
    s.set_option(tcp::no_delay(true));
    std::make_shared<connection>(std::move(s))->read();
    accept(acceptor);
  });
}

void echo(const bench::args& a) {
  boost::asio::io_context io(1);
  tcp::acceptor acceptor(io, tcp::endpoint(boost::asio::ip::address_v4::loopback(),
                                           static_cast<std::uint16_t>(a.port)));
  boost::asio::steady_timer end(io, std::chrono::minutes(1));
  end.async_wait([&](error_code) { io.stop(); });
  accept(acceptor);
  io.run();
}

const bench::workload registered{"echo", echo};

}  // namespace
