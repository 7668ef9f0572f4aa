#include "proxy/hash_key.h"

#include <string_view>

#include "base/hash.h"
#include "http/cookies.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

std::uint64_t hash_of(std::string_view bytes) { return base::mix(base::fnv1a(bytes)); }

std::string_view bytes_of(const base::IpAddress& address) {
  constexpr std::size_t kIpv4Bytes = 4;
  return {reinterpret_cast<const char*>(address.bytes.data()),
          address.ipv6 ? address.bytes.size() : kIpv4Bytes};
}

/// The first parameter of that name, neither decoded.
std::optional<std::string_view> parameter(std::string_view target, std::string_view name) {
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::string_view query = target.substr(mark + 1);
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> hash_key(const v1::HashBy& hash_by, const http::RequestHead& request,
                                      const base::IpAddress& client) {
  switch (hash_by.key_case()) {
    case v1::HashBy::kClientAddress:
      return hash_of(bytes_of(client));
    case v1::HashBy::kHeader:
      if (const http::Field* field = request.find(hash_by.header())) return hash_of(field->value);
      return std::nullopt;
    case v1::HashBy::kCookie: {
      std::string_view value;
      if (http::CookieValues(request, hash_by.cookie()).next(value)) return hash_of(value);
      return std::nullopt;
    }
    case v1::HashBy::kQuery:
      if (const auto value = parameter(request.target, hash_by.query())) return hash_of(*value);
      return std::nullopt;
    case v1::HashBy::kPath:
      return hash_of(request.path);
    case v1::HashBy::KEY_NOT_SET:
      break;
  }
  return std::nullopt;
}

}  // namespace holdfast::proxy
