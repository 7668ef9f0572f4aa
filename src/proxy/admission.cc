#include "proxy/admission.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ascii.h"

namespace holdfast::proxy {

namespace {

struct Scheme {
  std::string_view prefix;
  std::string_view port;
};
constexpr std::array<Scheme, 2> kSchemes = {{{"http://", ":80"}, {"https://", ":443"}}};

/// The port that `origin` means without saying so; empty for schemes that have none.
std::string_view default_port(std::string_view origin) {
  for (const Scheme& scheme : kSchemes) {
    if (origin.starts_with(scheme.prefix)) return scheme.port;
  }
  return {};
}

void drop_suffix(std::string& text, std::string_view suffix) {
  if (!suffix.empty() && text.ends_with(suffix)) text.resize(text.size() - suffix.size());
}

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

/// By host and port alone: behind a load balancer that ends TLS the scheme is not known.
bool is_same_origin(std::string_view origin, std::string_view authority) {
  const std::size_t slashes = origin.find("://");
  if (slashes == std::string_view::npos) return false;
  std::string asked = base::lower_case(authority);
  drop_suffix(asked, default_port(origin));
  return !asked.empty() && origin.substr(slashes + 3) == asked;
}

bool origin_passes(const discovery::v1::OriginCheck& check, const http::RequestHead& request) {
  const std::size_t count = request.count("origin");
  if (count == 0) return check.missing_passes();
  if (count > 1) return false;
  std::string origin = base::lower_case(request.find("origin")->value);
  drop_suffix(origin, default_port(origin));
  if (contains(check.allowed(), origin)) return true;
  if (check.same_origin() && is_same_origin(origin, request.authority)) return true;
  const std::string wildcard = origin.size() < 3 ? "" : wildcard_of(origin);
  return !wildcard.empty() && contains(check.allowed(), wildcard);
}

}  // namespace

CloseReason check_admission(const Admission& admission, const base::IpAddress& client,
                            const http::RequestHead& request, bool upgrade) {
  const bool allowed = admission.allow.empty() || base::any_contains(admission.allow, client);
  if (!allowed || base::any_contains(admission.deny, client)) return CloseReason::kAddressRefused;
  if (upgrade && admission.origins && !origin_passes(*admission.origins, request)) {
    return CloseReason::kOriginRefused;
  }
  return CloseReason::kNone;
}

}  // namespace holdfast::proxy
