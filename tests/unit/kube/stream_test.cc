#include "kube/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>

#include "tests/unit/kube/identity.h"

namespace holdfast::kube {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::HasSubstr;

class TlsStreamTest : public testing::Test {
 protected:
  TlsStreamTest() { config.host = "127.0.0.1"; }

  /// What came of connecting to a server with this certificate: "hello", which the server says, or
  /// why not.
  std::string connect(const Identity& server, const std::string& ca_pem) {
    auto settings = make_tls_settings(config, {.authorities = ca_pem,
                                               .client_certificate = config.client_certificate_pem,
                                               .client_key = config.client_key_pem});
    if (!settings.ok()) return std::string(settings.status().message());
    asio::ssl::context tls(asio::ssl::context::tls_server);
    tls.use_certificate_chain(asio::buffer(server.certificate));
    tls.use_private_key(asio::buffer(server.key), asio::ssl::context::pem);
    if (!client_ca.empty()) {
      tls.add_certificate_authority(asio::buffer(client_ca));
      tls.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    asio::co_spawn(context, greet(acceptor, tls), asio::detached);
    const auto stream = make_stream(context, *settings);
    std::string outcome;
    asio::co_spawn(context, listen(*stream, acceptor.local_endpoint(), outcome), asio::detached);
    context.restart();
    context.run_for(std::chrono::seconds(10));
    EXPECT_TRUE(context.stopped());
    return outcome;
  }

  asio::awaitable<void> greet(tcp::acceptor& acceptor, asio::ssl::context& tls) {
    boost::system::error_code error;
    asio::ssl::stream<tcp::socket> stream(context, tls);
    co_await acceptor.async_accept(stream.next_layer(),
                                   asio::redirect_error(asio::use_awaitable, error));
    co_await stream.async_handshake(asio::ssl::stream_base::server,
                                    asio::redirect_error(asio::use_awaitable, error));
    const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
    seen_name = name == nullptr ? "" : name;
    const std::string hello = "hello";
    if (error) co_return;
    co_await asio::async_write(stream, asio::buffer(hello),
                               asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> listen(Stream& stream, tcp::endpoint endpoint, std::string& outcome) {
    const auto endpoints = Stream::Endpoints::create(endpoint, "127.0.0.1", "");
    const base::Status status = co_await stream.connect(endpoints);
    outcome = std::string(status.message());
    if (!status.ok()) {
      stream.close();
      co_return;
    }
    char buffer[16];
    boost::system::error_code error;
    const std::size_t count = co_await stream.read_some(asio::buffer(buffer), error);
    outcome = error ? "read: " + error.message() : std::string(buffer, count);
    stream.close();
  }

  const Identity for_address = make_identity("api by address", "IP:127.0.0.1");
  const Identity for_name = make_identity("api by name", "DNS:kubernetes.default.svc");
  ClusterConfig config;
  std::string client_ca;
  std::string seen_name;
  asio::io_context context;
};

TEST_F(TlsStreamTest, AcceptsTheRightAddressAndName) {
  EXPECT_EQ(connect(for_address, for_address.certificate), "hello");
  EXPECT_EQ(seen_name, "");
  config.tls_server_name = "kubernetes.default.svc";
  EXPECT_EQ(connect(for_name, for_address.certificate + for_name.certificate), "hello");
  EXPECT_EQ(seen_name, "kubernetes.default.svc");
}

// Rows: 3.4 (server name).
TEST_F(TlsStreamTest, RefusesTheWrongAddressNameAndAuthority) {
  EXPECT_THAT(connect(for_name, for_name.certificate), HasSubstr("IP address mismatch"));
  config.tls_server_name = "elsewhere.example";
  EXPECT_THAT(connect(for_name, for_name.certificate), HasSubstr("ostname mismatch"));
  config.tls_server_name = "kubernetes.default.svc";
  EXPECT_THAT(connect(for_name, for_address.certificate), HasSubstr("self-signed certificate"));
  // The common name is not a name to go by.
  const Identity common = make_identity("kubernetes.default.svc", nullptr);
  EXPECT_THAT(connect(common, common.certificate), HasSubstr("ostname mismatch"));
}

TEST_F(TlsStreamTest, SkipsVerificationOnlyWhenTold) {
  EXPECT_THAT(connect(for_name, for_address.certificate), HasSubstr("TLS handshake failed"));
  config.insecure_skip_tls_verify = true;
  EXPECT_EQ(connect(for_name, for_address.certificate), "hello");
}

TEST_F(TlsStreamTest, ShowsItsClientCertificate) {
  const Identity client = make_identity("holdfast", nullptr);
  client_ca = client.certificate;
  EXPECT_NE(connect(for_address, for_address.certificate), "hello");
  config.client_certificate_pem = client.certificate;
  config.client_key_pem = client.key;
  EXPECT_EQ(connect(for_address, for_address.certificate), "hello");
}

TEST_F(TlsStreamTest, SaysWhichPemIsOfNoUse) {
  EXPECT_THAT(connect(for_address, "garbage"), HasSubstr("certificate authority: "));
  config.client_certificate_pem = "garbage";
  EXPECT_THAT(connect(for_address, for_address.certificate), HasSubstr("client certificate: "));
  config.client_certificate_pem = for_address.certificate;
  config.client_key_pem = for_name.key;
  EXPECT_THAT(connect(for_address, for_address.certificate), HasSubstr("client key: "));
}

}  // namespace
}  // namespace holdfast::kube
