#include "base/port.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

TEST(Port, IsSixteenBitsInOneSpelling) {
  EXPECT_EQ(parse_port("0"), 0);
  EXPECT_EQ(parse_port("80"), 80);
  EXPECT_EQ(parse_port("65535"), 65535);
  for (const char* text : {"", "65536", "080", "00", "+1", "-1", "8o", " 80", "80 ", "0x50"}) {
    EXPECT_EQ(parse_port(text), std::nullopt) << text;
  }
}

TEST(Port, GoesWhereTheSchemeMeansIt) {
  EXPECT_EQ(without_default_port("http://a.test:80"), "http://a.test");
  EXPECT_EQ(without_default_port("https://a.test:443"), "https://a.test");
  EXPECT_EQ(without_default_port("https://[::1]:443"), "https://[::1]");
  for (const char* origin : {"http://a.test", "http://a.test:443", "https://a.test:80",
                             "http://a.test:8080", "app://a.test:80", "null", "", "http"}) {
    EXPECT_EQ(without_default_port(origin), origin);
  }
}

}  // namespace
}  // namespace holdfast::base
