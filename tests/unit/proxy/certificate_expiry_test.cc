// Goal: whoever reads the log learns in time, and then every hour, that a certificate ends.

#include "proxy/certificate_expiry.h"

#include <gtest/gtest.h>

#include "proxy/limits.h"
#include "tests/support/certificates.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::proxy {
namespace {

class CertificateExpiryTest : public testing::Test {
 protected:
  tls::CertificatePtr certificate(const std::string& name) {
    const tls::CertificateText text = authority_.issue({.name = name});
    return *tls::Certificate::parse(text.chain, text.key);
  }
  /// How many lines have `text` that are written for a look with that much left.
  std::size_t lines_with(const std::string& text, base::Duration left) {
    lines_.lines.clear();
    expiry_.look(certificates_, end_ - left);
    return lines_.count(text);
  }

  base::FakeClock clock_;
  base::LineSink lines_;
  base::Log log_{lines_, clock_};
  tls::TestAuthority authority_{"authority"};
  IdentityCompiler::Certificates certificates_{{"shop/web", certificate("web")}};
  const base::WallTime end_ = certificates_.at("shop/web")->facts().not_after;
  CertificateExpiry expiry_{log_};
};

TEST_F(CertificateExpiryTest, ItIsSaidOnceInTheTimeOfNotice) {
  EXPECT_EQ(lines_with("", kExpiryNotice + std::chrono::seconds(1)), 0U);
  EXPECT_EQ(lines_with("about to expire", kExpiryNotice), 1U);
  EXPECT_EQ(lines_.count("\"secret\":\"shop/web\""), 1U);
  EXPECT_EQ(lines_.count("\"hours_left\":72"), 1U);
  EXPECT_EQ(lines_with("", kExpiryNotice - std::chrono::minutes(59)), 0U);
  EXPECT_EQ(lines_with("about to expire", kExpiryNotice - std::chrono::hours(1)), 1U);
}

TEST_F(CertificateExpiryTest, AnExpiredOneIsAnErrorAtOnce) {
  EXPECT_EQ(lines_with("\"level\":\"warn\"", std::chrono::seconds(1)), 1U);
  EXPECT_EQ(lines_with("\"level\":\"error\"", {}), 1U);
  EXPECT_EQ(lines_.count("has expired"), 1U);
  EXPECT_EQ(lines_with("", -std::chrono::minutes(59)), 0U);
  EXPECT_EQ(lines_with("has expired", -std::chrono::hours(1)), 1U);
}

TEST_F(CertificateExpiryTest, AnotherCertificateIsAnotherMatter) {
  EXPECT_EQ(lines_with("has expired", {}), 1U);
  certificates_["shop/web"] = certificate("web");
  EXPECT_EQ(lines_with("has expired", {}), 1U);
  certificates_.clear();
  EXPECT_EQ(lines_with("", {}), 0U);
}

}  // namespace
}  // namespace holdfast::proxy
