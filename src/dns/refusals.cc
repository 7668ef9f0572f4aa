#include "dns/refusals.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/ascii.h"
#include "dns/limits.h"

namespace holdfast::dns {
namespace {

struct Refused {
  base::Cidr block;
  std::string_view kind;
};

/// IANA's special-purpose address registries, and the addresses outside of link-local at which
/// clouds serve metadata to their own machines: AWS (fd00:ec2::254), Google (fd20:ce::254), Alibaba
/// (100.100.100.200), Azure (168.63.129.16).
const std::vector<Refused>& refused_blocks() {
  static const std::vector<Refused> blocks = [] {
    constexpr std::array<std::pair<const char*, const char*>, 14> kTexts{{
        {"0.0.0.0/8", "unspecified"},
        {"127.0.0.0/8", "loopback"},
        {"169.254.0.0/16", "link-local"},
        {"224.0.0.0/4", "multicast"},
        {"255.255.255.255/32", "broadcast"},
        {"100.100.100.200/32", "cloud metadata"},
        {"168.63.129.16/32", "cloud metadata"},
        {"::/128", "unspecified"},
        {"::1/128", "loopback"},
        {"fe80::/10", "link-local"},
        {"fec0::/10", "site-local"},
        {"ff00::/8", "multicast"},
        {"fd00:ec2::254/128", "cloud metadata"},
        {"fd20:ce::254/128", "cloud metadata"},
    }};
    std::vector<Refused> made;
    made.reserve(kTexts.size());
    for (const auto& [text, kind] : kTexts) made.push_back({base::parse_cidr(text).value(), kind});
    return made;
  }();
  return blocks;
}

/// ::a.b.c.d (RFC 4291 section 2.5.5.1) and 64:ff9b::a.b.c.d (RFC 6052) end with an IPv4 address.
base::IpAddress judged(const base::IpAddress& address) {
  static const std::vector<base::Cidr> blocks{base::parse_cidr("64:ff9b::/96").value(),
                                              base::parse_cidr("::/96").value()};
  constexpr std::size_t kIpv4Bytes = 4;
  if (!base::any_contains(blocks, address)) return base::unmapped(address);
  base::IpAddress v4;
  std::copy(address.bytes.end() - kIpv4Bytes, address.bytes.end(), v4.bytes.begin());
  return v4;
}

std::string_view kind_of(const base::IpAddress& address) {
  for (const Refused& refused : refused_blocks()) {
    if (refused.block.contains(address)) return refused.kind;
  }
  return {};
}

/// Of small letters.
bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLabelBytes && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || base::is_digit(c) || c == '-' || c == '_';
         });
}

}  // namespace

std::string_view refusal_of(const base::IpAddress& address) {
  const std::string_view kind = kind_of(address);
  return kind.empty() ? kind_of(judged(address)) : kind;
}

base::StatusOr<std::string> canonical_name(const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("the name is empty");
  if (const auto address = base::parse_ip(text)) return base::to_string(*address);
  std::string name = base::lower_case(text);
  if (name.ends_with('.')) name.pop_back();
  std::string_view rest = name;
  std::string_view last;
  bool sane = name.size() <= kNameBytes;
  while (sane) {
    const std::size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    sane = is_label(last);
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // "127.1" and "2130706433" are no names, but some would read them as addresses.
  if (!sane || std::all_of(last.begin(), last.end(), base::is_digit)) {
    return absl::InvalidArgumentError("it is not a DNS name");
  }
  // RFC 6761 section 6.3: all of them mean loopback, whoever answers for them.
  if (last == "localhost") return absl::InvalidArgumentError("localhost is refused");
  return name;
}

}  // namespace holdfast::dns
