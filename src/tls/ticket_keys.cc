#include "tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

namespace holdfast::tls {

namespace {

void fill(unsigned char* bytes, std::size_t size) {
  // Without random numbers there is no TLS at all, and nothing to go on with.
  if (RAND_priv_bytes(bytes, static_cast<int>(size)) != 1) std::abort();
}

TicketKey make_key() {
  TicketKey key;
  fill(key.name.data(), key.name.size());
  fill(key.seal.data(), key.seal.size());
  fill(key.cipher.data(), key.cipher.size());
  return key;
}

/// One of the three parts of a period's key.
template <std::size_t kBytes>
void derive(std::string_view secret, const char* part, std::int64_t period,
            std::array<unsigned char, kBytes>& out) {
  const std::string text = std::string("holdfast ticket ") + part + " " + std::to_string(period);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(),
           digest.data(), &size) == nullptr) {
    std::abort();
  }
  static_assert(kBytes <= 32);
  std::copy_n(digest.begin(), kBytes, out.begin());
  OPENSSL_cleanse(digest.data(), digest.size());
}

TicketKey key_of_period(std::string_view secret, std::int64_t period) {
  TicketKey key;
  derive(secret, "name", period, key.name);
  derive(secret, "seal", period, key.seal);
  derive(secret, "cipher", period, key.cipher);
  return key;
}

}  // namespace

TicketKeySet derive_ticket_keys(std::string_view secret, base::WallTime now) {
  const std::int64_t period = now.time_since_epoch() / kTicketKeyPeriod;
  TicketKeySet keys;
  keys.reserve(kTicketKeysMost);
  keys.push_back(key_of_period(secret, period));
  keys.push_back(key_of_period(secret, period + 1));
  for (std::int64_t before = 1; keys.size() < kTicketKeysMost; ++before) {
    keys.push_back(key_of_period(secret, period - before));
  }
  return keys;
}

TicketKey::~TicketKey() {
  OPENSSL_cleanse(seal.data(), seal.size());
  OPENSSL_cleanse(cipher.data(), cipher.size());
}

TicketKeys::TicketKeys() : keys_(std::make_shared<const TicketKeySet>(1, make_key())) {}

void TicketKeys::rotate() {
  auto keys = std::make_shared<TicketKeySet>();
  keys->reserve(kTicketKeysMost);
  keys->push_back(make_key());
  for (const TicketKey& key : *keys_.load()) {
    if (keys->size() < kTicketKeysMost) keys->push_back(key);
  }
  keys_.store(std::move(keys));
}

void TicketKeys::set(TicketKeySet keys) {
  assert(!keys.empty() && keys.size() <= kTicketKeysMost);
  keys_.store(std::make_shared<const TicketKeySet>(std::move(keys)));
}

}  // namespace holdfast::tls
