#pragma once

// What all handshakes of this process as a server have in common: versions, ciphers, tickets. Any
// thread; outlives its streams.

#include <memory>

#include "base/status.h"
#include "tls/openssl.h"
#include "tls/stream.h"
#include "tls/ticket_keys.h"

namespace holdfast::tls {

/// Mozilla's recommendations for servers, version 5.7.
enum class Profile : std::uint8_t {
  /// TLS 1.2 with forward secrecy and AEAD, and 1.3. Without finite-field Diffie-Hellman, which
  /// lets a client make a server work for nothing (CVE-2002-20001) and which no client needs.
  kIntermediate,
  /// TLS 1.3 alone.
  kModern,
};

class ServerContext {
 public:
  /// The keys outlive it.
  static base::StatusOr<std::unique_ptr<ServerContext>> make(Profile profile,
                                                             const TicketKeys& keys);

  /// A handshake to come. `finder` and `transport` outlive the stream. Null when memory is out.
  [[nodiscard]] std::unique_ptr<Stream> accept(Transport& transport,
                                               const IdentityFinder& finder) const;

 private:
  explicit ServerContext(const TicketKeys& keys) : keys_(keys) {}

  // OpenSSL's callbacks.
  static int on_client_hello(SSL* ssl, int* alert, void* context);
  static int on_certificate(SSL* ssl, void* context);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                     const unsigned char* offered, unsigned int offered_size, void* context);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* seal, int sealing);

  ContextPtr context_;
  const TicketKeys& keys_;
};

}  // namespace holdfast::tls
