#include "tls/server_context.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <string>

#include "tls/client_hello.h"
#include "tls/limits.h"

namespace holdfast::tls {

namespace {

constexpr const char* kIntermediateCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:prime256v1:secp384r1";
constexpr std::string_view kHttp11 = "http/1.1";

/// A cipher that is looked up once: OpenSSL's look-up by name takes a lock.
const EVP_CIPHER* ticket_cipher() {
  static const std::unique_ptr<EVP_CIPHER, Free<EVP_CIPHER_free>> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr));
  return cipher.get();
}

bool key_seal(EVP_MAC_CTX* seal, const TicketKey& key) {
  char digest[] = "SHA256";
  // OpenSSL takes what it only reads as not const.
  auto* secret = const_cast<unsigned char*>(key.seal.data());
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, key.seal.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(seal, params) == 1;
}

Stream& stream_of(SSL* ssl) { return *static_cast<Stream*>(SSL_get_app_data(ssl)); }

/// What the client must show. REQUIRES: the policy has its authorities.
bool ask_client(SSL* ssl, const ClientPolicy& client) {
  const bool required = client.ask == ClientPolicy::Ask::kRequired;
  SSL_set_verify(ssl, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_set_verify_depth(ssl, client.depth);
  STACK_OF(X509_NAME)* names = SSL_dup_CA_list(client.authorities->names());
  if (names == nullptr) return false;
  SSL_set_client_CA_list(ssl, names);
  return SSL_set1_verify_cert_store(ssl, client.authorities->store()) == 1;
}

}  // namespace

base::StatusOr<std::unique_ptr<ServerContext>> ServerContext::make(Profile profile,
                                                                   const TicketKeys& keys) {
  std::unique_ptr<ServerContext> made(new ServerContext(keys));
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made->context_.get();
  if (context == nullptr) return absl::InternalError("OpenSSL: " + take_error());
  const int least = profile == Profile::kModern ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, least) != 1 ||
      SSL_CTX_set_cipher_list(context, kIntermediateCiphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1 || ticket_cipher() == nullptr) {
    return absl::InternalError("OpenSSL does not know what TLS profiles are made of: " +
                               take_error());
  }
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A record's header and body in one read.
  SSL_CTX_set_read_ahead(context, 1);
  // Sessions live in tickets alone: nothing is kept here, and any worker resumes them.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, std::chrono::seconds(kSessionLifetime).count());
  SSL_CTX_set_num_tickets(context, kTicketsPerHandshake);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
  SSL_CTX_set_app_data(context, made.get());
  SSL_CTX_set_client_hello_cb(context, on_client_hello, nullptr);
  SSL_CTX_set_cert_cb(context, on_certificate, nullptr);
  SSL_CTX_set_alpn_select_cb(context, on_alpn, nullptr);
  return made;
}

std::unique_ptr<Stream> ServerContext::accept(Transport& transport,
                                              const IdentityFinder& finder) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (ssl == nullptr) return nullptr;
  SSL_set_accept_state(ssl.get());
  return std::make_unique<Stream>(std::move(ssl), transport, &finder);
}

int ServerContext::on_client_hello(SSL* ssl, int* alert, void*) {
  Stream& stream = stream_of(ssl);
  // A second one, after a HelloRetryRequest, changes nothing.
  if (stream.identity_ != nullptr) return SSL_CLIENT_HELLO_SUCCESS;
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  std::string name;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &size) == 1) {
    auto parsed = parse_server_name({reinterpret_cast<const char*>(extension), size});
    if (!parsed) {
      *alert = SSL_AD_DECODE_ERROR;
      return SSL_CLIENT_HELLO_ERROR;
    }
    stream.has_server_name_ = true;
    name = *std::move(parsed);
  }
  stream.identity_ = stream.finder_->find_identity(name);
  const ServerIdentity& identity = *stream.identity_;
  const ServerIdentity::Binding& binding = identity.binding();
  if (SSL_set_session_id_context(ssl, binding.data(), binding.size()) != 1) {
    return SSL_CLIENT_HELLO_ERROR;
  }
  const ClientPolicy& client = identity.client();
  if (client.ask == ClientPolicy::Ask::kNothing) return SSL_CLIENT_HELLO_SUCCESS;
  if (client.authorities == nullptr) {
    stream.failure_ = HandshakeFailure::kNoAuthorities;
    *alert = SSL_AD_ACCESS_DENIED;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return ask_client(ssl, client) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

int ServerContext::on_certificate(SSL* ssl, void*) {
  const Stream& stream = stream_of(ssl);
  const auto& own = stream.identity_->certificates();
  const auto& certificates =
      own.empty() ? stream.finder_->other_certificates(*stream.identity_) : own;
  bool any = false;
  for (const CertificatePtr& certificate : certificates) {
    // One for each kind of key: a second of a kind is not taken, which is no error.
    any |= SSL_use_cert_and_key(ssl, certificate->leaf(), certificate->key(), certificate->chain(),
                                0) == 1;
  }
  take_error();
  return any ? 1 : 0;
}

int ServerContext::on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                           const unsigned char* offered, unsigned int offered_size, void*) {
  std::string_view list(reinterpret_cast<const char*>(offered), offered_size);
  while (!list.empty()) {
    const auto size = static_cast<unsigned char>(list.front());
    const std::string_view protocol = list.substr(1, size);
    if (protocol == kHttp11) {
      *chosen = reinterpret_cast<const unsigned char*>(protocol.data());
      *chosen_size = size;
      return SSL_TLSEXT_ERR_OK;
    }
    list.remove_prefix(std::min(list.size(), std::size_t{size} + 1));
  }
  // RFC 7301 section 3.2.
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int ServerContext::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                             EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* seal, int sealing) {
  constexpr int kFailed = -1;
  constexpr int kUnknown = 0;
  constexpr int kDone = 1;
  constexpr int kRenew = 2;
  const auto* self = static_cast<const ServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const std::shared_ptr<const TicketKeySet> keys = self->keys_.current();
  if (sealing == 1) {
    const TicketKey& key = keys->front();
    std::copy(key.name.begin(), key.name.end(), name);
    const bool ok =
        RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) == 1 &&
        EVP_EncryptInit_ex(cipher, ticket_cipher(), nullptr, key.cipher.data(), iv) == 1 &&
        key_seal(seal, key);
    return ok ? kDone : kFailed;
  }
  const auto key = std::find_if(keys->begin(), keys->end(), [&](const TicketKey& one) {
    return std::equal(one.name.begin(), one.name.end(), name);
  });
  if (key == keys->end()) return kUnknown;
  const bool ok =
      EVP_DecryptInit_ex(cipher, ticket_cipher(), nullptr, key->cipher.data(), iv) == 1 &&
      key_seal(seal, *key);
  if (!ok) return kFailed;
  // A TLS 1.3 client uses a ticket once, and needs another (RFC 8446 appendix C.4).
  return key == keys->begin() && SSL_version(ssl) != TLS1_3_VERSION ? kDone : kRenew;
}

}  // namespace holdfast::tls
