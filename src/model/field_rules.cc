#include "model/field_rules.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/ascii.h"
#include "base/ip_address.h"
#include "base/port.h"
#include "base/utf8.h"
#include "model/limits.h"

namespace holdfast::model {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Host and port of "a:80", "[::1]:80", "a"; the port is empty where there is none.
struct Authority {
  std::string_view host;
  std::string_view port;
  bool ok = false;
};

Authority split(std::string_view text) {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const std::size_t colon = text.find(':', bracket);
  Authority authority{text.substr(0, colon), {}, true};
  if (colon != std::string_view::npos) {
    authority.port = text.substr(colon + 1);
    authority.ok = base::parse_port(authority.port).value_or(0) != 0;
  }
  return authority;
}

bool is_bracketed_ip(std::string_view host) {
  if (!host.starts_with('[') || !host.ends_with(']')) return false;
  const auto address = base::parse_ip(std::string(host.substr(1, host.size() - 2)));
  return address && address->ipv6;
}

}  // namespace

bool is_dns_label(std::string_view label) {
  const auto ok = [](char c) { return is_alphanumeric(c) || c == '-'; };
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), ok) && base::lower_case(label) == label;
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || kOthers.find(c) != std::string_view::npos;
  });
}

bool may_be_changed(std::string_view name) {
  constexpr std::array<std::string_view, 15> kFixed = {"connection",
                                                       "content-length",
                                                       "date",
                                                       "host",
                                                       "http2-settings",
                                                       "keep-alive",
                                                       "proxy-authenticate",
                                                       "proxy-authorization",
                                                       "proxy-connection",
                                                       "te",
                                                       "trailer",
                                                       "transfer-encoding",
                                                       "upgrade",
                                                       "via",
                                                       "expect"};
  std::string folded = base::lower_case(name);
  // CGI and its like take one for the other.
  std::replace(folded.begin(), folded.end(), '_', '-');
  return !folded.starts_with("sec-websocket-") &&
         std::find(kFixed.begin(), kFixed.end(), folded) == kFixed.end();
}

bool is_field_value(std::string_view text) {
  const auto ok = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  };
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  return !text.empty() && !is_space(text.front()) && !is_space(text.back()) &&
         std::all_of(text.begin(), text.end(), ok) && base::is_utf8(text);
}

bool is_origin_pattern(std::string_view text) {
  if (text == "null") return true;
  const std::size_t slashes = text.find("://");
  if (slashes == std::string_view::npos || text.size() > kNameBytes) return false;
  const std::string_view scheme = text.substr(0, slashes);
  // RFC 3986 section 3.1. Apps have schemes of their own.
  const auto in_scheme = [](char c) {
    return (is_alphanumeric(c) && base::to_lower(c) == c) || c == '+' || c == '-' || c == '.';
  };
  if (scheme.empty() || !std::all_of(scheme.begin(), scheme.end(), in_scheme)) return false;
  const Authority authority = split(text.substr(slashes + 3));
  if (!authority.ok || base::without_default_port(text) != text) return false;
  return is_dns_name(authority.host) || is_bracketed_ip(authority.host);
}

std::string wildcard_of(std::string_view host) {
  const std::size_t dot = host.find('.');
  return dot == std::string_view::npos || dot == 0 ? "" : "*" + std::string(host.substr(dot));
}

bool is_dns_name(std::string_view name) {
  if (name.size() > kHostBytes) return false;
  if (name.starts_with("*.")) name.remove_prefix(2);
  while (true) {
    const std::size_t dot = name.find('.');
    if (!is_dns_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool is_host_field(std::string_view text) {
  const Authority authority = split(text);
  if (!authority.ok || text.size() > kNameBytes) return false;
  const std::string host = base::lower_case(authority.host);
  return (is_dns_name(host) && !host.starts_with('*')) || is_bracketed_ip(host);
}

bool is_printable(std::string_view text, std::string_view without) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return c > 0x20 && c < 0x7f && without.find(c) == std::string_view::npos;
  });
}

}  // namespace holdfast::model
