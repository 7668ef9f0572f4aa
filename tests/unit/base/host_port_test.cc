#include "base/host_port.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

TEST(HostPort, ReadsAddressesAndNames) {
  const auto v4 = parse_host_port("127.0.0.1:10254");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 10254);
  EXPECT_TRUE(v4->is_numeric());
  EXPECT_TRUE(v4->is_loopback());

  const auto v6 = parse_host_port("[::1]:0");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 0);
  EXPECT_TRUE(v6->is_loopback());

  const auto name = parse_host_port("controller.ns.svc:65535");
  ASSERT_TRUE(name.ok());
  EXPECT_FALSE(name->is_numeric());
  EXPECT_FALSE(name->is_loopback());
}

TEST(HostPort, KnowsLoopback) {
  EXPECT_TRUE(parse_host_port("127.255.0.9:1")->is_loopback());
  EXPECT_TRUE(parse_host_port("localhost:1")->is_loopback());
  EXPECT_FALSE(parse_host_port("0.0.0.0:1")->is_loopback());
  EXPECT_FALSE(parse_host_port("[::]:1")->is_loopback());
  EXPECT_FALSE(parse_host_port("10.0.0.1:1")->is_loopback());
}

TEST(HostPort, RefusesTheRest) {
  for (const char* text :
       {"", ":", ":80", "host", "host:", "host:x", "host:80x", "host:-1", "host:65536", "host:080",
        "::1:80", "[::1]", "[]:80", "[host]:80", "[1.2.3.4]:80"}) {
    EXPECT_FALSE(parse_host_port(text).ok()) << text;
  }
}

}  // namespace
}  // namespace holdfast::base
