#include "tls/client_context.h"

#include <openssl/x509v3.h>

#include <utility>

#include "tls/limits.h"

namespace holdfast::tls {

base::StatusOr<std::shared_ptr<const ClientContext>> ClientContext::make(ClientSettings settings) {
  std::shared_ptr<ClientContext> made(new ClientContext(std::move(settings)));
  if (base::Status status = made->prepare(); !status.ok()) return status;
  return made;
}

base::Status ClientContext::prepare() {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = context_.get();
  if (context == nullptr) return absl::InternalError("OpenSSL: " + take_error());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context, on_session);
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
  is_address_ = X509_VERIFY_PARAM_set1_ip_asc(rules, settings_.server_name.c_str()) == 1;
  if (!is_address_ && X509_VERIFY_PARAM_set1_host(rules, settings_.server_name.c_str(), 0) != 1) {
    return absl::InvalidArgumentError("the server name cannot be used");
  }
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (settings_.authorities != nullptr) {
    SSL_CTX_set1_cert_store(context, settings_.authorities->store());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  if (const Certificate* own = settings_.certificate.get()) {
    if (SSL_CTX_use_cert_and_key(context, own->leaf(), own->key(), own->chain(), 1) != 1) {
      return absl::InternalError("OpenSSL: " + take_error());
    }
  }
  take_error();
  return absl::OkStatus();
}

std::unique_ptr<Stream> ClientContext::connect(Transport& transport,
                                               const std::string& peer) const {
  SslPtr ssl(SSL_new(context_.get()));
  if (ssl == nullptr) return nullptr;
  if (!is_address_) SSL_set_tlsext_host_name(ssl.get(), settings_.server_name.c_str());
  SSL_set_connect_state(ssl.get());
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_peer_.find(peer);
    if (known != by_peer_.end()) SSL_set_session(ssl.get(), known->second->session.get());
  }
  auto stream = std::make_unique<Stream>(std::move(ssl), transport, nullptr);
  stream->set_client(shared_from_this(), peer);
  return stream;
}

int ClientContext::on_session(SSL* ssl, SSL_SESSION* session) {
  const Stream& stream = *static_cast<const Stream*>(SSL_get_app_data(ssl));
  stream.client()->keep(stream.peer(), SessionPtr(session));
  return 1;
}

void ClientContext::keep(const std::string& peer, SessionPtr session) const {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_peer_.find(peer); known != by_peer_.end()) {
    known->second->session = std::move(session);
    sessions_.splice(sessions_.begin(), sessions_, known->second);
    return;
  }
  if (sessions_.size() == kPeerSessionsMost) {
    by_peer_.erase(sessions_.back().peer);
    sessions_.pop_back();
  }
  sessions_.push_front({peer, std::move(session)});
  by_peer_.emplace(peer, sessions_.begin());
}

}  // namespace holdfast::tls
