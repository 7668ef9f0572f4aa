#include "base/ip_address.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

TEST(IpAddress, SpellingsOfOneAddressAreEqual) {
  EXPECT_EQ(parse_ip("fd00::7"), parse_ip("FD00:0:0:0::0007"));
  EXPECT_EQ(to_string(*parse_ip("FD00:0:0:0::0007")), "fd00::7");
  EXPECT_EQ(to_string(*parse_ip("10.244.0.7")), "10.244.0.7");
  EXPECT_NE(parse_ip("1.2.3.4"), parse_ip("102:304::"));
}

TEST(IpAddress, NothingElseIsOne) {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "010.0.0.1", "[::1]", "fe80::1%eth0", "a",
                           "10.0.0.1:80", " 10.0.0.1"}) {
    EXPECT_FALSE(parse_ip(text)) << text;
  }
  EXPECT_FALSE(parse_ip(std::string("10.0.0.1\0x", 10)));
}

TEST(IpAddress, KnowsLoopback) {
  EXPECT_TRUE(is_loopback(*parse_ip("127.255.255.255")));
  EXPECT_TRUE(is_loopback(*parse_ip("::1")));
  EXPECT_FALSE(is_loopback(*parse_ip("128.0.0.1")));
  EXPECT_FALSE(is_loopback(*parse_ip("::2")));
}

}  // namespace
}  // namespace holdfast::base
