#include "proxy/proxy_header.h"

#include <algorithm>
#include <array>

#include "base/ip_address.h"
#include "base/port.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

using State = ProxyHeaderState;
using Ends = ProxyHeader::Ends;

// Version 1 (section 2.1).

constexpr std::string_view kPrefixV1 = "PROXY ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kUnknown = "UNKNOWN";

// Version 2 (section 2.2): a signature, then version and command, family, the length of the rest.

constexpr std::string_view kSignatureV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytesV2 = 16;
constexpr unsigned char kLocal = 0x20;
constexpr unsigned char kProxied = 0x21;
constexpr unsigned char kUnspecified = 0x00;
constexpr unsigned char kTcp4 = 0x11;
constexpr unsigned char kTcp6 = 0x21;
constexpr unsigned char kUnixStream = 0x31;
constexpr std::size_t kIpv4Bytes = 4;
constexpr std::size_t kIpv6Bytes = 16;
constexpr std::size_t kUnixBytes = 108;
constexpr std::size_t kPortBytes = 2;
constexpr std::size_t kTlvFixedBytes = 3;

unsigned char byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

/// Takes what is before the next space, or all of it, and that space.
std::string_view take_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

/// What stands behind "TCP4 " or "TCP6 ".
std::optional<Ends> parse_ends_v1(std::string_view line, bool ipv6) {
  // A space behind the last word would be lost to take_word().
  if (std::count(line.begin(), line.end(), ' ') != 3) return std::nullopt;
  const auto source = base::parse_ip(std::string(take_word(line)));
  const auto destination = base::parse_ip(std::string(take_word(line)));
  const auto source_port = base::parse_port(take_word(line));
  const auto destination_port = base::parse_port(line);
  if (!source || !destination || !source_port || !destination_port) return std::nullopt;
  if (source->ipv6 != ipv6 || destination->ipv6 != ipv6) return std::nullopt;
  return Ends{Address(*source, *source_port), Address(*destination, *destination_port)};
}

State parse_v1(std::string_view bytes, ProxyHeader& header) {
  bytes = bytes.substr(0, kProxyHeaderV1BytesMost);
  const std::size_t end = bytes.find(kLineEnd);
  if (end == std::string_view::npos) {
    return bytes.size() == kProxyHeaderV1BytesMost ? State::kBad : State::kNeedMore;
  }
  std::string_view line = bytes.substr(kPrefixV1.size(), end - kPrefixV1.size());
  header.bytes = end + kLineEnd.size();
  header.ends.reset();
  header.client_unknown = line.starts_with(kUnknown);
  if (line.starts_with(kUnknown)) {
    line.remove_prefix(kUnknown.size());
    return line.empty() || line.front() == ' ' ? State::kDone : State::kBad;
  }
  const std::string_view family = take_word(line);
  if (family != "TCP4" && family != "TCP6") return State::kBad;
  header.ends = parse_ends_v1(line, family == "TCP6");
  return header.ends ? State::kDone : State::kBad;
}

base::IpAddress ip_from(std::string_view bytes, bool ipv6) {
  base::IpAddress ip{.ipv6 = ipv6};
  std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
  return ip;
}

/// `rest`: two addresses, two ports. REQUIRES: that it has them.
Ends ends_from(std::string_view rest, bool ipv6) {
  const std::size_t size = ipv6 ? kIpv6Bytes : kIpv4Bytes;
  return {Address(ip_from(rest.substr(0, size), ipv6), number_at(rest, 2 * size)),
          Address(ip_from(rest.substr(size, size), ipv6), number_at(rest, 2 * size + kPortBytes))};
}

/// The bytes that the addresses of a family take; absent: it is not one that is known here.
std::optional<std::size_t> address_bytes(unsigned char family) {
  switch (family) {
    case kUnspecified:
      return 0;
    case kTcp4:
      return 2 * (kIpv4Bytes + kPortBytes);
    case kTcp6:
      return 2 * (kIpv6Bytes + kPortBytes);
    case kUnixStream:
      return 2 * kUnixBytes;
    default:
      return std::nullopt;
  }
}

/// Each is a type, a length and so many bytes, up to the end (section 2.2.7: nothing else is).
bool are_tlvs(std::string_view bytes) {
  while (!bytes.empty()) {
    if (bytes.size() < kTlvFixedBytes) return false;
    const std::size_t size = kTlvFixedBytes + number_at(bytes, 1);
    if (bytes.size() < size) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

State parse_v2(std::string_view bytes, ProxyHeader& header) {
  std::size_t at = kSignatureV2.size();
  if (bytes.size() <= at) return State::kNeedMore;
  const unsigned char command = byte_at(bytes, at++);
  if (command != kLocal && command != kProxied) return State::kBad;
  if (bytes.size() <= at) return State::kNeedMore;
  const unsigned char family = byte_at(bytes, at++);
  // The family of a LOCAL header is ignored, and so is its block.
  const auto least = command == kLocal ? 0 : address_bytes(family);
  if (!least) return State::kBad;
  if (bytes.size() < kFixedBytesV2) return State::kNeedMore;
  const std::size_t length = number_at(bytes, at);
  if (length < *least || kFixedBytesV2 + length > kProxyHeaderV2BytesMost) return State::kBad;
  if (bytes.size() < kFixedBytesV2 + length) return State::kNeedMore;
  // What AF_UNSPEC brings has no known form.
  const bool has_tlvs = command == kProxied && family != kUnspecified;
  if (has_tlvs && !are_tlvs(bytes.substr(kFixedBytesV2 + *least, length - *least))) {
    return State::kBad;
  }
  header.bytes = kFixedBytesV2 + length;
  header.ends.reset();
  const bool named = family == kTcp4 || family == kTcp6;
  header.client_unknown = command == kProxied && !named;
  if (command == kProxied && named) {
    header.ends = ends_from(bytes.substr(kFixedBytesV2, length), family == kTcp6);
  }
  return State::kDone;
}

void append_number(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number & 0xff);
}

}  // namespace

ProxyHeaderState parse_proxy_header(std::string_view bytes, ProxyHeader& header) {
  if (bytes.starts_with(kPrefixV1)) return parse_v1(bytes, header);
  if (bytes.starts_with(kSignatureV2)) return parse_v2(bytes, header);
  const bool may_become = kPrefixV1.starts_with(bytes) || kSignatureV2.starts_with(bytes);
  return may_become ? State::kNeedMore : State::kBad;
}

void append_local_proxy_header(std::string& out, ProxyHeaderVersion version) {
  if (version == ProxyHeaderVersion::kV1) {
    out.append(kPrefixV1).append(kUnknown).append(kLineEnd);
    return;
  }
  out.append(kSignatureV2);
  out += static_cast<char>(kLocal);
  out += static_cast<char>(kUnspecified);
  append_number(out, 0);
}

void append_proxy_header(std::string& out, ProxyHeaderVersion version, const Ends& ends) {
  base::IpAddress source = ends.source.ip_address();
  base::IpAddress destination = ends.destination.ip_address();
  const bool ipv6 = source.ipv6 || destination.ipv6;
  if (ipv6) {
    source = base::mapped(source);
    destination = base::mapped(destination);
  }
  if (version == ProxyHeaderVersion::kV1) {
    out.append(kPrefixV1).append(ipv6 ? "TCP6 " : "TCP4 ");
    out.append(base::to_string(source)).append(" ").append(base::to_string(destination));
    out.append(" ").append(std::to_string(ends.source.port()));
    out.append(" ").append(std::to_string(ends.destination.port())).append(kLineEnd);
    return;
  }
  const std::size_t size = ipv6 ? kIpv6Bytes : kIpv4Bytes;
  out.append(kSignatureV2);
  out += static_cast<char>(kProxied);
  out += static_cast<char>(ipv6 ? kTcp6 : kTcp4);
  append_number(out, 2 * (size + kPortBytes));
  for (const base::IpAddress& ip : {source, destination}) {
    out.append(ip.bytes.begin(), ip.bytes.begin() + static_cast<std::ptrdiff_t>(size));
  }
  append_number(out, ends.source.port());
  append_number(out, ends.destination.port());
}

}  // namespace holdfast::proxy
