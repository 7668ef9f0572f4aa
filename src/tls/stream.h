#pragma once

// One TLS connection over a Transport: the handshake, then plain bytes in and out. It holds no
// plaintext and no record between two calls, unless the transport did not take all of one; an idle
// one is OpenSSL's object and little more.
//
// One thread. Made by a ServerContext or a ClientContext; the transport outlives it. Errors are
// errno values: EAGAIN as from a socket; EPROTO for what breaks TLS; ECONNRESET for an end without
// close_notify, which may be somebody else's than the peer's (RFC 8446 section 6.1).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tls/openssl.h"
#include "tls/server_identity.h"
#include "tls/transport.h"

namespace holdfast::tls {

/// Why a handshake has failed; labels of a metric.
enum class HandshakeFailure : std::uint8_t {
  kNone,
  /// The peer does not speak TLS.
  kNotTls,
  kProtocolVersion,
  kNoSharedCipher,
  kNoApplicationProtocol,
  kClientCertificateMissing,
  kClientCertificateRejected,
  /// A client certificate is asked for, and nobody is known to vouch for it.
  kNoAuthorities,
  /// The server's certificate, where we are the client.
  kServerCertificateRejected,
  /// The peer has refused, by an alert.
  kAlert,
  /// The peer has left.
  kEnded,
  kOther,
};
inline constexpr std::size_t kHandshakeFailureCount =
    static_cast<std::size_t>(HandshakeFailure::kOther) + 1;
std::string_view to_string(HandshakeFailure failure);

/// What the peer's certificate says, once it has been verified.
struct PeerCertificate {
  CertificateFacts facts;
  /// Hexadecimal, as it is written in certificates.
  std::string serial;
  /// The certificate itself, DER, in base64.
  std::string der_base64;
};

class ClientContext;

class Stream {
 public:
  using Result = Transport::Result;

  /// `finder` for the server's side, which it outlives until the handshake is done; else null.
  Stream(SslPtr ssl, Transport& transport, const IdentityFinder* finder);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  /// Bytes that came before those that the transport has.
  void set_ahead(std::string_view bytes) {
    if (!bytes.empty()) ahead_ = std::make_unique<std::string>(bytes);
  }
  /// Goes on with the handshake. 0: it is done. EAGAIN: when the transport is ready again.
  int handshake();
  [[nodiscard]] bool established() const { return established_; }
  /// Why the handshake has ended in another error; `detail` in OpenSSL's words, "" when none.
  [[nodiscard]] HandshakeFailure failure() const { return failure_; }
  [[nodiscard]] std::string_view detail() const { return detail_; }

  // REQUIRES: established().

  /// As Transport::receive_raw; 0 bytes without an error: the peer has said close_notify.
  Result receive(void* buffer, std::size_t size);
  /// As Transport::send_raw. When less than all was taken, the next call begins with the rest.
  Result send(const void* bytes, std::size_t size);
  /// Nothing has come but what concerns TLS itself, such as session tickets.
  bool quiet();
  /// Says close_notify, once. EAGAIN: not yet; call again when the transport is ready. Whatever
  /// else happens, there is nothing more to say.
  int end_sending();
  /// Bytes have been received that receive() has not given out.
  [[nodiscard]] bool has_pending() const { return SSL_has_pending(ssl_.get()) == 1; }

  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  /// "TLSv1.3".
  [[nodiscard]] std::string_view version() const { return SSL_get_version(ssl_.get()); }
  /// As whom the handshake was answered; null for a client, and after forget_identity().
  [[nodiscard]] const std::shared_ptr<const ServerIdentity>& identity() const { return identity_; }
  /// The client has said which host it wants.
  [[nodiscard]] bool has_server_name() const { return has_server_name_; }
  /// Absent: the peer has shown none.
  [[nodiscard]] std::optional<PeerCertificate> peer_certificate() const;
  /// For a client's side: its context, which the stream keeps alive, and whom it speaks to.
  void set_client(std::shared_ptr<const ClientContext> context, std::string peer) {
    client_ = std::move(context);
    peer_ = std::move(peer);
  }
  [[nodiscard]] const std::shared_ptr<const ClientContext>& client() const { return client_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// Lets go of what only requests need, for a connection that will live long.
  void forget_identity() { identity_ = nullptr; }

 private:
  friend class ServerContext;
  friend struct StreamBio;

  /// What the last call to OpenSSL that failed means.
  int error_of(int returned);

  SslPtr ssl_;
  Transport& transport_;
  const IdentityFinder* finder_;
  std::shared_ptr<const ServerIdentity> identity_;
  std::unique_ptr<std::string> ahead_;
  std::shared_ptr<const ClientContext> client_;
  std::string peer_;
  std::string detail_;
  /// errno of the transport's last failure.
  int transport_error_ = 0;
  HandshakeFailure failure_ = HandshakeFailure::kNone;
  bool transport_ended_ = false;
  bool established_ = false;
  bool broken_ = false;
  bool end_said_ = false;
  bool has_server_name_ = false;
};

}  // namespace holdfast::tls
