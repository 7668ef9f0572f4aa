#include "kube/stream.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {

namespace asio = boost::asio;
using asio::ip::tcp;

class TlsSettings {
 public:
  TlsSettings() : context(asio::ssl::context::tls_client) {}

  asio::ssl::context context;
  std::string name;
  bool verify = true;
};

namespace {

asio::awaitable<Stream::Error> connect_tcp(tcp::socket& socket,
                                           const Stream::Endpoints& endpoints) {
  Stream::Error error;
  co_await asio::async_connect(socket, endpoints, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return error;
  // A peer that vanished without a word is noticed by the kernel; a watch may be silent for
  // minutes.
  using asio::detail::socket_option::integer;
  using Milliseconds = std::chrono::milliseconds;
  Stream::Error ignored;  // A connection without these options is still a connection.
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPIDLE>(kKeepaliveIdle.count()), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPINTVL>(kKeepaliveInterval.count()), ignored);
  socket.set_option(integer<IPPROTO_TCP, TCP_KEEPCNT>(kKeepaliveProbes), ignored);
  socket.set_option(
      integer<IPPROTO_TCP, TCP_USER_TIMEOUT>(static_cast<int>(Milliseconds(kUserTimeout).count())),
      ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  co_return error;
}

class PlainStream final : public Stream {
 public:
  explicit PlainStream(asio::io_context& context) : socket_(context) {}

  asio::awaitable<base::Status> connect(const Endpoints& endpoints) override {
    const Error error = co_await connect_tcp(socket_, endpoints);
    if (error) co_return absl::UnavailableError("cannot connect: " + error.message());
    co_return absl::OkStatus();
  }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer buffer, Error& error) override {
    co_return co_await socket_.async_read_some(buffer,
                                               asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> write(asio::const_buffer buffer, Error& error) override {
    co_await asio::async_write(socket_, buffer, asio::redirect_error(asio::use_awaitable, error));
  }

  void close() override {
    Error ignored;  // It is gone either way.
    socket_.close(ignored);
  }

 private:
  tcp::socket socket_;
};

class TlsStream final : public Stream {
 public:
  TlsStream(asio::io_context& context, std::shared_ptr<TlsSettings> settings)
      : settings_(std::move(settings)), stream_(context, settings_->context) {}

  asio::awaitable<base::Status> connect(const Endpoints& endpoints) override {
    Error error = co_await connect_tcp(stream_.next_layer(), endpoints);
    if (error) co_return absl::UnavailableError("cannot connect: " + error.message());
    if (!expect_name()) co_return absl::InternalError("TLS: cannot set the name to verify");
    co_await stream_.async_handshake(asio::ssl::stream_base::client,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return absl::OkStatus();
    std::string text = "TLS handshake failed: " + error.message();
    const long verdict = SSL_get_verify_result(stream_.native_handle());
    if (settings_->verify && verdict != X509_V_OK) {
      text += std::string(": ") + X509_verify_cert_error_string(verdict);
    }
    co_return absl::UnavailableError(text);
  }

  asio::awaitable<std::size_t> read_some(asio::mutable_buffer buffer, Error& error) override {
    co_return co_await stream_.async_read_some(buffer,
                                               asio::redirect_error(asio::use_awaitable, error));
  }

  asio::awaitable<void> write(asio::const_buffer buffer, Error& error) override {
    co_await asio::async_write(stream_, buffer, asio::redirect_error(asio::use_awaitable, error));
  }

  void close() override {
    Error ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  /// RFC 6125: a DNS name or an IP address of the subject's alternative names, never the CN.
  bool expect_name() {
    SSL* ssl = stream_.native_handle();
    const std::string& name = settings_->name;
    Error not_an_address;
    asio::ip::make_address(name, not_an_address);
    if (not_an_address && SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) return false;
    if (!settings_->verify) return true;
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return not_an_address ? X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), 0) == 1
                          : X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  }

  const std::shared_ptr<TlsSettings> settings_;
  asio::ssl::stream<tcp::socket> stream_;
};

base::Status complaint(const char* what, const Stream::Error& error) {
  return absl::InvalidArgumentError(std::string(what) + ": " + error.message());
}

base::Status trust(asio::ssl::context& context, const std::string& ca_pem) {
  Stream::Error error;
  if (ca_pem.empty()) {
    context.set_default_verify_paths(error);
    return error ? complaint("the system's certificate authorities", error) : absl::OkStatus();
  }
  context.add_certificate_authority(asio::buffer(ca_pem), error);
  const X509_STORE* store = SSL_CTX_get_cert_store(context.native_handle());
  if (!error && sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) == 0) {
    return absl::InvalidArgumentError("certificate authority: no certificate in it");
  }
  return error ? complaint("certificate authority", error) : absl::OkStatus();
}

}  // namespace

base::StatusOr<std::shared_ptr<TlsSettings>> make_tls_settings(const ClusterConfig& config,
                                                               const Certificates& certificates) {
  auto settings = std::make_shared<TlsSettings>();
  asio::ssl::context& context = settings->context;
  settings->name = config.tls_server_name.empty() ? config.host : config.tls_server_name;
  settings->verify = !config.insecure_skip_tls_verify;
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  Stream::Error error;
  context.set_verify_mode(settings->verify ? asio::ssl::verify_peer : asio::ssl::verify_none,
                          error);
  if (settings->verify) {
    const base::Status status = trust(context, certificates.authorities);
    if (!status.ok()) return status;
  }
  if (!certificates.client_certificate.empty()) {
    context.use_certificate_chain(asio::buffer(certificates.client_certificate), error);
    if (error) return complaint("client certificate", error);
    context.use_private_key(asio::buffer(certificates.client_key), asio::ssl::context::pem, error);
    if (error) return complaint("client key", error);
  }
  return settings;
}

std::unique_ptr<Stream> make_stream(asio::io_context& context,
                                    std::shared_ptr<TlsSettings> settings) {
  if (settings == nullptr) return std::make_unique<PlainStream>(context);
  return std::make_unique<TlsStream>(context, std::move(settings));
}

}  // namespace holdfast::kube
