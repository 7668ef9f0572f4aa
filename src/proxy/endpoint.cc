#include "proxy/endpoint.h"

#include "base/hash.h"

namespace holdfast::proxy {

namespace {

std::uint64_t hash_of(const std::string& text, std::string_view pod_uid) {
  return base::mix(base::fnv1a(text + '/' + std::string(pod_uid)));
}

}  // namespace

Endpoint::Endpoint(const Address& where, std::string_view pod_uid)
    : address(where), text(where.to_string()), hash(hash_of(text, pod_uid)) {}

void Endpoint::forget_failures() {
  connect_failures.store(0, std::memory_order_relaxed);
  ejections.store(0, std::memory_order_relaxed);
  ejected_until.store(0, std::memory_order_relaxed);
}

}  // namespace holdfast::proxy
