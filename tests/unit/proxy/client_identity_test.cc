// Goal: nobody becomes somebody else by what he says of himself, and what a trusted proxy says is
// believed as far as it goes. Method: tables of peers and fields.

#include "proxy/client_identity.h"

#include <gtest/gtest.h>

namespace holdfast::proxy {
namespace {

constexpr std::uint16_t kPort = 8080;

std::vector<base::Cidr> blocks(std::initializer_list<const char*> texts) {
  std::vector<base::Cidr> all;
  for (const char* text : texts) all.push_back(*base::parse_cidr(text));
  return all;
}

/// A request with these field lines, and who it is from.
class Asked {
 public:
  Asked(const char* peer, const std::string& lines, const std::vector<base::Cidr>& trusted)
      : bytes_("GET / HTTP/1.1\r\nHost: pod.test\r\n" + lines + "\r\n") {
    std::size_t scanned = 0;
    EXPECT_EQ(http::parse_request_head(bytes_, scanned, head_).state, http::ParseState::kDone)
        << bytes_;
    identity_ = identify_client(head_, {*base::parse_ip(peer), kPort}, trusted);
  }
  Asked(const char* peer, const std::string& lines)
      : Asked(peer, lines, blocks({"10.0.0.0/8", "fd00::/8"})) {}

  const ClientIdentity* operator->() const { return &identity_; }
  [[nodiscard]] std::string address() const { return base::to_string(identity_.address); }

 private:
  std::string bytes_;
  http::RequestHead head_;
  ClientIdentity identity_;
};

struct Way {
  const char* peer;
  const char* lines;
  const char* client;
  const char* forwarded_for;
};

TEST(ClientIdentity, IsWhoIsNotTrustedNearestToUs) {
  for (const Way& way : std::initializer_list<Way>{
           // An untrusted peer is the client, whatever it says.
           {"192.0.2.1", "", "192.0.2.1", "192.0.2.1"},
           {"192.0.2.1", "X-Forwarded-For: 6.6.6.6\r\n", "192.0.2.1", "192.0.2.1"},
           {"192.0.2.1", "X-Forwarded-For: 10.0.0.1\r\n", "192.0.2.1", "192.0.2.1"},
           {"192.0.2.1", "X-Forwarded-For: 6.6.6.6, 10.0.0.1\r\n", "192.0.2.1", "192.0.2.1"},
           {"2001:db8::1", "X-Forwarded-For: 6.6.6.6\r\n", "2001:db8::1", "2001:db8::1"},
           // A trusted peer that names nobody is the client.
           {"10.0.0.1", "", "10.0.0.1", "10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For:\r\n", "10.0.0.1", "10.0.0.1"},
           // One hop, several, and what the client had put in front.
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1", "192.0.2.1, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n", "192.0.2.1",
            "6.6.6.6, 192.0.2.1, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1",
            "6.6.6.6, 192.0.2.1, 10.0.0.2, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 10.0.0.9, 192.0.2.1, 10.0.0.2\r\n", "192.0.2.1",
            "10.0.0.9, 192.0.2.1, 10.0.0.2, 10.0.0.1"},
           // All are trusted: the farthest.
           {"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3",
            "10.0.0.3, 10.0.0.2, 10.0.0.1"},
           // Several lines are one list, in their order; names in any case.
           {"10.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1",
            "6.6.6.6, 192.0.2.1, 10.0.0.1"},
           {"10.0.0.1", "x-forwarded-for: 192.0.2.1\r\nX-FORWARDED-FOR: 10.0.0.2, 10.0.0.3\r\n",
            "192.0.2.1", "192.0.2.1, 10.0.0.2, 10.0.0.3, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For:\r\n", "192.0.2.1",
            "192.0.2.1, 10.0.0.1"},
           // Ports, brackets, spaces and empty elements.
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1:5000\r\n", "192.0.2.1",
            "192.0.2.1:5000, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: [2001:db8::1]:5000\r\n", "2001:db8::1",
            "[2001:db8::1]:5000, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: [2001:db8::1]\r\n", "2001:db8::1",
            "[2001:db8::1], 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 2001:DB8:0::1\r\n", "2001:db8::1",
            "2001:DB8:0::1, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1 ,\t, 10.0.0.2,\r\n", "192.0.2.1",
            "192.0.2.1 ,\t, 10.0.0.2,, 10.0.0.1"},
           // Mapped addresses are IPv4, also for the purpose of trust.
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.2\r\n", "192.0.2.1",
            "192.0.2.1, ::ffff:10.0.0.2, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1",
            "::ffff:192.0.2.1, 10.0.0.1"},
           {"fd00::1", "X-Forwarded-For: 192.0.2.1, fd00::2\r\n", "192.0.2.1",
            "192.0.2.1, fd00::2, fd00::1"},
           // What is no address ends the walk: the last good one counts.
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown\r\n", "10.0.0.1",
            "192.0.2.1, unknown, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\r\n", "10.0.0.2",
            "192.0.2.1, unknown, 10.0.0.2, 10.0.0.1"},
           {"10.0.0.1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: _hidden\r\n", "10.0.0.1",
            "192.0.2.1, _hidden, 10.0.0.1"},
       }) {
    const Asked asked(way.peer, way.lines);
    EXPECT_EQ(asked.address(), way.client) << way.peer << " " << way.lines;
    EXPECT_EQ(asked->forwarded_for, way.forwarded_for) << way.lines;
  }
}

TEST(ClientIdentity, NothingElseIsAnEntry) {
  for (const char* entry : {"a",
                            "192.0.2",
                            "192.0.2.256",
                            "192.0.2.01",
                            "192.0.2.1:",
                            "192.0.2.1:0",
                            "192.0.2.1:65536",
                            "192.0.2.1:x",
                            "192.0.2.1:+1",
                            "192.0.2.1:000001",
                            "[192.0.2.1]",
                            "[2001:db8::1",
                            "2001:db8::1]",
                            "[2001:db8::1]5000",
                            "[2001:db8::1]:",
                            "[2001:db8::1%eth0]",
                            "\"192.0.2.1\"",
                            "192.0.2.1/32",
                            "for=192.0.2.1",
                            "192.0.2.1 192.0.2.2",
                            "[]",
                            ":",
                            "[]:80",
                            "1111111111111111111111111111111111111111111111111111111111111"}) {
    const Asked asked("10.0.0.1", std::string("X-Forwarded-For: ") + entry + "\r\n");
    EXPECT_EQ(asked.address(), "10.0.0.1") << entry;
  }
}

TEST(ClientIdentity, NobodyIsTrustedByDefault) {
  const Asked asked("127.0.0.1", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n", {});
  EXPECT_EQ(asked.address(), "127.0.0.1");
  EXPECT_FALSE(asked->by_proxy);
  EXPECT_FALSE(asked->https);
}

TEST(ClientIdentity, OfAnUntrustedPeerNothingIsBelieved) {
  const Asked asked("192.0.2.1",
                    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n"
                    "X-Forwarded-Port: 443\r\nX-Request-ID: mine\r\n");
  EXPECT_FALSE(asked->by_proxy);
  EXPECT_EQ(asked->scheme(), "http");
  EXPECT_EQ(asked->host, "pod.test");
  EXPECT_EQ(asked->port, "8080");
  EXPECT_EQ(asked->request_id, "");
}

TEST(ClientIdentity, OfATrustedPeerItIs) {
  const Asked asked("10.0.0.1",
                    "X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: shop.test:8443\r\n"
                    "X-Forwarded-Port: 444\r\nX-Request-ID: a-b_c.1\r\n");
  EXPECT_TRUE(asked->by_proxy);
  EXPECT_TRUE(asked->https);
  EXPECT_EQ(asked->scheme(), "https");
  EXPECT_EQ(asked->host, "shop.test:8443");
  EXPECT_EQ(asked->port, "444");
  EXPECT_EQ(asked->request_id, "a-b_c.1");
}

struct Said {
  const char* lines;
  const char* scheme;
  const char* host;
  const char* port;
};

TEST(ClientIdentity, WhatMakesNoSenseIsReplaced) {
  for (const Said& said : std::initializer_list<Said>{
           {"", "http", "pod.test", "8080"},
           {"X-Forwarded-Proto: http\r\n", "http", "pod.test", "80"},
           {"X-Forwarded-Proto: https\r\n", "https", "pod.test", "443"},
           {"X-Forwarded-Proto: WSS\r\n", "https", "pod.test", "443"},
           {"X-Forwarded-Proto: ws\r\n", "http", "pod.test", "80"},
           {"X-Forwarded-Proto: ftp\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Proto:\r\n", "http", "pod.test", "8080"},
           // The first of several, in one line or in two.
           {"X-Forwarded-Proto: https, http\r\n", "https", "pod.test", "443"},
           {"X-Forwarded-Proto: http,https\r\n", "http", "pod.test", "80"},
           {"X-Forwarded-Proto: , https\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "https", "pod.test", "443"},
           {"X-Forwarded-Host: a.test:81\r\n", "http", "a.test:81", "81"},
           {"X-Forwarded-Host: [::1]\r\n", "http", "[::1]", "8080"},
           {"X-Forwarded-Host: a.test, b.test\r\n", "http", "a.test", "8080"},
           {"X-Forwarded-Host: a.test:81,b.test\r\n", "http", "a.test:81", "81"},
           {"X-Forwarded-Host: , b.test\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Host: a test\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Host: http://a.test/\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Host:\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Host: a.test\r\nX-Forwarded-Host: b.test\r\n", "http", "a.test", "8080"},
           {"X-Forwarded-Port: 0\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Port: 65535\r\n", "http", "pod.test", "65535"},
           {"X-Forwarded-Port: 65536\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Port: 0443\r\n", "http", "pod.test", "8080"},
           {"X-Forwarded-Port: 4 3\r\n", "http", "pod.test", "8080"},
       }) {
    const Asked asked("10.0.0.1", said.lines);
    EXPECT_EQ(asked->scheme(), said.scheme) << said.lines;
    EXPECT_EQ(asked->host, said.host) << said.lines;
    EXPECT_EQ(asked->port, said.port) << said.lines;
  }
}

TEST(ClientIdentity, TheSchemeIsStatedByATrustedProxyAlone) {
  const char* https = "X-Forwarded-Proto: https\r\n";
  EXPECT_TRUE(Asked("10.0.0.1", https)->scheme_stated);
  EXPECT_TRUE(Asked("10.0.0.1", "X-Forwarded-Proto: http\r\n")->scheme_stated);
  EXPECT_FALSE(Asked("10.0.0.1", "X-Forwarded-Proto: ftp\r\n")->scheme_stated);
  EXPECT_FALSE(Asked("10.0.0.1", "")->scheme_stated);
  EXPECT_FALSE(Asked("192.0.2.1", https)->scheme_stated);
}

TEST(ClientIdentity, ARequestIdIsOneToken) {
  const auto kept = [](const std::string& value) {
    return std::string(Asked("10.0.0.1", "X-Request-ID: " + value + "\r\n")->request_id);
  };
  EXPECT_EQ(kept(std::string(64, 'a')), std::string(64, 'a'));
  EXPECT_EQ(kept("0f8fad5b-d9cb-469f-a165-70867728950e"), "0f8fad5b-d9cb-469f-a165-70867728950e");
  for (const std::string& value : {std::string(65, 'a'), std::string("a b"), std::string("a,b"),
                                   std::string("a\"b"), std::string("\xc3\xa9"), std::string()}) {
    EXPECT_EQ(kept(value), "") << value;
  }
  EXPECT_EQ(Asked("10.0.0.1", "X-Request-ID: a\r\nX-Request-ID: b\r\n")->request_id, "");
}

TEST(ClientIdentity, AProxyThatDoesNotSayForWhomItSpeaksIsNotBelieved) {
  const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
  http::RequestHead head;
  std::size_t scanned = 0;
  ASSERT_EQ(http::parse_request_head(bytes, scanned, head).state, http::ParseState::kDone);
  const Arrival arrival{*base::parse_ip("10.0.0.1"), kPort, true};
  const ClientIdentity identity = identify_client(head, arrival, blocks({"10.0.0.0/8"}));
  EXPECT_FALSE(identity.by_proxy);
  EXPECT_EQ(base::to_string(identity.address), "10.0.0.1");
  EXPECT_EQ(identity.forwarded_for, "10.0.0.1");
}

}  // namespace
}  // namespace holdfast::proxy
