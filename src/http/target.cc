#include "http/target.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/port.h"
#include "http/chars.h"

namespace holdfast::http {
namespace {

/// RFC 3986 section 3.2.3: it may be empty, or have leading zeros.
bool is_port(std::string_view digits) {
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits.empty() || base::parse_port(digits).has_value();
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  in6_addr address;
  return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

bool parse_ip_literal(std::string_view authority, std::string_view& host) {
  const std::size_t bracket = authority.find(']');
  if (bracket == std::string_view::npos || !is_ipv6(authority.substr(1, bracket - 1))) return false;
  host = authority.substr(0, bracket + 1);
  const std::string_view rest = authority.substr(bracket + 1);
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

/// The length of "http://" or "https://" at the front, or 0.
std::size_t scheme_bytes(std::string_view target) {
  for (const std::string_view scheme :
       {std::string_view("http://"), std::string_view("https://")}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

bool parse_authority(std::string_view authority, std::string_view& host) {
  if (authority.empty()) return false;
  if (authority.front() == '[') return parse_ip_literal(authority, host);
  std::size_t end = 0;
  while (end < authority.size() && (char_class(authority[end]) & kHostChar) != 0) ++end;
  if (end < authority.size()) {
    if (authority[end] != ':' || !is_port(authority.substr(end + 1))) return false;
  }
  host = authority.substr(0, end);
  if (host.ends_with('.')) host.remove_suffix(1);
  return !host.empty();
}

bool interpret_target(std::string_view target, RequestHead& head) {
  if (target.front() == '/') {
    head.target = target;
    head.path = target.substr(0, target.find('?'));
    return true;
  }
  const bool is_options = head.method == "OPTIONS";
  if (target == "*") {
    head.target = head.path = target;
    return is_options;
  }
  const std::size_t scheme = scheme_bytes(target);
  if (scheme == 0) return false;
  target.remove_prefix(scheme);
  const std::size_t authority_bytes = std::min(target.find_first_of("/?"), target.size());
  head.authority = target.substr(0, authority_bytes);
  if (!parse_authority(head.authority, head.host)) return false;
  target.remove_prefix(authority_bytes);
  if (target.empty()) {
    // RFC 9112 section 3.2.4: the last proxy turns an OPTIONS for a whole server into "*".
    head.target = head.path = is_options ? "*" : "/";
  } else {
    head.target = target;
    head.path = target.front() == '?' ? "/" : target.substr(0, target.find('?'));
  }
  return true;
}

}  // namespace holdfast::http
