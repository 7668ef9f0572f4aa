#include "proxy/admission.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/port.h"

namespace holdfast::proxy {

namespace {

template <class List>
bool contains(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// "https://a.example.com" -> "https://*.example.com"
std::string wildcard_of(std::string_view origin) {
  const std::size_t host = std::min(origin.find("://"), origin.size() - 3) + 3;
  // A slash in front of the dot would end the host.
  const std::size_t dot = origin.find_first_of("./", host);
  if (dot == std::string_view::npos || dot == host || origin[dot] != '.') return {};
  return std::string(origin.substr(0, host)) + "*" + std::string(origin.substr(dot));
}

/// RFC 6454 section 4, with the schemes of WebSockets (RFC 6455 section 3) for those of pages.
/// Where nobody has stated the client's scheme, by host and port alone.
bool is_same_origin(std::string_view origin, const ClientIdentity& client) {
  const std::size_t slashes = origin.find("://");
  if (slashes == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, slashes);
  const bool secure = scheme == "https" || scheme == "wss";
  const bool agrees = secure == client.https && (secure || scheme == "http" || scheme == "ws");
  if (client.scheme_stated && !agrees) return false;
  const std::string_view authority = client.host;
  const std::string asked =
      std::string(origin.substr(0, slashes + 3)) + base::lower_case(authority);
  return !authority.empty() && origin == base::without_default_port(asked);
}

bool origin_passes(const discovery::v1::OriginCheck& check, const http::RequestHead& request,
                   const ClientIdentity& client) {
  const std::size_t count = request.count("origin");
  if (count == 0) return check.missing_passes();
  if (count > 1) return false;
  const std::string origin(
      base::without_default_port(base::lower_case(request.find("origin")->value)));
  if (contains(check.allowed(), origin)) return true;
  if (check.same_origin() && is_same_origin(origin, client)) return true;
  const std::string wildcard = origin.size() < 3 ? "" : wildcard_of(origin);
  return !wildcard.empty() && contains(check.allowed(), wildcard);
}

}  // namespace

CloseReason check_admission(const Admission& admission, const ClientIdentity& client,
                            const http::RequestHead& request, bool upgrade) {
  const base::IpAddress& address = client.address;
  const bool allowed = admission.allow.empty() || base::any_contains(admission.allow, address);
  if (!allowed || base::any_contains(admission.deny, address)) return CloseReason::kAddressRefused;
  if (upgrade && admission.origins && !origin_passes(*admission.origins, request, client)) {
    return CloseReason::kOriginRefused;
  }
  return CloseReason::kNone;
}

}  // namespace holdfast::proxy
