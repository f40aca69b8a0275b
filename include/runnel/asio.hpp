// Asio's view of our streams: with this header a tcp_stream or unix_stream is a SyncReadStream and SyncWriteStream, so that
// asio::read, asio::write, asio::ssl::stream, Boost.Beast and the like work on it and block the goroutine only. Only
// synchronous functions: there is nothing that would run asynchronous ones. Needs Boost.Asio's headers, no library of it.
#pragma once
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <runnel/net.hpp>

namespace runnel::detail {

/// asio::error::eof: what Asio's own sockets give at the end.
template <>
struct end_of_stream<boost::system::error_code> {
  static void tell(boost::system::error_code& failure) noexcept {
    failure = boost::asio::error::eof;
  }
};

/// Gives asio::ssl::stream an executor for its timers, which synchronous functions never wait for.
class asio_layer {
 public:
  using lowest_layer_type = asio_layer;
  using executor_type = boost::asio::io_context::executor_type;

  executor_type get_executor() noexcept { return never_run_.get_executor(); }

 private:
  boost::asio::io_context never_run_{1};
};

}  // namespace runnel::detail

inline runnel::stream::lowest_layer_type& runnel::stream::lowest_layer() {
  static detail::asio_layer layer;
  return layer;
}
