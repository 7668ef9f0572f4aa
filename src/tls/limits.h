#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::tls {

/// Certificates of one chain, and authorities of one bundle. Chains in use have two to four; the
/// bundle that machines are delivered with has 140.
inline constexpr std::size_t kChainCertificatesMost = 16;
inline constexpr std::size_t kAuthoritiesMost = 1000;
/// Revocation lists of one bundle: one of each authority.
inline constexpr std::size_t kRevocationListsMost = kAuthoritiesMost;
/// Bits of an RSA key. The least is what OpenSSL's security level 2 asks of signatures that peers
/// accept; a key of the most takes 30 ms of a core for each handshake.
inline constexpr int kRsaBitsLeast = 2048;
inline constexpr int kRsaBitsMost = 8192;

/// How long a certificate is valid that a process makes for itself: longer than a process lives.
inline constexpr std::chrono::hours kSelfSignedFor{24 * 365 * 10};

}  // namespace holdfast::tls
