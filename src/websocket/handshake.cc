#include "websocket/handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "http/chars.h"
#include "websocket/limits.h"

namespace holdfast::websocket {
namespace {

using http::equal_ignoring_case;
using http::Field;
using http::Head;

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kSha1Bytes = 20;

/// Base64 of 16 bytes (RFC 6455 section 4.1).
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         key.substr(0, 22).find_first_not_of(kBase64) == std::string_view::npos;
}

/// REQUIRES: `bytes` ends with one zero byte more than a multiple of three needs.
std::array<char, 28> base64(const std::array<unsigned char, kSha1Bytes + 1>& bytes) {
  std::array<char, 28> text;
  for (std::size_t in = 0, out = 0; in < kSha1Bytes; in += 3, out += 4) {
    const unsigned group = static_cast<unsigned>(bytes[in]) << 16 |
                           static_cast<unsigned>(bytes[in + 1]) << 8 | bytes[in + 2];
    for (std::size_t i = 0; i < 4; ++i) text[out + i] = kBase64[group >> (18 - 6 * i) & 63];
  }
  text.back() = '=';
  return text;
}

struct FreeDigest {
  void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

bool sha1(std::string_view a, std::string_view b, unsigned char* digest) {
  // Fetched once a thread: a fetch costs more than the digest.
  thread_local const std::unique_ptr<EVP_MD, FreeDigest> algorithm(
      EVP_MD_fetch(nullptr, "SHA1", nullptr));
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  return algorithm && context && EVP_DigestInit_ex(context.get(), algorithm.get(), nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), a.data(), a.size()) == 1 &&
         EVP_DigestUpdate(context.get(), b.data(), b.size()) == 1 &&
         EVP_DigestFinal_ex(context.get(), digest, nullptr) == 1;
}

/// Any element of any field of that name, exactly.
bool offers(const Head& head, std::string_view name, std::string_view wanted) {
  for (const Field& field : head.fields) {
    if (!equal_ignoring_case(field.name, name)) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      if (http::take_element(list) == wanted) return true;
    }
  }
  return false;
}

/// Takes one extension off the front of the list, parameters included, and gives its name. A comma
/// in a quoted parameter does not end it.
std::string_view take_extension(std::string_view& list) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < list.size(); ++end) {
    if (quoted && list[end] == '\\') {
      ++end;
    } else if (list[end] == '"') {
      quoted = !quoted;
    } else if (list[end] == ',' && !quoted) {
      break;
    }
  }
  const std::string_view extension = list.substr(0, end);
  list.remove_prefix(std::min(end + 1, list.size()));
  return http::trim(extension.substr(0, extension.find(';')));
}

bool offers_extension(const Head& request, std::string_view wanted) {
  for (const Field& field : request.fields) {
    if (!equal_ignoring_case(field.name, "sec-websocket-extensions")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      if (equal_ignoring_case(take_extension(list), wanted)) return true;
    }
  }
  return false;
}

bool extensions_were_offered(const Head& request, const Head& response) {
  std::size_t extensions = 0;
  for (const Field& field : response.fields) {
    if (!equal_ignoring_case(field.name, "sec-websocket-extensions")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::string_view extension = take_extension(list);
      if (extension.empty()) continue;
      if (++extensions > kExtensionsMost || !offers_extension(request, extension)) return false;
    }
  }
  return true;
}

bool protocol_was_offered(const Head& request, const Head& response) {
  constexpr std::string_view kName = "sec-websocket-protocol";
  const Field* chosen = response.find(kName);
  if (chosen == nullptr) return true;
  return response.count(kName) == 1 && !chosen->value.empty() &&
         offers(request, kName, chosen->value);
}

bool accepts(const Head& request, const Head& response) {
  const Field* key = request.find("sec-websocket-key");
  const Field* accept = response.find("sec-websocket-accept");
  if (key == nullptr || accept == nullptr || response.count(accept->name) != 1) return false;
  const std::array<char, 28> wanted = accept_value(key->value);
  return accept->value == std::string_view(wanted.data(), wanted.size());
}

}  // namespace

UpgradeCheck check_upgrade_request(const http::RequestHead& head) {
  if (!head.has_token("upgrade", "websocket") || !head.has_token("connection", "upgrade")) {
    return UpgradeCheck::kNone;
  }
  const bool has_body = head.framing == http::Framing::kChunked || head.content_length > 0;
  if (head.method != "GET" || head.minor_version == 0 || has_body) return UpgradeCheck::kBad;
  // The version decides what else a handshake has to have.
  const std::size_t versions = head.count("sec-websocket-version");
  if (versions > 1) return UpgradeCheck::kBad;
  if (versions == 0 || head.find("sec-websocket-version")->value != "13") {
    return UpgradeCheck::kBadVersion;
  }
  if (head.count("sec-websocket-key") != 1 || !is_key(head.find("sec-websocket-key")->value)) {
    return UpgradeCheck::kBad;
  }
  return UpgradeCheck::kValid;
}

std::array<char, 28> accept_value(std::string_view key) {
  std::array<unsigned char, kSha1Bytes + 1> digest{};
  if (!sha1(key, kGuid, digest.data())) return {};
  return base64(digest);
}

const char* to_string(SwitchCheck check) {
  switch (check) {
    case SwitchCheck::kValid:
      return "valid";
    case SwitchCheck::kNoUpgrade:
      return "no_upgrade";
    case SwitchCheck::kNoConnection:
      return "no_connection";
    case SwitchCheck::kBadAccept:
      return "bad_accept";
    case SwitchCheck::kBadProtocol:
      return "bad_protocol";
    case SwitchCheck::kBadExtension:
      return "bad_extension";
  }
  return "unknown";
}

SwitchCheck check_switch(const http::RequestHead& request, const http::ResponseHead& response) {
  const Field* upgrade = response.find("upgrade");
  if (upgrade == nullptr || response.count("upgrade") != 1 ||
      !equal_ignoring_case(upgrade->value, "websocket")) {
    return SwitchCheck::kNoUpgrade;
  }
  if (!response.has_token("connection", "upgrade")) return SwitchCheck::kNoConnection;
  if (!accepts(request, response)) return SwitchCheck::kBadAccept;
  if (!protocol_was_offered(request, response)) return SwitchCheck::kBadProtocol;
  if (!extensions_were_offered(request, response)) return SwitchCheck::kBadExtension;
  return SwitchCheck::kValid;
}

}  // namespace holdfast::websocket
