// Goal: PROXY headers of both versions are read as their specification says, whatever the pieces,
// and what is written is read again. Method: tables of bytes.

#include "proxy/proxy_header.h"

#include <gtest/gtest.h>

#include "proxy/limits.h"

namespace holdfast::proxy {
namespace {

std::string signature() { return {"\r\n\r\n\0\r\nQUIT\n", 12}; }

/// A header of version 2 whose length says what `rest` has.
std::string v2(unsigned command, unsigned family, const std::string& rest) {
  std::string bytes = signature();
  bytes += static_cast<char>(command);
  bytes += static_cast<char>(family);
  bytes += static_cast<char>(rest.size() >> 8);
  bytes += static_cast<char>(rest.size() & 0xff);
  return bytes + rest;
}

/// 192.0.2.1:5000 to 10.0.0.1:80.
std::string ends4() { return {"\xc0\x00\x02\x01\x0a\x00\x00\x01\x13\x88\x00\x50", 12}; }

std::string ends6() {
  std::string bytes(36, '\0');
  bytes[0] = bytes[16] = '\xfd';
  bytes[15] = '\x01';
  bytes[31] = '\x02';
  bytes[32] = '\x13';
  bytes[33] = '\x88';
  bytes[35] = '\x50';
  return bytes;
}

/// "SOURCE DESTINATION", "none" without them, or "bad"; the same in pieces and with bytes behind.
std::string read(const std::string& bytes) {
  ProxyHeader header;
  const ProxyHeaderState state = parse_proxy_header(bytes, header);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ProxyHeader part;
    const ProxyHeaderState of_part = parse_proxy_header(bytes.substr(0, size), part);
    if (state == ProxyHeaderState::kDone) {
      EXPECT_EQ(of_part, ProxyHeaderState::kNeedMore) << size << " of " << bytes;
    }
    if (of_part == ProxyHeaderState::kBad) {
      EXPECT_EQ(state, ProxyHeaderState::kBad) << size;
    }
  }
  ProxyHeader longer;
  EXPECT_EQ(parse_proxy_header(bytes + "GET / HTTP/1.1\r\n\r\n", longer), state) << bytes;
  if (state != ProxyHeaderState::kDone) return state == ProxyHeaderState::kBad ? "bad" : "more";
  EXPECT_EQ(header.bytes, bytes.size());
  EXPECT_EQ(longer.bytes, bytes.size());
  EXPECT_EQ(longer.ends, header.ends);
  if (!header.ends) return "none";
  return header.ends->source.to_string() + " " + header.ends->destination.to_string();
}

TEST(ProxyHeaderV1, NamesBothEnds) {
  EXPECT_EQ(read("PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n"), "192.0.2.1:5000 10.0.0.1:80");
  EXPECT_EQ(read("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
            "0.0.0.0:0 255.255.255.255:65535");
  EXPECT_EQ(read("PROXY TCP6 fd00::1 FD00:0::2 5000 80\r\n"), "[fd00::1]:5000 [fd00::2]:80");
  EXPECT_EQ(read("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 5000 80\r\n"),
            "192.0.2.1:5000 10.0.0.1:80");
}

TEST(ProxyHeaderV1, MayNotKnow) {
  EXPECT_EQ(read("PROXY UNKNOWN\r\n"), "none");
  EXPECT_EQ(read("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), "none");
  // Section 2.1: whatever comes before the line's end is ignored.
  EXPECT_EQ(read("PROXY UNKNOWN a\nb\x80\x01\r\n"), "none");
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(kProxyHeaderV1BytesMost - 16, 'x') + "\r\n"),
            "none");
}

TEST(ProxyHeader, SpeaksForItselfOrForSomebodyUnknown) {
  const auto unknown = [](const std::string& bytes) {
    ProxyHeader header;
    EXPECT_EQ(parse_proxy_header(bytes, header), ProxyHeaderState::kDone);
    return header.client_unknown;
  };
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  EXPECT_TRUE(unknown("PROXY UNKNOWN\r\n"));
  EXPECT_FALSE(unknown("PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n"));
  EXPECT_TRUE(unknown(signature + std::string("\x21\0\0\0", 4)));
  EXPECT_FALSE(unknown(signature + std::string("\x20\0\0\0", 4)));
}

TEST(ProxyHeader, OfOurOwnConnectionsNamesNobody) {
  for (const auto version : {ProxyHeaderVersion::kV1, ProxyHeaderVersion::kV2}) {
    std::string bytes;
    append_local_proxy_header(bytes, version);
    EXPECT_EQ(read(bytes), "none");
  }
}

TEST(ProxyHeaderV1, IsStrict) {
  for (const std::string text : {
           "proxy TCP4 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY  TCP4 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY TCP5 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY tcp4 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY UDP4 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY \r\n",
           "PROXY TCP4\r\n",
           "PROXY TCP4 \r\n",
           "PROXY TCP4 192.0.2.1\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 \r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80 \r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80 x\r\n",
           "PROXY TCP4 192.0.2.1  10.0.0.1 5000 80\r\n",
           "PROXY TCP4 192.0.2.1\t10.0.0.1 5000 80\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 65536\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 05000 80\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 00 80\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 -1 80\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 +1 80\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 0x50 80\r\n",
           "PROXY TCP4 192.0.2.01 10.0.0.1 5000 80\r\n",
           "PROXY TCP4 192.0.2.256 10.0.0.1 5000 80\r\n",
           "PROXY TCP4 192.0.2 10.0.0.1 5000 80\r\n",
           "PROXY TCP4 fd00::1 fd00::2 5000 80\r\n",
           "PROXY TCP6 192.0.2.1 10.0.0.1 5000 80\r\n",
           "PROXY TCP6 fd00::1 10.0.0.1 5000 80\r\n",
           "PROXY TCP6 [fd00::1] [fd00::2] 5000 80\r\n",
           "PROXY TCP6 fe80::1%lo fd00::2 5000 80\r\n",
           "PROXY UNKNOWNX\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\n\r\n",
           "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "PROXY: x\r\n",
           "\r\nPROXY UNKNOWN\r\n",
           "\x16\x03\x01",
       }) {
    EXPECT_EQ(read(text), "bad") << text;
  }
  EXPECT_EQ(read(std::string("PROXY TCP4 192.0.2.1\0 10.0.0.1 5000 80\r\n", 40)), "bad");
}

TEST(ProxyHeaderV1, IsShort) {
  const std::string longest = "PROXY UNKNOWN " + std::string(kProxyHeaderV1BytesMost - 14, 'x');
  ProxyHeader header;
  EXPECT_EQ(parse_proxy_header(longest.substr(0, kProxyHeaderV1BytesMost - 1), header),
            ProxyHeaderState::kNeedMore);
  EXPECT_EQ(parse_proxy_header(longest, header), ProxyHeaderState::kBad);
  EXPECT_EQ(parse_proxy_header(longest + "\r\n", header), ProxyHeaderState::kBad);
}

TEST(ProxyHeaderV2, NamesBothEnds) {
  EXPECT_EQ(read(v2(0x21, 0x11, ends4())), "192.0.2.1:5000 10.0.0.1:80");
  EXPECT_EQ(read(v2(0x21, 0x21, ends6())), "[fd00::1]:5000 [fd00::2]:80");
}

TEST(ProxyHeaderV2, TlvsArePassedOver) {
  const std::string tlv("\x04\x00\x03\x00\x00\x00", 6);
  EXPECT_EQ(read(v2(0x21, 0x11, ends4() + tlv)), "192.0.2.1:5000 10.0.0.1:80");
  const std::string empty("\x04\x00\x00", 3);
  const std::string longer = "\xe0\x03\xe5" + std::string(0x3e5, 'x');
  EXPECT_EQ(read(v2(0x21, 0x21, ends6() + empty + longer)), "[fd00::1]:5000 [fd00::2]:80");
  EXPECT_EQ(read(v2(0x21, 0x31, std::string(216, '/') + tlv)), "none");
  // One that is cut off says that the length is wrong, or the addresses.
  for (std::size_t size = 1; size < tlv.size(); ++size) {
    EXPECT_EQ(read(v2(0x21, 0x11, ends4() + tlv.substr(0, size))), "bad") << size;
    EXPECT_EQ(read(v2(0x21, 0x21, ends6() + longer + tlv.substr(0, size))), "bad") << size;
  }
}

TEST(ProxyHeaderV2, MayNotKnow) {
  for (const unsigned family : {0x00U, 0x11U, 0x21U, 0x31U, 0x12U, 0xffU}) {
    EXPECT_EQ(read(v2(0x20, family, "")), "none") << "LOCAL " << family;
    EXPECT_EQ(read(v2(0x20, family, ends4())), "none") << "LOCAL " << family;
  }
  EXPECT_EQ(read(v2(0x21, 0x00, "")), "none");
  EXPECT_EQ(read(v2(0x21, 0x00, "some TLV")), "none");
  EXPECT_EQ(read(v2(0x21, 0x31, std::string(216, '/'))), "none");
}

TEST(ProxyHeaderV2, IsStrict) {
  for (const unsigned command : {0x01U, 0x11U, 0x22U, 0x2fU, 0x31U, 0x00U}) {
    EXPECT_EQ(read(v2(command, 0x11, ends4())), "bad") << command;
  }
  for (const unsigned family :
       {0x01U, 0x02U, 0x10U, 0x12U, 0x13U, 0x20U, 0x22U, 0x30U, 0x32U, 0x41U, 0xffU}) {
    EXPECT_EQ(read(v2(0x21, family, std::string(216, 'x'))), "bad") << family;
  }
  EXPECT_EQ(read(v2(0x21, 0x11, ends4().substr(1))), "bad");
  EXPECT_EQ(read(v2(0x21, 0x21, ends6().substr(1))), "bad");
  EXPECT_EQ(read(v2(0x21, 0x21, ends4())), "bad");
  EXPECT_EQ(read(v2(0x21, 0x31, std::string(215, '/'))), "bad");
  for (std::size_t i = 0; i < signature().size(); ++i) {
    std::string bytes = v2(0x21, 0x11, ends4());
    bytes[i] ^= 1;
    EXPECT_EQ(read(bytes), "bad") << i;
  }
}

TEST(ProxyHeaderV2, IsBounded) {
  const std::string most(kProxyHeaderV2BytesMost - 16, 'x');
  EXPECT_EQ(read(v2(0x20, 0x00, most)), "none");
  EXPECT_EQ(read(v2(0x20, 0x00, most + 'x')), "bad");
  ProxyHeader header;
  EXPECT_EQ(parse_proxy_header(signature() + "\x21\x11\xff\xff", header), ProxyHeaderState::kBad)
      << "found before the bytes come";
}

TEST(ProxyHeader, WhatIsWrittenIsReadAgain) {
  const Address v4 = *Address::parse("192.0.2.1:5000");
  const Address other_v4 = *Address::parse("10.0.0.1:80");
  const Address v6 = *Address::parse("[fd00::1]:65535");
  const Address other_v6 = *Address::parse("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:0");
  for (const ProxyHeader::Ends& ends : std::initializer_list<ProxyHeader::Ends>{
           {v4, other_v4}, {v6, other_v6}, {v4, other_v6}, {other_v6, v4}}) {
    for (const auto version : {ProxyHeaderVersion::kV1, ProxyHeaderVersion::kV2}) {
      std::string bytes;
      append_proxy_header(bytes, version, ends);
      EXPECT_EQ(read(bytes), ends.source.to_string() + " " + ends.destination.to_string());
    }
  }
}

TEST(ProxyHeader, MixedFamiliesAreWrittenAsIpv6) {
  const ProxyHeader::Ends ends{*Address::parse("192.0.2.1:5000"), *Address::parse("[fd00::2]:80")};
  std::string v1;
  append_proxy_header(v1, ProxyHeaderVersion::kV1, ends);
  EXPECT_EQ(v1, "PROXY TCP6 ::ffff:192.0.2.1 fd00::2 5000 80\r\n");
}

TEST(ProxyHeader, IsWrittenAsOthersWriteIt) {
  const ProxyHeader::Ends ends{*Address::parse("192.0.2.1:5000"), *Address::parse("10.0.0.1:80")};
  std::string bytes;
  append_proxy_header(bytes, ProxyHeaderVersion::kV2, ends);
  EXPECT_EQ(bytes, v2(0x21, 0x11, ends4()));
  bytes.clear();
  append_proxy_header(bytes, ProxyHeaderVersion::kV1, ends);
  EXPECT_EQ(bytes, "PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\n");
}

}  // namespace
}  // namespace holdfast::proxy
