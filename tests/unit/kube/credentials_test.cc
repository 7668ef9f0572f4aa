#include "kube/credentials.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "kube/limits.h"
#include "tests/unit/kube/recording.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

class TokenSourceTest : public testing::Test {
 protected:
  TemporaryFolder folder;
  Recording recording;
  TokenSource source{"fixed", folder.path("token"), recording.clock, recording.log};
};

// Rows: 3.4 (token).
TEST_F(TokenSourceTest, ReadsTheFileAgainAfterAMinute) {
  folder.write("token", " first\n");
  EXPECT_EQ(source.token(), "first");
  folder.write("token", "second");
  recording.clock.advance(kTokenRefresh - std::chrono::seconds(1));
  EXPECT_EQ(source.token(), "first");
  recording.clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(source.token(), "second");
}

// Rows: 3.4 (token).
TEST_F(TokenSourceTest, KeepsTheOldTokenWhenTheFileIsOfNoUse) {
  EXPECT_EQ(source.token(), "fixed");
  folder.write("token", "good");
  recording.clock.advance(kTokenRefresh);
  EXPECT_EQ(source.token(), "good");
  for (const std::string content : {"", " \n", "two words", "line\r\nX-Evil: 1"}) {
    folder.write("token", content);
    recording.clock.advance(kTokenRefresh);
    EXPECT_EQ(source.token(), "good") << content;
  }
  std::filesystem::remove(folder.path("token"));
  recording.clock.advance(kTokenRefresh);
  EXPECT_EQ(source.token(), "good");
  EXPECT_EQ(recording.lines.text.find("good"), std::string::npos);
}

// Rows: 3.4 (token).
TEST_F(TokenSourceTest, LooksAgainAfterARefusal) {
  folder.write("token", "first");
  EXPECT_EQ(source.token(), "first");
  EXPECT_FALSE(source.renew("first"));
  folder.write("token", "second");
  EXPECT_TRUE(source.renew("first"));
  EXPECT_EQ(source.token(), "second");
}

TEST(FixedTokenSource, HasNothingToRenew) {
  Recording recording;
  TokenSource source("fixed", "", recording.clock, recording.log);
  EXPECT_EQ(source.token(), "fixed");
  EXPECT_FALSE(source.renew("fixed"));
  TokenSource none("", "", recording.clock, recording.log);
  EXPECT_FALSE(none.renew(""));
}

// Rows: 3.4 (certificate authorities, client certificates).
TEST(CertificateSource, OffersWhatTheFilesSayOnceInAWhileAndWhenInDoubt) {
  TemporaryFolder folder;
  base::FakeClock clock;
  folder.write("ca", "one");
  folder.write("key", "k1");
  ClusterConfig config;
  config.ca_pem = "one";
  config.ca_file = folder.path("ca");
  config.client_certificate_pem = "fixed";
  config.client_key_pem = "k1";
  config.client_key_file = folder.path("key");
  CertificateSource source(config, clock);
  EXPECT_EQ(source.changed(), std::nullopt);
  folder.write("ca", "two");
  EXPECT_EQ(source.changed(), std::nullopt);
  clock.advance(kCertificateRefresh);
  const std::optional<Certificates> fresh = source.changed();
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->authorities, "two");
  EXPECT_EQ(fresh->client_certificate, "fixed");
  EXPECT_EQ(source.current().authorities, "one");
  source.accept(*fresh);
  folder.write("ca", "");
  clock.advance(kCertificateRefresh);
  EXPECT_EQ(source.changed(), std::nullopt);
  EXPECT_EQ(source.current().authorities, "two");
  folder.write("key", "k2");
  EXPECT_EQ(source.changed(), std::nullopt);
  source.look_again();
  ASSERT_TRUE(source.changed());
}

}  // namespace
}  // namespace holdfast::kube
