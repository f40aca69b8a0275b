// Our streams under Asio's synchronous functions, its TLS and Boost.Beast: everything blocks the goroutine only.
#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http.hpp>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <istream>
#include <memory>
#include <string>

#include <runnel/asio.hpp>
#include <runnel/go.hpp>
#include <runnel/sync.hpp>

#include "../support/goroutine_state.hpp"
#include "../support/matrix.hpp"
#include "../support/tcp_pair.hpp"

namespace {

using namespace runnel_test;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

static_assert(boost::beast::is_sync_stream<runnel::tcp_stream>::value);
static_assert(boost::beast::is_sync_stream<runnel::unix_stream>::value);

MATRIX_TEST(AsioStream, ReadsAndWritesItsBuffers) {
  tcp_pair c;
  runnel::wait_group all;
  all.go([&] {
    std::array<char, 3> head{};
    std::array<char, 4> tail{};
    const std::array<asio::mutable_buffer, 2> rooms = {asio::buffer(head), asio::buffer(tail)};
    EXPECT_EQ(asio::read(c.near, rooms), 7U);
    EXPECT_EQ(std::string(head.data(), 3) + std::string(tail.data(), 4), "abcdefg");
  });
  EXPECT_TRUE(until_blocked("IO wait"));
  const std::array<asio::const_buffer, 2> pieces = {asio::buffer("abcd", 4),
                                                    asio::buffer("efg", 3)};
  EXPECT_EQ(asio::write(c.far, pieces), 7U);
  all.wait();
}

MATRIX_TEST(AsioStream, TheEndIsAsiosError) {
  tcp_pair c;
  c.far.write(std::string("line\nrest"));
  c.far.close();
  asio::streambuf text;
  EXPECT_EQ(asio::read_until(c.near, text, '\n'), 5U);
  error_code failure;
  asio::read(c.near, text, failure);
  EXPECT_EQ(failure, asio::error::eof);
  c.near.close();
  std::array<char, 1> room{};
  c.near.read_some(asio::buffer(room), failure);
  EXPECT_EQ(failure, boost::system::errc::bad_file_descriptor);
  EXPECT_EQ(failure.category(), boost::system::system_category());
}

void serve(runnel::tcp_stream stream) {
  boost::beast::flat_buffer buffer;
  for (;;) {
    error_code failure;
    http::request<http::string_body> request;
    http::read(stream, buffer, request, failure);
    if (failure == http::error::end_of_stream) return;
    ASSERT_FALSE(failure) << failure.message();
    http::response<http::string_body> response(http::status::ok, request.version());
    response.body() = "you sent " + request.body() + " to " + std::string(request.target());
    response.prepare_payload();
    response.keep_alive(request.keep_alive());
    http::write(stream, response);
  }
}

MATRIX_TEST(AsioStream, BeastServesAndAsks) {
  runnel::tcp_listener listener = runnel::listen(runnel::endpoint::loopback(0));
  const runnel::endpoint where = listener.local_endpoint();
  constexpr int clients = 10;
  runnel::wait_group all;
  all.go([&] {
    for (int i = 0; i < clients; ++i)
      all.go([s = listener.accept()]() mutable { serve(std::move(s)); });
  });
  for (int i = 0; i < clients; ++i) {
    all.go([&, i] {
      runnel::tcp_stream stream = runnel::connect(runnel::background(), where);
      boost::beast::flat_buffer buffer;
      for (int k = 0; k < 5; ++k) {
        http::request<http::string_body> request(http::verb::post, "/" + std::to_string(i), 11);
        request.body() = std::to_string(k);
        request.prepare_payload();
        http::write(stream, request);
        http::response<http::string_body> response;
        http::read(stream, buffer, response);
        EXPECT_EQ(response.body(), "you sent " + std::to_string(k) + " to /" + std::to_string(i));
      }
      stream.shutdown(runnel::shut::write);
      error_code failure;
      http::response<http::string_body> none;
      http::read(stream, buffer, none, failure);
      EXPECT_EQ(failure, http::error::end_of_stream);
    });
  }
  all.wait();
}

// -- TLS -------------------------------------------------------------------------------------------------------------

// With a key and a certificate made for the purpose, signed by itself.
void certify(asio::ssl::context& tls) {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_RSA_gen(2048), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> own(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(own.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(own.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(own.get()), 3600);
  X509_set_pubkey(own.get(), key.get());
  ASSERT_NE(X509_sign(own.get(), key.get(), EVP_sha256()), 0);
  ASSERT_EQ(SSL_CTX_use_certificate(tls.native_handle(), own.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(tls.native_handle(), key.get()), 1);
}

MATRIX_TEST(AsioStream, TlsGoesOverIt) {
  asio::ssl::context server_side(asio::ssl::context::tls_server);
  asio::ssl::context client_side(asio::ssl::context::tls_client);
  certify(server_side);
  runnel::tcp_listener listener = runnel::listen(runnel::endpoint::loopback(0));
  const runnel::endpoint where = listener.local_endpoint();
  const int clients = scaled(20);
  runnel::wait_group all;
  all.go([&] {
    for (int i = 0; i < clients; ++i) {
      all.go([&, s = listener.accept()]() mutable {
        asio::ssl::stream<runnel::tcp_stream> stream(std::move(s), server_side);
        stream.handshake(asio::ssl::stream_base::server);
        std::array<char, 5> room{};
        asio::read(stream, asio::buffer(room));
        asio::write(stream, asio::buffer(room));
        error_code failure;
        stream.shutdown(failure);
      });
    }
  });
  for (int i = 0; i < clients; ++i) {
    all.go([&] {
      asio::ssl::stream<runnel::tcp_stream> stream(runnel::connect(runnel::background(), where),
                                                   client_side);
      stream.handshake(asio::ssl::stream_base::client);
      asio::write(stream, asio::buffer("hello", 5));
      std::string answer(5, '?');
      asio::read(stream, asio::buffer(answer));
      EXPECT_EQ(answer, "hello");
      error_code failure;
      stream.shutdown(failure);
    });
  }
  all.wait();
}

}  // namespace
