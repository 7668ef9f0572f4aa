#include "kube/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/identity.h"
#include "tests/unit/kube/recording.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

using ::testing::HasSubstr;

class ApiServerTest : public testing::Test {
 protected:
  ApiServerTest() {
    folder.write("ca", old_ca.certificate);
    folder.write("certificate", client.certificate);
    folder.write("key", client.key);
    config.host = "127.0.0.1";
    config.ca_pem = old_ca.certificate;
    config.ca_file = folder.path("ca");
    config.client_certificate_pem = client.certificate;
    config.client_certificate_file = folder.path("certificate");
    config.client_key_pem = client.key;
    config.client_key_file = folder.path("key");
  }
  /// What the next connection is made with.
  static std::shared_ptr<TlsSettings> settings(ApiServer& server) {
    auto settings = server.tls();
    EXPECT_TRUE(settings.ok()) << settings.status();
    return *settings;
  }

  const Identity old_ca = make_identity("old", "IP:127.0.0.1");
  const Identity new_ca = make_identity("new", "IP:127.0.0.1");
  const Identity client = make_identity("holdfast", nullptr);
  const Identity new_client = make_identity("holdfast", nullptr);
  TemporaryFolder folder;
  Recording recording;
  ClusterConfig config;
};

// Rows: 3.4 (certificate authorities).
TEST_F(ApiServerTest, TakesUpNewAuthoritiesAfterAWhileOrAFailure) {
  ApiServer server(config, ApiServerOptions(), recording.clock, recording.log);
  const auto first = settings(server);
  folder.write("ca", old_ca.certificate + new_ca.certificate);
  EXPECT_EQ(settings(server), first);
  recording.clock.advance(kCertificateRefresh);
  const auto second = settings(server);
  EXPECT_NE(second, first);
  folder.write("ca", new_ca.certificate);
  EXPECT_EQ(settings(server), second);
  server.doubt_certificates();
  EXPECT_NE(settings(server), second);
}

// Rows: 3.4 (certificate authorities).
TEST_F(ApiServerTest, KeepsTheOldAuthoritiesWhenTheFileIsOfNoUse) {
  ApiServer server(config, ApiServerOptions(), recording.clock, recording.log);
  const auto first = settings(server);
  for (const char* content : {"", "garbage"}) {
    folder.write("ca", content);
    server.doubt_certificates();
    EXPECT_EQ(settings(server), first) << content;
  }
  EXPECT_THAT(recording.lines.text, HasSubstr("certificate files unusable"));
}

// Rows: 3.4 (client certificates).
TEST_F(ApiServerTest, TakesUpANewClientCertificateOnceItsKeyIsThere) {
  ApiServer server(config, ApiServerOptions(), recording.clock, recording.log);
  const auto first = settings(server);
  folder.write("certificate", new_client.certificate);
  server.doubt_certificates();
  EXPECT_EQ(settings(server), first);
  folder.write("key", new_client.key);
  server.doubt_certificates();
  EXPECT_NE(settings(server), first);
}

}  // namespace
}  // namespace holdfast::kube
