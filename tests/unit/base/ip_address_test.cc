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

TEST(IpAddress, IsIpv4WhereItIsMapped) {
  EXPECT_EQ(unmapped(*parse_ip("::ffff:10.1.2.3")), parse_ip("10.1.2.3"));
  EXPECT_EQ(mapped(*parse_ip("10.1.2.3")), parse_ip("::ffff:10.1.2.3"));
  EXPECT_EQ(mapped(*parse_ip("fd00::1")), parse_ip("fd00::1"));
  for (const char* text : {"10.1.2.3", "fd00::1", "::10.1.2.3", "::fffe:10.1.2.3"}) {
    EXPECT_EQ(unmapped(*parse_ip(text)), parse_ip(text)) << text;
  }
}

TEST(Cidr, HoldsItsAddressesAndNoOther) {
  const Cidr block = *parse_cidr("10.64.0.0/10");
  EXPECT_TRUE(block.contains(*parse_ip("10.64.0.0")));
  EXPECT_TRUE(block.contains(*parse_ip("10.127.255.255")));
  EXPECT_FALSE(block.contains(*parse_ip("10.128.0.0")));
  EXPECT_FALSE(block.contains(*parse_ip("10.63.255.255")));
  EXPECT_FALSE(block.contains(*parse_ip("a40::")));
  EXPECT_TRUE(parse_cidr("::/0")->contains(*parse_ip("fd00::1")));
  EXPECT_FALSE(parse_cidr("::/0")->contains(*parse_ip("10.0.0.1")));
  EXPECT_TRUE(parse_cidr("fd00::7")->contains(*parse_ip("fd00:0::7")));
  EXPECT_FALSE(parse_cidr("fd00::7")->contains(*parse_ip("fd00::8")));
}

TEST(Cidr, OneOfManyIsEnough) {
  const std::vector<Cidr> blocks = {*parse_cidr("10.0.0.0/8"), *parse_cidr("fd00::/8")};
  EXPECT_TRUE(any_contains(blocks, *parse_ip("10.1.2.3")));
  EXPECT_TRUE(any_contains(blocks, *parse_ip("fd00::1")));
  EXPECT_FALSE(any_contains(blocks, *parse_ip("11.0.0.1")));
  EXPECT_FALSE(any_contains({}, *parse_ip("10.1.2.3")));
}

TEST(Cidr, IsWrittenInOneWay) {
  EXPECT_EQ(to_string(*parse_cidr("10.1.2.3/8")), "10.0.0.0/8");
  EXPECT_EQ(to_string(*parse_cidr("10.1.2.3")), "10.1.2.3/32");
  EXPECT_EQ(to_string(*parse_cidr("0.0.0.0/0")), "0.0.0.0/0");
  EXPECT_EQ(to_string(*parse_cidr("FD00:0::FFFF/9")), "fd00::/9");
  EXPECT_EQ(to_string(*parse_cidr("::ffff:10.1.2.3/104")), "10.0.0.0/8");
}

TEST(Cidr, NothingElseIsOne) {
  for (const char* text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+1", "10.0.0.0/8 ",
        "10.0.0.0/8/8", "::/129", "10.0.0/8", "host/8", "::ffff:10.0.0.0/95", "::ffff:0:0/0"}) {
    EXPECT_FALSE(parse_cidr(text)) << text;
  }
}

}  // namespace
}  // namespace holdfast::base
