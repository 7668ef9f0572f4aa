// Goal: what a Secret holds is taken when it can be served, and else refused with a sentence that
// shows nothing of the key.

#include "tls/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/certificates.h"
#include "tls/limits.h"
#include "tls/trust_bundle.h"

namespace holdfast::tls {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class CertificateTest : public testing::Test {
 protected:
  static std::string error_of(const std::string& chain, const std::string& key) {
    const auto parsed = Certificate::parse(chain, key);
    return parsed.ok() ? "" : std::string(parsed.status().message());
  }

  TestAuthority authority_{"Test Authority"};
  const CertificateText good_ =
      authority_.issue({.name = "a.test", .alternatives = "DNS:A.test,DNS:*.b.test,IP:10.0.0.1"});
};

TEST_F(CertificateTest, SaysWhatItIsFor) {
  const auto parsed = Certificate::parse(good_.chain + authority_.chain(), good_.key);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const CertificateFacts& facts = (*parsed)->facts();
  EXPECT_THAT(facts.names, ElementsAre("a.test", "*.b.test"));
  EXPECT_EQ(facts.subject, "CN=a.test");
  EXPECT_EQ(facts.issuer, "CN=Test Authority");
  EXPECT_EQ(facts.fingerprint.size(), 64u);
  EXPECT_EQ(facts.not_after - facts.not_before, std::chrono::hours(25));
  EXPECT_EQ(sk_X509_num((*parsed)->chain()), 1);
}

TEST_F(CertificateTest, WithoutAlternativesTheCommonNameCounts) {
  const CertificateText text = authority_.issue({.name = "Old.test"});
  EXPECT_THAT((*Certificate::parse(text.chain, text.key))->facts().names, ElementsAre("old.test"));
}

TEST_F(CertificateTest, CoversByOneLabel) {
  const auto certificate = *Certificate::parse(good_.chain, good_.key);
  for (const char* host : {"a.test", "x.b.test", "*.b.test"}) {
    EXPECT_TRUE(certificate->covers(host)) << host;
  }
  for (const char* host : {"b.test", "x.y.b.test", ".b.test", "x.a.test", "*.a.test", "", "*"}) {
    EXPECT_FALSE(certificate->covers(host)) << host;
  }
}

TEST_F(CertificateTest, TextAroundTheBlocksIsIgnored) {
  EXPECT_EQ(error_of("subject=/CN=a\n" + good_.chain + "\n# end\n", "key:\n" + good_.key), "");
}

TEST_F(CertificateTest, WhatCannotBeServedIsRefused) {
  const CertificateText other = authority_.issue({.name = "a.test"});
  EXPECT_EQ(error_of("", good_.key), "it has no certificate in PEM form");
  EXPECT_EQ(error_of(good_.chain, ""), "the private key cannot be read");
  EXPECT_EQ(error_of(good_.chain, good_.chain), "the private key cannot be read");
  EXPECT_EQ(error_of(good_.chain, other.key),
            "the private key is not that of the first certificate");
  EXPECT_EQ(error_of(good_.chain,
                     "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                     "-----END ENCRYPTED PRIVATE KEY-----\n"),
            "the private key is encrypted");
  EXPECT_THAT(error_of(good_.chain + "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                     "-----END CERTIFICATE-----\n",
                       good_.key),
              HasSubstr("the certificate with number 2 cannot be read"));
  std::string many;
  for (std::size_t i = 0; i <= kChainCertificatesMost; ++i) many += good_.chain;
  EXPECT_EQ(error_of(many, good_.key), "it has more than 16 certificates");
}

TEST_F(CertificateTest, NoErrorShowsTheKey) {
  const std::string middle = good_.key.substr(good_.key.size() / 2, 20);
  const std::string cut = good_.key.substr(0, good_.key.size() - 60);
  EXPECT_THAT(error_of(good_.chain, cut), Not(HasSubstr(middle)));
  EXPECT_THAT(error_of(good_.key, good_.key), Not(HasSubstr(middle)));
}

TEST(SelfSigned, IsForItsName) {
  const base::WallTime now = base::WallTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));
  const auto made = Certificate::make_self_signed("holdfast.invalid", now);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT((*made)->facts().names, ElementsAre("holdfast.invalid"));
  EXPECT_EQ((*made)->facts().issuer, (*made)->facts().subject);
  EXPECT_EQ((*made)->facts().not_before, now);
  EXPECT_EQ((*made)->facts().not_after, now + kSelfSignedFor);
}

TEST(TrustBundleTest, IsRefusedWhereItMakesNoSense) {
  TestAuthority authority("Test Authority");
  EXPECT_TRUE(TrustBundle::parse(authority.chain(), "").ok());
  EXPECT_TRUE(TrustBundle::parse(authority.chain(), " \n").ok());
  EXPECT_TRUE(TrustBundle::parse(authority.chain(), authority.revoke("")).ok());
  EXPECT_FALSE(TrustBundle::parse("", "").ok());
  EXPECT_FALSE(TrustBundle::parse(authority.chain(), "nonsense").ok());
  EXPECT_FALSE(TrustBundle::parse("nonsense", "").ok());
}

TEST(TrustBundleTest, ContentsTellBundlesApart) {
  TestAuthority one("One");
  TestAuthority two("Two");
  const auto print = [](const TestAuthority& authority, const std::string& lists) {
    return (*TrustBundle::parse(authority.chain(), lists))->fingerprint();
  };
  EXPECT_EQ(print(one, ""), print(one, ""));
  EXPECT_NE(print(one, ""), print(two, ""));
  EXPECT_NE(print(one, ""), print(one, one.revoke("")));
}

}  // namespace
}  // namespace holdfast::tls
