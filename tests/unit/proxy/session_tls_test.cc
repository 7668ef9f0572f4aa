// Goal: which hosts a TLS connection may carry requests for, who is sent to https, and what becomes
// of handshakes that stall. Method: OpenSSL's client on socket pairs and a fake clock, in a worker
// without endpoints: whoever has a route gets 503.

#include <gmock/gmock.h>

#include "proxy/limits.h"
#include "proxy/session.h"
#include "tests/support/certificates.h"
#include "tests/unit/proxy/worker_fixture.h"

namespace holdfast::proxy {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class SessionTlsTest : public WorkerTest {
 protected:
  SessionTlsTest() {
    const tls::CertificateText text = authority_.issue({.name = "any.test"});
    certificate_ = *tls::Certificate::parse(text.chain, text.key);
    worker_.snapshot().set_default_identity(identity("*", "default"));
    shared_.tls = context_.get();
    identities_.identities = {{"a.test", identity("a.test", "a")},
                              {"a2.test", identity("a2.test", "a")},
                              {"b.test", identity("b.test", "b")},
                              {"closed.test", identity("closed.test", "a", ask_)}};
    for (const char* host : {"a.test", "a2.test", "b.test", "closed.test", "unknown.test"}) {
      identities_.hosts.emplace_back(host, virtual_host(std::string(host) == "a.test"));
    }
    worker_.snapshot().apply(identities_);
  }

  IdentityPtr identity(const std::string& host, const std::string& secret,
                       tls::ClientPolicy client = {}) {
    return std::make_shared<const tls::ServerIdentity>(
        host, std::vector<std::string>{secret}, std::vector<tls::CertificatePtr>{certificate_},
        std::move(client), "authorities");
  }
  static std::shared_ptr<const VirtualHost> virtual_host(bool redirects) {
    auto route = std::make_shared<Route>();
    route->plain = {std::make_shared<RoutePolicy>(RouteNames{"n", "i", "s"}, 1), "n/s/80"};
    route->websocket = route->plain;
    auto settings = std::make_shared<RouteSettings>();
    settings->forwarding.https_redirect = redirects;
    route->settings = std::move(settings);
    auto host = std::make_shared<VirtualHost>();
    host->add_prefix("/", std::move(route));
    return host;
  }

  void accept(Preamble preamble) {
    const Address address(*base::parse_ip("10.0.0.1"), 4000);
    ASSERT_TRUE(Session::start(worker_, far_.give(), address, 8443, preamble));
    poll();
  }
  /// A handshake for that name; "" for none.
  void connect(const std::string& name, const tls::CertificateText* own = nullptr,
               const std::string& preamble = "") {
    client_context_.reset(SSL_CTX_new(TLS_client_method()));
    if (own != nullptr) {
      const auto parsed = *tls::Certificate::parse(own->chain, own->key);
      SSL_CTX_use_cert_and_key(client_context_.get(), parsed->leaf(), parsed->key(),
                               parsed->chain(), 1);
    }
    client_.reset(SSL_new(client_context_.get()));
    if (!name.empty()) SSL_set_tlsext_host_name(client_.get(), name.c_str());
    SSL_set_connect_state(client_.get());
    SSL_set_bio(client_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    accept({.proxy_header = !preamble.empty(), .tls = true});
    std::string first = preamble;
    for (int round = 0; round < 5; ++round) {
      SSL_do_handshake(client_.get());
      first += taken();
      if (!first.empty()) far_.write(first);
      first.clear();
      poll();
      give(far_.read_all());
    }
  }
  std::string ask(const std::string& host, const std::string& path = "/") {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
    SSL_write(client_.get(), request.data(), static_cast<int>(request.size()));
    if (const std::string bytes = taken(); !bytes.empty()) far_.write(bytes);
    poll();
    give(far_.read_all());
    std::string answer(10'000, '\0');
    const int size = SSL_read(client_.get(), answer.data(), static_cast<int>(answer.size()));
    answer.resize(static_cast<std::size_t>(std::max(size, 0)));
    return answer;
  }
  std::string taken() {
    char* bytes = nullptr;
    BIO* out = SSL_get_wbio(client_.get());
    const long size = BIO_get_mem_data(out, &bytes);
    std::string all(bytes, static_cast<std::size_t>(size));
    static_cast<void>(BIO_reset(out));
    return all;
  }
  void give(const std::string& bytes) {
    BIO_write(SSL_get_rbio(client_.get()), bytes.data(), static_cast<int>(bytes.size()));
  }
  [[nodiscard]] std::uint64_t refused(CloseReason reason) const {
    return worker_.counters().refused[static_cast<std::size_t>(reason)].value();
  }
  /// What a client gets in the clear.
  std::string ask_plainly(const std::string& bytes) {
    accept({});
    far_.write(bytes);
    poll();
    return far_.read_all();
  }

  tls::TestAuthority authority_{"Test Authority"};
  tls::CertificatePtr certificate_;
  tls::ClientPolicy ask_{.ask = tls::ClientPolicy::Ask::kRequired,
                         .authorities = *tls::TrustBundle::parse(authority_.chain(), "")};
  tls::TicketKeys keys_;
  std::unique_ptr<tls::ServerContext> context_ =
      *tls::ServerContext::make(tls::Profile::kIntermediate, keys_);
  Change identities_;
  FarEnd far_;
  tls::ContextPtr client_context_;
  tls::SslPtr client_;
};

TEST_F(SessionTlsTest, AConnectionCarriesWhatHasTheSameCertificate) {
  connect("a.test");
  EXPECT_THAT(ask("a.test"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(ask("A2.test"), StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(worker_.counters().tls.done[1][0].value(), 1u);
  EXPECT_EQ(worker_.counters().tls.under_way.value(), 0u);
}

TEST_F(SessionTlsTest, AnotherCertificatesHostIsMisdirected) {
  connect("a.test");
  EXPECT_THAT(ask("b.test"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(SessionTlsTest, AnotherClientPolicysHostIsMisdirected) {
  connect("a.test");
  EXPECT_THAT(ask("closed.test"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(SessionTlsTest, WithoutANameTheHostDecidesWhereNoCertificateIsWanted) {
  connect("");
  EXPECT_THAT(ask("b.test"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(ask("closed.test"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(SessionTlsTest, AClientWithItsCertificateGetsIn) {
  const tls::CertificateText own = authority_.issue({.name = "client"});
  connect("closed.test", &own);
  EXPECT_THAT(ask("closed.test"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(SessionTlsTest, AClientWithoutOneDoesNot) {
  connect("closed.test");
  EXPECT_TRUE(far_.at_end());
  EXPECT_EQ(refused(CloseReason::kTlsFailed), 1u);
  const auto missing = static_cast<std::size_t>(tls::HandshakeFailure::kClientCertificateMissing);
  EXPECT_EQ(worker_.counters().tls.failed[missing].value(), 1u);
}

TEST_F(SessionTlsTest, NorDoesOneWithoutTls) {
  EXPECT_THAT(ask_plainly("GET / HTTP/1.1\r\nHost: closed.test\r\n\r\n"),
              StartsWith("HTTP/1.1 403 "));
}

TEST_F(SessionTlsTest, PlainRequestsAreSentToHttps) {
  EXPECT_THAT(
      ask_plainly("POST /x?y=1 HTTP/1.1\r\nHost: a.test:8080\r\nContent-Length: 0\r\n\r\n"),
      AllOf(StartsWith("HTTP/1.1 308 "), HasSubstr("\r\nLocation: https://a.test/x?y=1\r\n")));
}

TEST_F(SessionTlsTest, HandshakesToo) {
  EXPECT_THAT(ask_plainly("GET /w HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\n"
                          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 308 "), HasSubstr("\r\nLocation: https://a.test/w\r\n")));
}

TEST_F(SessionTlsTest, ExceptWhereAnAuthorityAsks) {
  EXPECT_THAT(ask_plainly("GET /.well-known/acme-challenge/t HTTP/1.1\r\nHost: a.test\r\n\r\n"),
              StartsWith("HTTP/1.1 503 "));
}

TEST_F(SessionTlsTest, PlainHttpIsAnsweredInTheClear) {
  accept({.tls = true});
  far_.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  poll();
  EXPECT_THAT(far_.read_all(),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("\r\nConnection: close\r\n")));
  EXPECT_TRUE(far_.at_end());
  EXPECT_EQ(refused(CloseReason::kTlsFailed), 1u);
}

TEST_F(SessionTlsTest, AProxyHeaderStandsInFront) {
  shared_.trusted_proxies = {*base::parse_cidr("10.0.0.0/8")};
  connect("a.test", nullptr, "PROXY TCP4 192.0.2.9 10.0.0.1 5000 443\r\n");
  EXPECT_THAT(ask("a.test"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(SessionTlsTest, AStalledHandshakeEndsAtItsDeadline) {
  accept({.tls = true});
  EXPECT_EQ(worker_.counters().tls.under_way.value(), 1u);
  // The beginning of a record of 512 bytes, which comes byte by byte.
  std::string record("\x16\x03\x01\x02\x00\x01", 6);
  record.resize(kTlsHandshakeTimeout / 1s);
  for (base::Duration waited{}; waited < kTlsHandshakeTimeout - 1s; waited += 1s) {
    far_.write(record.substr(static_cast<std::size_t>(waited / 1s), 1));
    poll();
    pass_time(1s);
    ASSERT_FALSE(far_.at_end());
  }
  pass_time(2s);
  EXPECT_TRUE(far_.at_end());
  EXPECT_EQ(refused(CloseReason::kTlsTimedOut), 1u);
  EXPECT_EQ(worker_.counters().tls.under_way.value(), 0u);
}

TEST_F(SessionTlsTest, TheOneThatStalledLongestMakesRoom) {
  std::vector<FarEnd> ends(kTlsHandshakesMost + 2);
  const Address address(*base::parse_ip("10.0.0.1"), 4000);
  for (FarEnd& end : ends) {
    ASSERT_TRUE(Session::start(worker_, end.give(), address, 8443, {.tls = true}));
  }
  poll();
  EXPECT_TRUE(ends[0].at_end());
  EXPECT_TRUE(ends[1].at_end());
  EXPECT_FALSE(ends[2].at_end());
  EXPECT_EQ(refused(CloseReason::kTlsCrowdedOut), 2u);
  EXPECT_EQ(worker_.counters().tls.under_way.value(), kTlsHandshakesMost);
}

TEST_F(SessionTlsTest, ARotatedCertificateMisdirectsNobody) {
  connect("a.test");
  Change change;
  change.identities = {{"a.test", identity("a.test", "a")}};
  worker_.snapshot().apply(change);
  EXPECT_THAT(ask("a.test"), StartsWith("HTTP/1.1 503 "));
  // But who now has to show one is told to come again.
  change.identities = {{"a.test", identity("a.test", "a", ask_)}};
  worker_.snapshot().apply(change);
  EXPECT_THAT(ask("a.test"), StartsWith("HTTP/1.1 421 "));
}

}  // namespace
}  // namespace holdfast::proxy
