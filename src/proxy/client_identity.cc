#include "proxy/client_identity.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/port.h"
#include "http/chars.h"
#include "http/target.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

/// "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535" and no more.
constexpr std::size_t kEntryBytesMost = 53;

/// One that a connection can have.
bool is_port(std::string_view text) { return base::parse_port(text).value_or(0) != 0; }

/// An entry of X-Forwarded-For: an address, IPv6 in brackets or not, with a port or without.
std::optional<base::IpAddress> parse_entry(std::string_view entry) {
  if (entry.size() > kEntryBytesMost) return std::nullopt;
  std::string_view ip = entry;
  std::string_view port;
  if (entry.starts_with('[')) {
    const std::size_t bracket = entry.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    ip = entry.substr(1, bracket - 1);
    port = entry.substr(bracket + 1);
    if (ip.find(':') == std::string_view::npos) return std::nullopt;
  } else if (std::count(entry.begin(), entry.end(), ':') == 1) {
    ip = entry.substr(0, entry.find(':'));
    port = entry.substr(ip.size());
  }
  if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) return std::nullopt;
  const std::optional<base::IpAddress> parsed = base::parse_ip(std::string(ip));
  return parsed ? std::optional(base::unmapped(*parsed)) : std::nullopt;
}

/// Walks one list from its end. False: the walk is over.
bool walk(std::string_view list, const std::vector<base::Cidr>& trusted, base::IpAddress& client) {
  while (!list.empty()) {
    const std::size_t comma = list.rfind(',');
    const std::size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
    const std::string_view entry = http::trim(list.substr(begin));
    list = list.substr(0, comma == std::string_view::npos ? 0 : comma);
    if (entry.empty()) continue;
    const std::optional<base::IpAddress> parsed = parse_entry(entry);
    if (!parsed) return false;
    client = *parsed;
    if (!base::any_contains(trusted, client)) return false;
  }
  return true;
}

bool is_forwarded_for(const http::Field& field) {
  return http::equal_ignoring_case(field.name, "x-forwarded-for");
}

base::IpAddress farthest_known(const http::RequestHead& request, const base::IpAddress& peer,
                               const std::vector<base::Cidr>& trusted) {
  base::IpAddress client = peer;
  for (auto field = request.fields.rbegin(); field != request.fields.rend(); ++field) {
    if (is_forwarded_for(*field) && !walk(field->value, trusted, client)) break;
  }
  return client;
}

/// Everything received, in order, and the peer.
std::string whole_way(const http::RequestHead& request, const base::IpAddress& peer) {
  std::string way;
  for (const http::Field& field : request.fields) {
    if (is_forwarded_for(field) && !field.value.empty()) way.append(field.value).append(", ");
  }
  return way.append(base::to_string(peer));
}

/// The value of a field that is there exactly once; else empty.
std::string_view only(const http::RequestHead& request, std::string_view name) {
  const http::Field* field = request.find(name);
  return field != nullptr && request.count(name) == 1 ? field->value : std::string_view();
}

/// The first element of a list of what each proxy on the way added: the client's. Empty: none.
std::string_view first(const http::RequestHead& request, std::string_view name) {
  const http::Field* field = request.find(name);
  if (field == nullptr || field->value.empty()) return {};
  std::string_view list = field->value;
  return http::take_element(list);
}

bool is_host(std::string_view text) {
  std::string_view host;
  return http::parse_authority(text, host);
}

/// The port that a host names after it; empty: none.
std::string_view port_of(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view port = authority.substr(colon + 1);
  return is_port(port) ? port : std::string_view();
}

bool is_request_id(std::string_view text) {
  return text.size() <= kGivenRequestIdBytesMost &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (http::char_class(c) & http::kToken) != 0; });
}

/// Whether a trusted proxy was spoken to over TLS; absent: it does not say. WebSockets have schemes
/// of their own (RFC 6455 section 3), which some proxies write there.
std::optional<bool> says_https(const http::RequestHead& request) {
  const std::string proto = base::lower_case(first(request, "x-forwarded-proto"));
  if (proto == "https" || proto == "wss") return true;
  return proto == "http" || proto == "ws" ? std::optional(false) : std::nullopt;
}

/// What a trusted proxy says of the hop before it.
void believe(const http::RequestHead& request, ClientIdentity& identity) {
  const std::optional<bool> https = says_https(request);
  if (https) identity.https = *https;
  if (https) identity.scheme_stated = true;
  const std::string_view host = first(request, "x-forwarded-host");
  if (is_host(host)) identity.host = host;
  const std::string_view port = only(request, "x-forwarded-port");
  if (is_port(port)) {
    identity.port = port;
  } else if (const std::string_view named = port_of(identity.host); !named.empty()) {
    identity.port = named;
  } else if (https) {
    identity.port = base::default_port(identity.scheme());
  }
  const std::string_view id = only(request, "x-request-id");
  if (is_request_id(id)) identity.request_id = id;
}

}  // namespace

ClientIdentity identify_client(const http::RequestHead& request, const Arrival& arrival,
                               const std::vector<base::Cidr>& trusted) {
  ClientIdentity identity;
  identity.address = arrival.peer;
  identity.https = identity.scheme_stated = arrival.tls;
  identity.host = request.authority;
  identity.port = std::to_string(arrival.port);
  identity.by_proxy = !arrival.client_unknown && base::any_contains(trusted, arrival.peer);
  if (!identity.by_proxy) {
    identity.forwarded_for = base::to_string(arrival.peer);
    return identity;
  }
  identity.address = farthest_known(request, arrival.peer, trusted);
  identity.forwarded_for = whole_way(request, arrival.peer);
  believe(request, identity);
  return identity;
}

}  // namespace holdfast::proxy
