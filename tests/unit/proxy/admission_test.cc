// Goal: who comes in by address and by Origin; the table of allowed, foreign and forged origins.

#include "proxy/admission.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::proxy {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  CloseReason from(const std::string& client) {
    ClientIdentity identity;
    identity.address = *base::parse_ip(client);
    return check_admission(admission_, identity, http::RequestHead(), true);
  }

  /// A handshake for `authority` with an Origin; "" has none.
  CloseReason page(const std::string& origin, const std::string& authority = "chat.test",
                   bool upgrade = true) {
    http::RequestHead request;
    if (!origin.empty()) request.fields.push_back({"Origin", origin});
    ClientIdentity identity;
    identity.host = authority;
    return check_admission(admission_, identity, request, upgrade);
  }

  bool passes(const std::string& origin, const std::string& authority = "chat.test") {
    return page(origin, authority) == CloseReason::kNone;
  }

  discovery::v1::OriginCheck& origins() {
    if (!admission_.origins) admission_.origins.emplace();
    return *admission_.origins;
  }

  Admission admission_;
};

TEST_F(AdmissionTest, WithoutListsEverybodyComesIn) {
  EXPECT_EQ(from("10.0.0.1"), CloseReason::kNone);
  EXPECT_EQ(from("fd00::1"), CloseReason::kNone);
  EXPECT_TRUE(passes("https://evil.test"));
  EXPECT_TRUE(passes(""));
}

TEST_F(AdmissionTest, AnAllowListKeepsOthersOutAndADenyListGoesFirst) {
  admission_.allow = {*base::parse_cidr("10.0.0.0/8"), *base::parse_cidr("fd00::/8")};
  admission_.deny = {*base::parse_cidr("10.0.0.7")};
  EXPECT_EQ(from("10.255.0.1"), CloseReason::kNone);
  EXPECT_EQ(from("fd12::1"), CloseReason::kNone);
  EXPECT_EQ(from("10.0.0.7"), CloseReason::kAddressRefused);
  EXPECT_EQ(from("192.0.2.1"), CloseReason::kAddressRefused);
  EXPECT_EQ(from("2001:db8::1"), CloseReason::kAddressRefused);
}

TEST_F(AdmissionTest, ADenyListAloneLetsOthersIn) {
  admission_.deny = {*base::parse_cidr("0.0.0.0/0")};
  EXPECT_EQ(from("10.0.0.7"), CloseReason::kAddressRefused);
  EXPECT_EQ(from("fd00::1"), CloseReason::kNone);
}

TEST_F(AdmissionTest, OnlyAllowedOriginsOpenWebSockets) {
  origins().add_allowed("https://chat.test");
  origins().add_allowed("http://localhost:3000");
  EXPECT_TRUE(passes("https://chat.test"));
  EXPECT_TRUE(passes("HTTPS://Chat.Test:443"));
  EXPECT_TRUE(passes("http://localhost:3000"));
  for (const char* origin :
       {"", "null", "http://chat.test", "https://chat.test:8443", "https://chat.test.evil",
        "https://evilchat.test", "https://good.evil", "https://chat.test/", "https://a@chat.test",
        "http://localhost", "https://chat.test https://evil.test", "https://", "h", "://",
        "https://chat.test:443:443", "https://chat.test."}) {
    EXPECT_EQ(page(origin), CloseReason::kOriginRefused) << origin;
  }
  EXPECT_EQ(page("https://evil.test", "chat.test", false), CloseReason::kNone);
}

TEST_F(AdmissionTest, AWildcardIsOneLevel) {
  origins().add_allowed("https://*.chat.test");
  EXPECT_TRUE(passes("https://a.chat.test"));
  for (const char* origin :
       {"https://chat.test", "https://a.b.chat.test", "http://a.chat.test", "https://.chat.test",
        "https://a.chat.test:8443", "https://*", "https://evil/a.chat.test"}) {
    EXPECT_FALSE(passes(origin)) << origin;
  }
}

TEST_F(AdmissionTest, TheSameOriginIsTheHostThatWasAsked) {
  origins().set_same_origin(true);
  EXPECT_TRUE(passes("https://chat.test"));
  EXPECT_TRUE(passes("http://chat.test", "Chat.Test"));
  EXPECT_TRUE(passes("https://chat.test", "chat.test:443"));
  EXPECT_TRUE(passes("http://chat.test:8080", "chat.test:8080"));
  EXPECT_TRUE(passes("http://[::1]:8080", "[::1]:8080"));
  EXPECT_FALSE(passes("https://evil.test"));
  EXPECT_FALSE(passes("https://chat.test:8443"));
  EXPECT_FALSE(passes("http://chat.test", "chat.test:8080"));
  EXPECT_FALSE(passes("https://", ""));
  EXPECT_FALSE(passes("null"));
}

TEST_F(AdmissionTest, WhereTheSchemeIsKnownItCountsToo) {
  origins().set_same_origin(true);
  const auto passes_by = [&](bool https, const char* origin) {
    http::RequestHead request;
    request.fields.push_back({"Origin", origin});
    ClientIdentity identity;
    identity.host = "chat.test";
    identity.https = https;
    identity.scheme_stated = true;
    return check_admission(admission_, identity, request, true) == CloseReason::kNone;
  };
  EXPECT_TRUE(passes_by(true, "https://chat.test"));
  EXPECT_TRUE(passes_by(true, "wss://chat.test"));
  EXPECT_TRUE(passes_by(false, "http://chat.test"));
  EXPECT_TRUE(passes_by(false, "ws://chat.test"));
  EXPECT_FALSE(passes_by(true, "http://chat.test"));
  EXPECT_FALSE(passes_by(false, "https://chat.test"));
  EXPECT_FALSE(passes_by(true, "ftp://chat.test"));
  EXPECT_FALSE(passes_by(true, "https://evil.test"));
}

TEST_F(AdmissionTest, NullAndNoneAreSaidExpressly) {
  origins().add_allowed("null");
  EXPECT_TRUE(passes("null"));
  EXPECT_FALSE(passes(""));
  origins().set_missing_passes(true);
  EXPECT_TRUE(passes(""));
}

TEST_F(AdmissionTest, TwoOriginsAreNone) {
  origins().add_allowed("https://chat.test");
  http::RequestHead request;
  request.fields = {{"Origin", "https://chat.test"}, {"Origin", "https://chat.test"}};
  EXPECT_EQ(check_admission(admission_, ClientIdentity(), request, true),
            CloseReason::kOriginRefused);
}

}  // namespace
}  // namespace holdfast::proxy
