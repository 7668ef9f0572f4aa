// Goal: addresses as the kernel takes them are what people wrote.

#include "proxy/address.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace holdfast::proxy {
namespace {

TEST(Address, AUnixSocketIsItsPath) {
  const auto address = Address::from_unix_path("/run/app.sock");
  ASSERT_TRUE(address.ok());
  EXPECT_TRUE(address->is_unix());
  EXPECT_EQ(address->to_string(), "unix:/run/app.sock");
  EXPECT_EQ(address->port(), 0);
  EXPECT_EQ(address->ip(), "");
  sockaddr_un where = {};
  ASSERT_LE(address->size(), sizeof where);
  std::memcpy(&where, address->data(), address->size());
  EXPECT_EQ(where.sun_family, AF_UNIX);
  EXPECT_STREQ(where.sun_path, "/run/app.sock");
}

TEST(Address, OnePathIsKeptOnce) {
  const auto one = Address::from_unix_path("/run/app.sock");
  const auto two = Address::from_unix_path("/run/app.sock");
  const auto other = Address::from_unix_path("/run/other.sock");
  EXPECT_EQ(one->data(), two->data());
  EXPECT_NE(one->data(), other->data());
}

TEST(Address, UnixSocketsOfTwoPathsAreNotTheSame) {
  std::vector<Address> addresses;
  for (int i = 0; i < 20; ++i) {
    addresses.push_back(*Address::from_unix_path("/run/" + std::to_string(i)));
  }
  for (const Address& one : addresses) {
    EXPECT_EQ(std::ranges::count(addresses, one), 1) << one.to_string();
  }
  EXPECT_EQ(addresses[0], *Address::from_unix_path("/run/0"));
  EXPECT_FALSE(addresses[0] == Address());
}

TEST(Address, APathHasItsLimits) {
  EXPECT_FALSE(Address::from_unix_path("").ok());
  EXPECT_TRUE(Address::from_unix_path("/" + std::string(106, 'a')).ok());
  EXPECT_FALSE(Address::from_unix_path("/" + std::string(107, 'a')).ok());
}

TEST(Address, IpAddressesAreNoUnixSockets) {
  const auto address = Address::from_ip("::ffff:10.0.0.1", 80);
  ASSERT_TRUE(address.ok());
  EXPECT_FALSE(address->is_unix());
  EXPECT_EQ(address->to_string(), "10.0.0.1:80");
}

}  // namespace
}  // namespace holdfast::proxy
