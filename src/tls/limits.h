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

/// A session can be resumed for so long; then its handshake is a full one. RFC 8446 section 4.6.1
/// allows a week.
inline constexpr std::chrono::hours kSessionLifetime{12};
/// From one ticket key to the next, and how many are known: a ticket opens for all of its session's
/// lifetime. Of derived keys one is the next period's: another process's clock may be ahead.
inline constexpr std::chrono::hours kTicketKeyPeriod{6};
inline constexpr std::size_t kTicketKeysMost = 4;
static_assert(kTicketKeyPeriod * (kTicketKeysMost - 2) >= kSessionLifetime);
/// What ticket keys are derived from, bytes: as long as a key of SHA-256's; and no book.
inline constexpr std::size_t kTicketSecretLeast = 32;
inline constexpr std::size_t kTicketSecretMost = 4096;
/// How often the file with it is read again, and derived keys are made anew.
inline constexpr std::chrono::minutes kTicketSecretLook{1};

/// Tickets that a client gets with a TLS 1.3 handshake. Clients use each once; browsers open two or
/// more connections at a time.
inline constexpr std::size_t kTicketsPerHandshake = 2;

/// Sessions that a client keeps of the endpoints of one cluster, one each, some 2 KiB: more
/// endpoints than one Service has in most clusters.
inline constexpr std::size_t kPeerSessionsMost = 1000;

/// A DNS name in text (RFC 1035, section 2.3.4).
inline constexpr std::size_t kServerNameBytesMost = 253;

/// How long a certificate is valid that a process makes for itself: longer than a process lives.
inline constexpr std::chrono::hours kSelfSignedFor{24 * 365 * 10};

}  // namespace holdfast::tls
