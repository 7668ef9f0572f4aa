#include "tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <cassert>
#include <cstdlib>
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

}  // namespace

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
