// Goal: whom a client takes for its server, what it shows, and which sessions it resumes. Method: a
// Stream of each side over buffers.

#include "tls/client_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "tests/support/certificates.h"
#include "tls/limits.h"
#include "tls/server_context.h"

namespace holdfast::tls {
namespace {

/// One end of a connection; what the other has sent is in `in`.
class End final : public Transport {
 public:
  Result receive_raw(void* buffer, std::size_t size) override {
    if (in.empty()) return {0, EAGAIN};
    const std::size_t bytes = in.copy(static_cast<char*>(buffer), size);
    in.erase(0, bytes);
    return {bytes, 0};
  }
  Result send_raw(const void* bytes, std::size_t size) override {
    other->in.append(static_cast<const char*>(bytes), size);
    return {size, 0};
  }

  std::string in;
  End* other = nullptr;
};

class Server final : public IdentityFinder {
 public:
  [[nodiscard]] std::shared_ptr<const ServerIdentity> find_identity(
      std::string_view name) const override {
    asked = name;
    return identity;
  }
  [[nodiscard]] const std::vector<CertificatePtr>& other_certificates(
      const ServerIdentity&) const override {
    return identity->certificates();
  }
  std::shared_ptr<const ServerIdentity> identity;
  mutable std::string asked;
};

class ClientContextTest : public testing::Test {
 protected:
  ClientContextTest() { serve({.name = "pod", .alternatives = "DNS:chat.prod.svc,IP:10.0.0.7"}); }

  void serve(const CertificateWish& wish, ClientPolicy client = {}) {
    const CertificateText text = authority_.issue(wish);
    server_.identity = std::make_shared<const ServerIdentity>(
        "*", std::vector<std::string>{"s"},
        std::vector<CertificatePtr>{*Certificate::parse(text.chain, text.key)}, std::move(client),
        "authorities");
  }
  [[nodiscard]] ClientSettings trusting(const std::string& name) const {
    return {.server_name = name, .authorities = *TrustBundle::parse(authority_.chain(), "")};
  }
  static std::shared_ptr<const ClientContext> made(ClientSettings settings) {
    return *ClientContext::make(std::move(settings));
  }
  /// The client's error once both are done.
  int connect(const ClientContext& context, const std::string& peer = "10.0.0.7:443") {
    near_ = {};
    far_ = {};
    near_.other = &far_;
    far_.other = &near_;
    client_ = context.connect(near_, peer);
    pod_ = server_context_->accept(far_, server_);
    int error = EAGAIN;
    for (int round = 0; round < 10 && error == EAGAIN; ++round) {
      error = client_->handshake();
      pod_->handshake();
    }
    char byte = 0;
    // What a TLS 1.3 server says last, be it tickets or that it refuses, comes after the handshake.
    if (error == 0) late_error_ = client_->receive(&byte, 1).error;
    return error;
  }

  TestAuthority authority_{"Test Authority"};
  TicketKeys keys_;
  std::unique_ptr<ServerContext> server_context_ =
      *ServerContext::make(Profile::kIntermediate, keys_);
  Server server_;
  End near_;
  End far_;
  std::unique_ptr<Stream> client_;
  std::unique_ptr<Stream> pod_;
  int late_error_ = 0;
};

TEST_F(ClientContextTest, TheNameMustBeTheServers) {
  EXPECT_EQ(connect(*made(trusting("chat.prod.svc"))), 0);
  EXPECT_EQ(server_.asked, "chat.prod.svc");
  EXPECT_EQ(late_error_, EAGAIN);
  EXPECT_EQ(connect(*made(trusting("other.prod.svc"))), EPROTO);
  EXPECT_EQ(client_->failure(), HandshakeFailure::kServerCertificateRejected);
  EXPECT_EQ(client_->detail(), "hostname mismatch");
}

TEST_F(ClientContextTest, AnAddressIsNoServerName) {
  EXPECT_EQ(connect(*made(trusting("10.0.0.7"))), 0);
  EXPECT_EQ(server_.asked, "");
  EXPECT_EQ(connect(*made(trusting("10.0.0.8"))), EPROTO);
}

TEST_F(ClientContextTest, TheAuthorityMustBeOneThatIsTrusted) {
  TestAuthority stranger("Stranger");
  EXPECT_EQ(connect(*made({.server_name = "chat.prod.svc",
                           .authorities = *TrustBundle::parse(stranger.chain(), "")})),
            EPROTO);
  EXPECT_EQ(client_->failure(), HandshakeFailure::kServerCertificateRejected);
}

TEST_F(ClientContextTest, AnExpiredCertificateIsRefused) {
  serve({.name = "pod", .alternatives = "DNS:chat.prod.svc", .to = std::time(nullptr) - 60});
  EXPECT_EQ(connect(*made(trusting("chat.prod.svc"))), EPROTO);
  EXPECT_EQ(client_->detail(), "certificate has expired");
}

TEST_F(ClientContextTest, UnverifiedTakesAny) {
  EXPECT_EQ(connect(*made({.server_name = "whatever.svc", .authorities = nullptr})), 0);
}

TEST_F(ClientContextTest, ShowsItsCertificateToWhoAsks) {
  serve({.name = "pod", .alternatives = "DNS:chat.prod.svc"},
        {.ask = ClientPolicy::Ask::kRequired,
         .authorities = *TrustBundle::parse(authority_.chain(), "")});
  static_cast<void>(connect(*made(trusting("chat.prod.svc"))));
  EXPECT_EQ(pod_->failure(), HandshakeFailure::kClientCertificateMissing);
  const CertificateText own = authority_.issue({.name = "holdfast"});
  ClientSettings settings = trusting("chat.prod.svc");
  settings.certificate = *Certificate::parse(own.chain, own.key);
  EXPECT_EQ(connect(*made(std::move(settings))), 0);
  EXPECT_EQ(late_error_, EAGAIN);
  EXPECT_EQ(pod_->peer_certificate()->facts.subject, "CN=holdfast");
}

TEST_F(ClientContextTest, SessionsResumeWithThePeerThatGaveThem) {
  const auto context = made(trusting("chat.prod.svc"));
  const auto resumed = [&](const std::string& peer) {
    EXPECT_EQ(connect(*context, peer), 0);
    client_->end_sending();
    return client_->resumed();
  };
  EXPECT_FALSE(resumed("10.0.0.7:443"));
  EXPECT_TRUE(resumed("10.0.0.7:443"));
  EXPECT_FALSE(resumed("10.0.0.8:443"));
  EXPECT_TRUE(resumed("10.0.0.7:443"));
  // One that is not trusted any more is asked again who it is.
  const auto stricter = made(trusting("chat.prod.svc"));
  EXPECT_EQ(connect(*stricter, "10.0.0.7:443"), 0);
  EXPECT_FALSE(client_->resumed());
}

TEST_F(ClientContextTest, SessionsOfThePeersUsedLastAreKept) {
  const auto context = made(trusting("chat.prod.svc"));
  const auto resumed = [&](std::size_t peer) {
    EXPECT_EQ(connect(*context, "10.0.0.7:" + std::to_string(peer)), 0);
    client_->end_sending();
    return client_->resumed();
  };
  for (std::size_t peer = 0; peer <= kPeerSessionsMost; ++peer) EXPECT_FALSE(resumed(peer));
  EXPECT_TRUE(resumed(1));
  EXPECT_FALSE(resumed(0));
}

TEST_F(ClientContextTest, TicketsLeaveAConnectionQuiet) {
  const auto context = made(trusting("chat.prod.svc"));
  EXPECT_EQ(connect(*context), 0);
  EXPECT_TRUE(client_->quiet());
  pod_->send("x", 1);
  EXPECT_FALSE(client_->quiet());
}

}  // namespace
}  // namespace holdfast::tls
