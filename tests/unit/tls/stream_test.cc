// Goal: handshakes of OpenSSL's own client with a Stream, over buffers: as whom it is answered, who
// is let in, which sessions resume, and what the ends of a connection look like.

#include "tls/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>

#include "tests/support/certificates.h"
#include "tls/server_context.h"

namespace holdfast::tls {
namespace {

using ::testing::StartsWith;

/// The server's end: two buffers, and what a test wants of them.
class Buffers final : public Transport {
 public:
  Result receive_raw(void* buffer, std::size_t size) override {
    if (from_client.empty()) return {0, ended ? 0 : EAGAIN};
    const std::size_t bytes = from_client.copy(static_cast<char*>(buffer), std::min(size, piece));
    from_client.erase(0, bytes);
    return {bytes, 0};
  }
  Result send_raw(const void* bytes, std::size_t size) override {
    const std::size_t taken = std::min({size, piece, room});
    if (taken == 0) return {0, EAGAIN};
    room -= taken;
    to_client.append(static_cast<const char*>(bytes), taken);
    return {taken, 0};
  }

  std::string from_client;
  std::string to_client;
  std::size_t piece = std::string::npos;
  std::size_t room = std::string::npos;
  bool ended = false;
};

using IdentityPtr = std::shared_ptr<const ServerIdentity>;

class Names final : public IdentityFinder {
 public:
  [[nodiscard]] IdentityPtr find_identity(std::string_view name) const override {
    const auto found = identities.find(std::string(name));
    return found == identities.end() ? identities.at("*") : found->second;
  }
  [[nodiscard]] const std::vector<CertificatePtr>& other_certificates(
      const ServerIdentity&) const override {
    return identities.at("*")->certificates();
  }
  std::map<std::string, IdentityPtr> identities;
};

/// What a client brings.
struct ClientWish {
  std::string server_name = {};
  int version = 0;
  const char* ciphers = nullptr;
  std::string alpn = {};
  const CertificateText* certificate = nullptr;
  SSL_SESSION* session = nullptr;
};

class StreamTest : public testing::Test {
 protected:
  StreamTest() { serve("*", {self_signed("default.test")}); }

  static CertificatePtr self_signed(const std::string& name) {
    return *Certificate::make_self_signed(name, std::chrono::system_clock::now());
  }
  CertificatePtr issued(const CertificateWish& wish) {
    const CertificateText text = authority_.issue(wish);
    return *Certificate::parse(text.chain, text.key);
  }
  void serve(const std::string& host, std::vector<CertificatePtr> certificates,
             ClientPolicy client = {}) {
    names_.identities[host] = std::make_shared<const ServerIdentity>(
        host, std::vector<std::string>{"secret-of-" + host}, std::move(certificates),
        std::move(client), "authorities");
  }
  ClientPolicy ask(ClientPolicy::Ask ask, const std::string& lists = "") {
    return {.ask = ask, .authorities = *TrustBundle::parse(authority_.chain(), lists)};
  }

  void connect(const ClientWish& wish) {
    // OpenSSL does not resume the session of a connection that was cut.
    if (client_ != nullptr) SSL_set_shutdown(client_.get(), SSL_SENT_SHUTDOWN);
    client_context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = client_context_.get();
    if (wish.version != 0) {
      SSL_CTX_set_security_level(context, 0);
      SSL_CTX_set_min_proto_version(context, wish.version);
      SSL_CTX_set_max_proto_version(context, wish.version);
    }
    if (wish.ciphers != nullptr) SSL_CTX_set_cipher_list(context, wish.ciphers);
    if (wish.certificate != nullptr) {
      const auto own = *Certificate::parse(wish.certificate->chain, wish.certificate->key);
      SSL_CTX_use_cert_and_key(context, own->leaf(), own->key(), own->chain(), 1);
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, [](SSL*, SSL_SESSION* session) {
      latest_session().reset(session);
      return 1;
    });
    client_.reset(SSL_new(context));
    if (!wish.server_name.empty()) SSL_set_tlsext_host_name(client_.get(), wish.server_name.data());
    if (!wish.alpn.empty()) {
      const std::string list = static_cast<char>(wish.alpn.size()) + wish.alpn;
      SSL_set_alpn_protos(client_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned int>(list.size()));
    }
    if (wish.session != nullptr) SSL_set_session(client_.get(), wish.session);
    SSL_set_connect_state(client_.get());
    SSL_set_bio(client_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    buffers_ = {};
    stream_ = context_->accept(buffers_, names_);
  }

  /// Moves what both ends have written.
  void exchange() {
    char* bytes = nullptr;
    BIO* out = SSL_get_wbio(client_.get());
    const long size = BIO_get_mem_data(out, &bytes);
    buffers_.from_client.append(bytes, static_cast<std::size_t>(size));
    static_cast<void>(BIO_reset(out));
    BIO_write(SSL_get_rbio(client_.get()), buffers_.to_client.data(),
              static_cast<int>(buffers_.to_client.size()));
    buffers_.to_client.clear();
  }

  /// Until both ends are done, or the server's is in error.
  int handshake() {
    int error = EAGAIN;
    for (int round = 0; round < 2000 && error == EAGAIN; ++round) {
      SSL_do_handshake(client_.get());
      exchange();
      error = stream_->handshake();
      exchange();
    }
    return error;
  }
  int handshake(const ClientWish& wish) {
    connect(wish);
    const int error = handshake();
    if (error == 0) read_at_client();
    return error;
  }
  /// What the client gets, tickets included.
  std::string read_at_client() {
    std::string text(100'000, '\0');
    exchange();
    SSL_do_handshake(client_.get());
    std::size_t size = 0;
    SSL_read_ex(client_.get(), text.data(), text.size(), &size);
    text.resize(size);
    return text;
  }
  std::string served_name() {
    const X509Ptr certificate(SSL_get1_peer_certificate(client_.get()));
    return certificate == nullptr ? "" : facts_of(certificate.get()).names.front();
  }
  static SessionPtr& latest_session() {
    static SessionPtr session;
    return session;
  }

  TestAuthority authority_{"Test Authority"};
  TicketKeys keys_;
  std::unique_ptr<ServerContext> context_ = *ServerContext::make(Profile::kIntermediate, keys_);
  Names names_;
  Buffers buffers_;
  ContextPtr client_context_;
  SslPtr client_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(StreamTest, TheNameDecidesTheCertificate) {
  serve("a.test", {self_signed("a.test")});
  serve("b.test", {});
  for (const auto& [asked, served] :
       std::map<std::string, std::string>{{"a.test", "a.test"},
                                          {"A.TEST", "a.test"},
                                          {"b.test", "default.test"},
                                          {"unknown.test", "default.test"},
                                          {"", "default.test"}}) {
    EXPECT_EQ(handshake({.server_name = asked}), 0) << asked;
    EXPECT_EQ(served_name(), served) << asked;
    EXPECT_EQ(stream_->has_server_name(), !asked.empty());
  }
}

TEST_F(StreamTest, EachClientGetsTheKeyThatItKnows) {
  serve("a.test", {issued({.name = "ec", .alternatives = "DNS:ec.a.test"}),
                   issued({.name = "rsa", .alternatives = "DNS:rsa.a.test", .key = "RSA"})});
  const auto served = [&](const char* ciphers) {
    EXPECT_EQ(handshake({.server_name = "a.test", .version = TLS1_2_VERSION, .ciphers = ciphers}),
              0);
    return served_name();
  };
  EXPECT_EQ(served("ECDHE-ECDSA-AES128-GCM-SHA256"), "ec.a.test");
  EXPECT_EQ(served("ECDHE-RSA-AES128-GCM-SHA256"), "rsa.a.test");
}

TEST_F(StreamTest, VersionsAndCiphersOfTheProfile) {
  serve("*", {issued({.name = "rsa", .alternatives = "DNS:a.test", .key = "RSA"})});
  EXPECT_EQ(handshake({.version = TLS1_3_VERSION}), 0);
  EXPECT_EQ(stream_->version(), "TLSv1.3");
  for (const char* cipher : {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
                             "ECDHE-RSA-CHACHA20-POLY1305"}) {
    EXPECT_EQ(handshake({.version = TLS1_2_VERSION, .ciphers = cipher}), 0) << cipher;
  }
  for (const char* cipher : {"ECDHE-RSA-AES128-SHA256", "AES128-GCM-SHA256", "AES256-SHA",
                             "DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA"}) {
    EXPECT_EQ(handshake({.version = TLS1_2_VERSION, .ciphers = cipher}), EPROTO) << cipher;
    EXPECT_EQ(stream_->failure(), HandshakeFailure::kNoSharedCipher) << cipher;
  }
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_EQ(handshake({.version = version, .ciphers = "ALL:@SECLEVEL=0"}), EPROTO);
    EXPECT_EQ(stream_->failure(), HandshakeFailure::kProtocolVersion);
  }
}

TEST_F(StreamTest, TheModernProfileIsTls13Alone) {
  context_ = *ServerContext::make(Profile::kModern, keys_);
  EXPECT_EQ(handshake({.version = TLS1_3_VERSION}), 0);
  EXPECT_EQ(handshake({.version = TLS1_2_VERSION}), EPROTO);
  EXPECT_EQ(stream_->failure(), HandshakeFailure::kProtocolVersion);
}

TEST_F(StreamTest, OnlyHttp11IsSpoken) {
  EXPECT_EQ(handshake({.alpn = "http/1.1"}), 0);
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(client_.get(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  EXPECT_EQ(handshake({.alpn = "h2"}), EPROTO);
  EXPECT_EQ(stream_->failure(), HandshakeFailure::kNoApplicationProtocol);
}

TEST_F(StreamTest, OneByteAtATime) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    connect({.version = version});
    buffers_.piece = 1;
    EXPECT_EQ(handshake(), 0);
  }
}

TEST_F(StreamTest, ClientCertificates) {
  using Ask = ClientPolicy::Ask;
  TestAuthority stranger("Stranger");
  const CertificateText good = authority_.issue({.name = "client"});
  const CertificateText foreign = stranger.issue({.name = "client"});
  const CertificateText old = authority_.issue({.name = "client", .to = std::time(nullptr) - 60});
  serve("required.test", {}, ask(Ask::kRequired));
  serve("optional.test", {}, ask(Ask::kOptional));
  serve("nobody.test", {}, {.ask = Ask::kRequired, .authorities = nullptr});
  serve("revoked.test", {}, ask(Ask::kRequired, authority_.revoke(good.chain)));
  serve("lists.test", {}, ask(Ask::kRequired, authority_.revoke("")));
  const auto failure = [&](const std::string& host, const CertificateText* certificate) {
    handshake({.server_name = host, .version = TLS1_2_VERSION, .certificate = certificate});
    return stream_->failure();
  };
  EXPECT_EQ(failure("required.test", &good), HandshakeFailure::kNone);
  EXPECT_EQ(failure("lists.test", &good), HandshakeFailure::kNone);
  EXPECT_EQ(failure("required.test", nullptr), HandshakeFailure::kClientCertificateMissing);
  EXPECT_EQ(failure("required.test", &foreign), HandshakeFailure::kClientCertificateRejected);
  EXPECT_EQ(failure("required.test", &old), HandshakeFailure::kClientCertificateRejected);
  EXPECT_EQ(stream_->detail(), "certificate has expired");
  EXPECT_EQ(failure("revoked.test", &good), HandshakeFailure::kClientCertificateRejected);
  EXPECT_EQ(failure("nobody.test", &good), HandshakeFailure::kNoAuthorities);
  EXPECT_EQ(failure("optional.test", nullptr), HandshakeFailure::kNone);
  EXPECT_FALSE(stream_->peer_certificate());
  EXPECT_EQ(failure("optional.test", &foreign), HandshakeFailure::kClientCertificateRejected);
  EXPECT_EQ(failure("optional.test", &good), HandshakeFailure::kNone);
  const auto peer = stream_->peer_certificate();
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->facts.subject, "CN=client");
  EXPECT_EQ(peer->facts.issuer, "CN=Test Authority");
  EXPECT_EQ(peer->serial, "02");
  EXPECT_THAT(peer->der_base64, StartsWith("MII"));
}

TEST_F(StreamTest, SessionsResumeWithTheKeysOfAnyWorkerForAsLongAsTheyLive) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    SessionPtr session;
    const auto resumes = [&] {
      // A TLS 1.2 server gives a new ticket only where the old one's key is not the newest.
      if (latest_session() != nullptr) session = std::move(latest_session());
      EXPECT_EQ(handshake({.version = version, .session = session.get()}), 0);
      return stream_->resumed();
    };
    EXPECT_EQ(handshake({.version = version}), 0);
    EXPECT_FALSE(stream_->resumed());
    EXPECT_TRUE(resumes());
    // Another worker's context has the same keys.
    context_ = *ServerContext::make(Profile::kIntermediate, keys_);
    EXPECT_TRUE(resumes());
    keys_.rotate();
    EXPECT_TRUE(resumes());
    EXPECT_EQ(handshake({.version = version}), 0);
    for (std::size_t i = 0; i < kTicketKeysMost; ++i) keys_.rotate();
    EXPECT_FALSE(resumes());
  }
}

TEST_F(StreamTest, SessionsAreBoundToWhatTheClientHadToShow) {
  using Ask = ClientPolicy::Ask;
  const CertificateText good = authority_.issue({.name = "client"});
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    serve("open.test", {});
    serve("closed.test", {}, ask(Ask::kRequired));
    const auto after = [&](const std::string& first, const std::string& second,
                           const CertificateText* certificate) {
      EXPECT_EQ(handshake({.server_name = first, .version = version, .certificate = &good}), 0);
      const SessionPtr session = std::move(latest_session());
      handshake({.server_name = second,
                 .version = version,
                 .certificate = certificate,
                 .session = session.get()});
      return stream_->failure();
    };
    // CVE-2025-23419.
    EXPECT_EQ(after("open.test", "closed.test", nullptr),
              HandshakeFailure::kClientCertificateMissing);
    EXPECT_EQ(after("open.test", "closed.test", &good), HandshakeFailure::kNone);
    EXPECT_FALSE(stream_->resumed());
    EXPECT_EQ(after("closed.test", "closed.test", nullptr), HandshakeFailure::kNone);
    EXPECT_TRUE(stream_->resumed());
    EXPECT_TRUE(stream_->peer_certificate());
    // Whoever has been let in by authorities that are not trusted any more is not let in again.
    EXPECT_EQ(handshake({.server_name = "closed.test", .version = version, .certificate = &good}),
              0);
    const SessionPtr session = std::move(latest_session());
    serve("closed.test", {}, ask(Ask::kRequired, authority_.revoke(good.chain)));
    handshake({.server_name = "closed.test",
               .version = version,
               .certificate = &good,
               .session = session.get()});
    EXPECT_EQ(stream_->failure(), HandshakeFailure::kClientCertificateRejected);
  }
}

TEST_F(StreamTest, WhatIsNoTlsIsSaidToBeNone) {
  connect({});
  buffers_.from_client = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
  EXPECT_EQ(stream_->handshake(), EPROTO);
  EXPECT_EQ(stream_->failure(), HandshakeFailure::kNotTls);
  EXPECT_EQ(stream_->detail(), "http request");
  connect({});
  buffers_.from_client = std::string(100, '\x80');
  EXPECT_EQ(stream_->handshake(), EPROTO);
  EXPECT_NE(stream_->failure(), HandshakeFailure::kNone);
  connect({});
  buffers_.ended = true;
  EXPECT_EQ(stream_->handshake(), ECONNRESET);
  EXPECT_EQ(stream_->failure(), HandshakeFailure::kEnded);
}

TEST_F(StreamTest, BytesThatCameBeforeAreReadFirst) {
  connect({});
  SSL_do_handshake(client_.get());
  exchange();
  stream_->set_ahead(buffers_.from_client.substr(0, 7));
  buffers_.from_client.erase(0, 7);
  EXPECT_EQ(handshake(), 0);
}

TEST_F(StreamTest, PlainBytesPassBothWays) {
  ASSERT_EQ(handshake(ClientWish{}), 0);
  std::string got(100, '\0');
  EXPECT_EQ(stream_->receive(got.data(), got.size()).error, EAGAIN);
  SSL_write(client_.get(), "hello", 5);
  exchange();
  EXPECT_EQ(stream_->receive(got.data(), 2).bytes, 2u);
  EXPECT_TRUE(stream_->has_pending());
  EXPECT_EQ(stream_->receive(got.data() + 2, 98).bytes, 3u);
  EXPECT_EQ(got.substr(0, 5), "hello");
  const std::string large(50'000, 'x');
  EXPECT_EQ(stream_->send(large.data(), large.size()).bytes, large.size());
  std::string all;
  for (std::string part = read_at_client(); !part.empty(); part = read_at_client()) all += part;
  EXPECT_EQ(all, large);
}

TEST_F(StreamTest, AnInterruptedSendGoesOnWithTheRest) {
  ASSERT_EQ(handshake(ClientWish{}), 0);
  const std::string large(50'000, 'x');
  buffers_.room = 20'000;
  const auto first = stream_->send(large.data(), large.size());
  EXPECT_EQ(first.error, 0);
  EXPECT_LT(first.bytes, large.size());
  EXPECT_EQ(stream_->send(large.data() + first.bytes, large.size() - first.bytes).error, EAGAIN);
  buffers_.room = std::string::npos;
  // Elsewhere in memory, and with more behind it.
  const std::string rest = large.substr(first.bytes) + "!";
  EXPECT_EQ(stream_->send(rest.data(), rest.size()).bytes, rest.size());
  std::string all;
  for (std::string part = read_at_client(); !part.empty(); part = read_at_client()) all += part;
  EXPECT_EQ(all, large + "!");
}

TEST_F(StreamTest, AnEndIsSaidAndACutIsNone) {
  ASSERT_EQ(handshake(ClientWish{}), 0);
  char byte = 0;
  EXPECT_EQ(stream_->end_sending(), 0);
  EXPECT_EQ(read_at_client(), "");
  EXPECT_EQ(SSL_get_shutdown(client_.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  SSL_shutdown(client_.get());
  exchange();
  const auto end = stream_->receive(&byte, 1);
  EXPECT_EQ(end.bytes, 0u);
  EXPECT_EQ(end.error, 0);

  ASSERT_EQ(handshake(ClientWish{}), 0);
  buffers_.ended = true;
  EXPECT_EQ(stream_->receive(&byte, 1).error, ECONNRESET);
}

TEST_F(StreamTest, AnEndThatFindsNoRoomIsSaidLater) {
  ASSERT_EQ(handshake(ClientWish{}), 0);
  buffers_.room = 0;
  EXPECT_EQ(stream_->end_sending(), EAGAIN);
  buffers_.room = std::string::npos;
  EXPECT_EQ(stream_->end_sending(), 0);
  read_at_client();
  EXPECT_EQ(SSL_get_shutdown(client_.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

TEST_F(StreamTest, GarbageInMidStreamIsAnError) {
  ASSERT_EQ(handshake(ClientWish{}), 0);
  char byte = 0;
  buffers_.from_client = std::string(100, 'x');
  EXPECT_EQ(stream_->receive(&byte, 1).error, EPROTO);
  EXPECT_EQ(stream_->end_sending(), 0);
}

}  // namespace
}  // namespace holdfast::tls
