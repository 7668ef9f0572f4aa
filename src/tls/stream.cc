#include "tls/stream.h"

#include <openssl/err.h>

#include <array>
#include <cerrno>
#include <utility>

namespace holdfast::tls {

/// The BIO between OpenSSL and the transport: no buffer, and no system call that the transport
/// knows to be in vain.
struct StreamBio {
  static Stream& stream_of(BIO* bio) { return *static_cast<Stream*>(BIO_get_data(bio)); }

  static int finish(BIO* bio, const Transport::Result& result, int retry, std::size_t* moved) {
    if (result.bytes > 0) {
      *moved = result.bytes;
      return 1;
    }
    Stream& stream = stream_of(bio);
    if (result.error == EAGAIN) {
      BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    } else {
      stream.transport_error_ = result.error;
      stream.transport_ended_ = true;
    }
    return 0;
  }

  static int read(BIO* bio, char* buffer, std::size_t size, std::size_t* read_bytes) {
    BIO_clear_retry_flags(bio);
    Stream& stream = stream_of(bio);
    if (stream.ahead_ != nullptr) {
      *read_bytes = stream.ahead_->copy(buffer, size);
      stream.ahead_->erase(0, *read_bytes);
      if (stream.ahead_->empty()) stream.ahead_ = nullptr;
      return 1;
    }
    return finish(bio, stream.transport_.receive_raw(buffer, size), BIO_FLAGS_READ, read_bytes);
  }

  static int write(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
    BIO_clear_retry_flags(bio);
    return finish(bio, stream_of(bio).transport_.send_raw(bytes, size), BIO_FLAGS_WRITE, written);
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return stream_of(bio).transport_ended_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static const BIO_METHOD* method() {
    static const std::unique_ptr<BIO_METHOD, Free<BIO_meth_free>> made = [] {
      std::unique_ptr<BIO_METHOD, Free<BIO_meth_free>> method(
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport"));
      BIO_meth_set_read_ex(method.get(), read);
      BIO_meth_set_write_ex(method.get(), write);
      BIO_meth_set_ctrl(method.get(), control);
      return method;
    }();
    return made.get();
  }
};

namespace {

constexpr std::array<std::string_view, kHandshakeFailureCount> kLabels = {
    "none",
    "not_tls",
    "protocol_version",
    "no_shared_cipher",
    "no_application_protocol",
    "client_certificate_missing",
    "client_certificate_rejected",
    "no_authorities",
    "server_certificate_rejected",
    "alert",
    "ended",
    "other"};

HandshakeFailure failure_of(unsigned long code, bool is_server) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return HandshakeFailure::kOther;
  const int reason = ERR_GET_REASON(code);
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return HandshakeFailure::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return HandshakeFailure::kProtocolVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return HandshakeFailure::kNoSharedCipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeFailure::kNoApplicationProtocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return HandshakeFailure::kClientCertificateMissing;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return is_server ? HandshakeFailure::kClientCertificateRejected
                       : HandshakeFailure::kServerCertificateRejected;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return HandshakeFailure::kEnded;
    default:
      return reason >= SSL_AD_REASON_OFFSET ? HandshakeFailure::kAlert : HandshakeFailure::kOther;
  }
}

}  // namespace

std::string_view to_string(HandshakeFailure failure) {
  return kLabels[static_cast<std::size_t>(failure)];
}

Stream::Stream(SslPtr ssl, Transport& transport, const IdentityFinder* finder)
    : ssl_(std::move(ssl)), transport_(transport), finder_(finder) {
  BIO* bio = BIO_new(StreamBio::method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
}

Stream::~Stream() = default;

int Stream::error_of(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_SYSCALL:
      broken_ = true;
      return transport_error_ != 0 ? transport_error_ : ECONNRESET;
    default:
      broken_ = true;
      return transport_ended_ ? ECONNRESET : EPROTO;
  }
}

int Stream::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    established_ = true;
    finder_ = nullptr;
    // An old certificate is not held on to by those that were welcomed with it. (A client's own is
    // its context's.)
    if (SSL_is_server(ssl_.get()) == 1) SSL_certs_clear(ssl_.get());
    return 0;
  }
  const unsigned long code = ERR_peek_error();
  int error = error_of(done);
  if (error == EAGAIN) return error;
  // A close_notify in mid-handshake is no success.
  if (error == 0) error = ECONNRESET;
  broken_ = true;
  if (failure_ == HandshakeFailure::kNone) {
    failure_ =
        code == 0 ? HandshakeFailure::kEnded : failure_of(code, SSL_is_server(ssl_.get()) == 1);
  }
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) detail_ = X509_verify_cert_error_string(verified);
  if (detail_.empty()) detail_ = take_reason();
  return error;
}

Stream::Result Stream::receive(void* buffer, std::size_t size) {
  ERR_clear_error();
  std::size_t bytes = 0;
  const int done = SSL_read_ex(ssl_.get(), buffer, size, &bytes);
  if (done == 1) return {bytes, 0};
  return {0, error_of(done)};
}

Stream::Result Stream::send(const void* bytes, std::size_t size) {
  ERR_clear_error();
  const char* at = static_cast<const char*>(bytes);
  std::size_t total = 0;
  while (total < size) {
    std::size_t written = 0;
    const int done = SSL_write_ex(ssl_.get(), at + total, size - total, &written);
    if (done != 1) {
      const int error = error_of(done);
      return {total, total > 0 && error == EAGAIN ? 0 : error == 0 ? EPIPE : error};
    }
    total += written;
  }
  return {total, 0};
}

bool Stream::quiet() {
  ERR_clear_error();
  char byte = 0;
  std::size_t bytes = 0;
  const int done = SSL_peek_ex(ssl_.get(), &byte, 1, &bytes);
  return done != 1 && error_of(done) == EAGAIN;
}

int Stream::end_sending() {
  if (!established_ || broken_ || end_said_) return 0;
  ERR_clear_error();
  const int done = SSL_shutdown(ssl_.get());
  if (done < 0 && error_of(done) == EAGAIN) return EAGAIN;
  end_said_ = true;
  return 0;
}

std::optional<PeerCertificate> Stream::peer_certificate() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return std::nullopt;
  PeerCertificate peer{facts_of(certificate), {}, {}};
  const std::unique_ptr<BIGNUM, Free<BN_free>> serial(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  if (char* hex = serial == nullptr ? nullptr : BN_bn2hex(serial.get())) {
    peer.serial = hex;
    OPENSSL_free(hex);
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size > 0) {
    // Base64 has 4 characters for 3 bytes, and the encoder writes a zero behind them.
    peer.der_base64.resize((static_cast<std::size_t>(size) + 2) / 3 * 4 + 1);
    const int encoded =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(peer.der_base64.data()), der, size);
    peer.der_base64.resize(static_cast<std::size_t>(encoded));
  }
  OPENSSL_free(der);
  return peer;
}

}  // namespace holdfast::tls
