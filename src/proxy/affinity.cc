#include "proxy/affinity.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>
#include <vector>

#include "base/hex.h"
#include "http/cookies.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

constexpr std::size_t kTagDigits = 8;
constexpr std::size_t kWordDigits = 16;
constexpr std::size_t kEntryDigits = kTagDigits + 2 * kWordDigits;
/// Of 32 bits each: more than anybody can try.
constexpr std::size_t kSaltWords = 8;

struct Named {
  std::uint32_t tag = 0;
  AffinityKey key;
};

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

/// Texts have no NUL, so no two lists of them give the same bytes.
Digest digest_of(std::initializer_list<std::string_view> texts) {
  std::string bytes;
  for (const std::string_view text : texts) {
    bytes += text;
    bytes += '\0';
  }
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::uint64_t word(const Digest& digest, std::size_t at) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < 8; ++i) result = result << 8 | digest[at + i];
  return result;
}

template <class Number>
bool take_hex(std::string_view& text, std::size_t digits, Number& number) {
  const char* end = text.data() + digits;
  const auto read = std::from_chars(text.data(), end, number, 16);
  text.remove_prefix(digits);
  return read.ec == std::errc() && read.ptr == end;
}

std::optional<Named> parse(std::string_view value) {
  Named named;
  if (value.size() != kEntryDigits) return std::nullopt;
  const bool good = take_hex(value, kTagDigits, named.tag) &&
                    take_hex(value, kWordDigits, named.key.high) &&
                    take_hex(value, kWordDigits, named.key.low);
  return good ? std::optional(named) : std::nullopt;
}

/// The entries of the cookies of one name, in the order of the request.
class Entries {
 public:
  Entries(const http::RequestHead& request, std::string_view cookie_name)
      : cookies_(request, cookie_name) {}

  /// Takes the next; false: there is none.
  bool next(std::string_view& entry) {
    while (rest_.empty()) {
      if (!cookies_.next(rest_)) return false;
      const bool whole =
          rest_.size() % kEntryDigits == 0 && rest_.size() <= kAffinityEntriesMost * kEntryDigits;
      if (!whole) rest_ = {};
    }
    entry = rest_.substr(0, kEntryDigits);
    rest_.remove_prefix(kEntryDigits);
    return true;
  }

 private:
  http::CookieValues cookies_;
  std::string_view rest_;
};

Pick find(const Cluster& cluster, const AffinityKey& key) {
  const auto look = [&](const auto& endpoints, const auto& members) -> Pick {
    const auto found = std::ranges::find(members, key, &Membership::key);
    if (found == members.end()) return {};
    return {.endpoint = endpoints[std::size_t(found - members.begin())],
            .health = found->health.get()};
  };
  Pick ready = look(cluster.ready, cluster.ready_members);
  return ready.endpoint != nullptr ? std::move(ready)
                                   : look(cluster.terminating, cluster.terminating_members);
}

std::string_view name_of(v1::SameSite same_site) {
  if (same_site == v1::SAME_SITE_STRICT) return "Strict";
  return same_site == v1::SAME_SITE_NONE ? "None" : "Lax";
}

/// RFC 6265 section 4.1.1, path-value.
bool is_path_value(std::string_view path) {
  return !path.empty() &&
         std::ranges::all_of(path, [](char c) { return c >= ' ' && c < 0x7f && c != ';'; });
}

/// All but the value and how long it lives.
void append_attributes(std::string& text, const v1::Affinity& affinity, std::string_view matched,
                       bool https) {
  const std::string_view path = affinity.cookie_path().empty() ? matched : affinity.cookie_path();
  text += "; Path=";
  text += is_path_value(path) ? path : "/";
  text += "; SameSite=";
  text += name_of(affinity.cookie_same_site());
  const bool secure = affinity.cookie_secure() == v1::SECURE_ALWAYS ||
                      (affinity.cookie_secure() == v1::SECURE_AUTO && https) ||
                      // Browsers take no other (RFC 6265bis).
                      affinity.cookie_same_site() == v1::SAME_SITE_NONE;
  if (secure) text += "; Secure";
  if (affinity.cookie_http_only()) text += "; HttpOnly";
}

}  // namespace

std::string make_salt() {
  std::random_device device;
  std::string salt;
  for (std::size_t i = 0; i < kSaltWords; ++i) base::append_hex(salt, device(), kTagDigits);
  return salt;
}

std::uint32_t affinity_tag(const std::string& salt, const std::string& cluster) {
  return static_cast<std::uint32_t>(word(digest_of({"cluster", salt, cluster}), 0));
}

AffinityKey affinity_key(const std::string& salt, const std::string& identity) {
  const Digest digest = digest_of({"endpoint", salt, identity});
  return {word(digest, 0), word(digest, 8)};
}

AffinityClaim find_claim(const http::RequestHead& request, std::string_view cookie_name,
                         const Balancing& balancing, const Cluster& cluster, base::Instant now) {
  const EjectionPolicy& ejection = balancing.ejection;
  AffinityClaim claim;
  Entries cookies(request, cookie_name);
  std::string_view value;
  while (cookies.next(value)) {
    const auto named = parse(value);
    if (!named || named->tag != cluster.affinity_tag) continue;
    claim.gone = true;
    Pick pick = find(cluster, named->key);
    if (pick.endpoint == nullptr) continue;
    const bool believed = checks_are_believed(cluster);
    const auto is_in = [&](const EndpointHealth& health) {
      return !(believed ? health.is_out(ejection, now) : health.is_out_for_connects(ejection, now));
    };
    const bool in = is_in(*pick.health) && pick.health->may_connect(ejection, now, pick.probe);
    if (in || balancing.affinity->fail_when_gone() ||
        std::ranges::none_of(cluster.ready_members,
                             [&](const Membership& member) { return is_in(*member.health); })) {
      return {std::move(pick), false};
    }
  }
  return claim;
}

std::optional<AffinityKey> key_of(const Cluster& cluster, const Endpoint& endpoint) {
  const auto look = [&](const auto& endpoints, const auto& members) -> std::optional<AffinityKey> {
    const auto found = std::ranges::find(endpoints, &endpoint, &EndpointPtr::get);
    if (found == endpoints.end()) return std::nullopt;
    return members[std::size_t(found - endpoints.begin())].key;
  };
  if (const auto ready = look(cluster.ready, cluster.ready_members)) return ready;
  return look(cluster.terminating, cluster.terminating_members);
}

std::string affinity_entry(std::uint32_t tag, const AffinityKey& key) {
  std::string entry;
  base::append_hex(entry, tag, kTagDigits);
  base::append_hex(entry, key.high, kWordDigits);
  base::append_hex(entry, key.low, kWordDigits);
  return entry;
}

std::string other_entries(const http::RequestHead& request, std::string_view cookie_name,
                          std::uint32_t tag) {
  std::vector<std::uint32_t> seen = {tag};
  std::string others;
  Entries entries(request, cookie_name);
  std::string_view entry;
  while (seen.size() < kAffinityEntriesMost && entries.next(entry)) {
    const auto named = parse(entry);
    if (!named || std::ranges::count(seen, named->tag) > 0) continue;
    seen.push_back(named->tag);
    others += entry;
  }
  return others;
}

std::string set_cookie(std::string_view cookie_name, const v1::Affinity& affinity,
                       std::string_view entries, std::string_view matched, bool https) {
  std::string text(cookie_name);
  text += '=';
  text += entries;
  if (entries.empty()) {
    text += "; Max-Age=0";
  } else if (affinity.has_cookie_max_age()) {
    text += "; Max-Age=" + std::to_string(affinity.cookie_max_age().seconds());
  }
  append_attributes(text, affinity, matched, https);
  return text;
}

}  // namespace holdfast::proxy
