// Goal: what may stand in an annotation's texts, and what would break a message or a rule.

#include "model/field_rules.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::model {
namespace {

TEST(FieldRules, WhatFramesOrConcernsOneHopIsNotChanged) {
  for (const char* name : {"Content-Length", "content_length", "TRANSFER-ENCODING", "Connection",
                           "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Connection",
                           "Proxy-Authorization", "HTTP2-Settings", "Host", "Date", "Via", "Expect",
                           "Sec-WebSocket-Key", "sec-websocket-accept", "Sec_WebSocket_Protocol"}) {
    EXPECT_FALSE(may_be_changed(name)) << name;
  }
  for (const char* name : {"X-Tenant", "Authorization", "Cookie", "Server", "X-Forwarded-Proto",
                           "Content-Type", "Cache-Control", "Connection-Id"}) {
    EXPECT_TRUE(may_be_changed(name)) << name;
  }
}

TEST(FieldRules, AValueHasNoControlBytes) {
  for (const char* value : {"a", "a b", "a\tb", "\"{{ $x }}\"; # %", "\xc3\xa4"}) {
    EXPECT_TRUE(is_field_value(value)) << value;
  }
  for (const std::string& value :
       {std::string(), std::string(" a"), std::string("a "), std::string("a\r\nX: y"),
        std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"), std::string("\xe4")}) {
    EXPECT_FALSE(is_field_value(value)) << value;
  }
}

TEST(FieldRules, AnOriginIsAScheme_AHost_AndAPortThatIsNotItsOwn) {
  for (const char* origin :
       {"https://a.test", "http://a.test:8080", "https://*.a.test", "http://localhost:3000", "null",
        "https://[fd00::1]:8443", "capacitor://localhost", "http://10.0.0.1"}) {
    EXPECT_TRUE(is_origin_pattern(origin)) << origin;
  }
  for (const char* origin : {"",
                             "a.test",
                             "https://",
                             "https://a.test/",
                             "https://a.test:443",
                             "http://a.test:80",
                             "https://A.test",
                             "https://*",
                             "https://a.*.test",
                             "https://*.*.test",
                             "https://a.test:0",
                             "https://a.test:65536",
                             "https://a.test:08443",
                             "https://a.test:",
                             "https://u@a.test",
                             "https://a.test?x",
                             "https://[::1",
                             "*",
                             "://a.test",
                             "ht_tp://a.test"}) {
    EXPECT_FALSE(is_origin_pattern(origin)) << origin;
  }
}

TEST(FieldRules, AHostFieldIsANameOrAnAddress) {
  for (const char* host : {"a.test", "A.test:80", "10.0.0.1", "[fd00::1]:80", "localhost"}) {
    EXPECT_TRUE(is_host_field(host)) << host;
  }
  for (const char* host : {"", "*.a.test", "a.test:", "a.test:x", "http://a", "a b", "fd00::1",
                           "[10.0.0.1]", "a/b", "a.test:99999"}) {
    EXPECT_FALSE(is_host_field(host)) << host;
  }
}

TEST(FieldRules, AToken) {
  EXPECT_TRUE(is_token("X-a_b!"));
  for (const char* text : {"", "a b", "a:b", "a=b", "a;b", "a\x80"}) {
    EXPECT_FALSE(is_token(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast::model
