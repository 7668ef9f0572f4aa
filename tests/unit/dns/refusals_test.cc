// Goal: a name leads neither to the machine itself nor to what serves only the machine, in whatever
// form the address is written; and what is no name is not asked for. Method: one of each.

#include "dns/refusals.h"

#include <gtest/gtest.h>

namespace holdfast::dns {
namespace {

std::string refusal(const std::string& address) {
  return std::string(refusal_of(base::parse_ip(address).value()));
}

struct Case {
  const char* address;
  const char* refusal;
};

TEST(RefusedAddresses, AreThoseOfTheMachineItself) {
  const Case cases[] = {
      {"127.0.0.1", "loopback"},
      {"127.255.255.255", "loopback"},
      {"169.254.169.254", "link-local"},
      {"0.0.0.0", "unspecified"},
      {"0.1.2.3", "unspecified"},
      {"224.0.0.1", "multicast"},
      {"239.255.255.255", "multicast"},
      {"255.255.255.255", "broadcast"},
      {"100.100.100.200", "cloud metadata"},
      {"168.63.129.16", "cloud metadata"},
      {"::1", "loopback"},
      {"::", "unspecified"},
      {"fe80::1", "link-local"},
      {"febf:ffff::1", "link-local"},
      {"fec0::1", "site-local"},
      {"ff02::1", "multicast"},
      {"fd00:ec2::254", "cloud metadata"},
      {"fd20:ce::254", "cloud metadata"},
      // IPv4 in IPv6: mapped, compatible, NAT64.
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:169.254.169.254", "link-local"},
      {"::ffff:0.0.0.0", "unspecified"},
      {"::ffff:224.0.0.1", "multicast"},
      {"::127.0.0.1", "loopback"},
      {"64:ff9b::169.254.169.254", "link-local"},
  };
  for (const Case& tried : cases) EXPECT_EQ(refusal(tried.address), tried.refusal) << tried.address;
}

TEST(RefusedAddresses, AreNoOthers) {
  for (const char* address :
       {"10.0.0.1", "192.168.1.1", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
        "223.255.255.255", "240.0.0.1", "1.0.0.0", "8.8.8.8", "100.64.0.1", "2001:db8::1",
        "fd00::1", "fe00::1", "::ffff:10.0.0.1", "64:ff9b::8.8.8.8"}) {
    EXPECT_EQ(refusal(address), "") << address;
  }
}

TEST(CanonicalName, IsTheSameForAllSpellings) {
  for (const char* text : {"db.example.com", "DB.Example.COM", "db.example.com."}) {
    EXPECT_EQ(canonical_name(text).value(), "db.example.com") << text;
  }
  EXPECT_EQ(canonical_name("_tcp.my-db.example").value(), "_tcp.my-db.example");
  EXPECT_EQ(canonical_name("intranet").value(), "intranet");
}

TEST(CanonicalName, OfAnAddressIsTheAddress) {
  EXPECT_EQ(canonical_name("10.0.0.1").value(), "10.0.0.1");
  EXPECT_EQ(canonical_name("2001:DB8:0::1").value(), "2001:db8::1");
}

TEST(CanonicalName, IsRefusedToWhatIsNone) {
  const std::string label(64, 'a');
  std::string name = "a";
  while (name.size() <= 253) name += ".a";
  for (const std::string& text :
       {std::string(), std::string("."), std::string("localhost"), std::string("LOCALHOST."),
        std::string("a.localhost"), std::string("a..b"), std::string(".a"), std::string("a b"),
        std::string("a\0b", 3), std::string("-a.b"), std::string("a-.b"), std::string("127.1"),
        std::string("2130706433"), std::string("[::1]"), std::string("a.b:80"),
        std::string("*.a.b"),
        std::string("b\xc3\xbc"
                    "cher.example"),
        label + ".b", name}) {
    EXPECT_FALSE(canonical_name(text).ok()) << text;
  }
  EXPECT_TRUE(canonical_name(label.substr(1) + ".b").ok());
  EXPECT_TRUE(canonical_name(name.substr(2)).ok());
}

}  // namespace
}  // namespace holdfast::dns
