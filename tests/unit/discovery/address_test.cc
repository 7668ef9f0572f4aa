#include "discovery/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace holdfast::discovery {
namespace {

using testing::HasSubstr;

TEST(ParseAddress, TakesUnixSocketsAndLoopback) {
  for (const auto& [text, target] :
       {std::pair("unix:/run/holdfast.sock", "unix:/run/holdfast.sock"),
        std::pair("unix:///run/h.sock", "unix:/run/h.sock"),
        std::pair("unix:h.sock", "unix:h.sock"), std::pair("127.0.0.1:15010", "127.0.0.1:15010"),
        std::pair("[::1]:0", "[::1]:0"), std::pair("localhost:80", "localhost:80")}) {
    const auto address = parse_address(text, false);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->target(), target);
  }
}

TEST(ParseAddress, OtherMachinesNeedMutualTls) {
  for (const char* text : {"0.0.0.0:15010", "10.0.0.1:15010", "[::]:15010", "controller:15010"}) {
    const auto address = parse_address(text, false);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("mutual TLS")) << text;
    EXPECT_TRUE(parse_address(text, true).ok()) << text;
  }
  EXPECT_FALSE(parse_address("unix:/run/h.sock", true).ok());
}

TEST(ParseAddress, RefusesWhatIsNoAddress) {
  const std::string too_long = "unix:/" + std::string(107, 'x');
  for (const std::string& text :
       {std::string("unix:"), std::string("nonsense"), std::string("127.0.0.1:port"),
        std::string("unix:/a%20b"), std::string(), too_long}) {
    EXPECT_FALSE(parse_address(text, false).ok()) << text;
  }
  EXPECT_TRUE(parse_address(too_long.substr(0, too_long.size() - 1), false).ok());
}

}  // namespace
}  // namespace holdfast::discovery
