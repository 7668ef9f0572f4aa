#pragma once

// What all connections to the endpoints of one cluster have in common, where they speak TLS: whom
// they are to be, what they are shown, and the sessions that they have given out. Any thread;
// streams keep it alive.

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"
#include "tls/certificate.h"
#include "tls/openssl.h"
#include "tls/stream.h"
#include "tls/trust_bundle.h"

namespace holdfast::tls {

struct ClientSettings {
  /// The name that the server's certificate must have, and the SNI; an IP address is no SNI.
  std::string server_name;
  /// Null: any certificate is taken.
  std::shared_ptr<const TrustBundle> authorities = {};
  /// Shown to a server that asks for one; null: none is.
  std::shared_ptr<const Certificate> certificate = {};
};

class ClientContext : public std::enable_shared_from_this<ClientContext> {
 public:
  static base::StatusOr<std::shared_ptr<const ClientContext>> make(ClientSettings settings);

  /// A handshake to come with `peer`, whose session is resumed where there is one. The transport
  /// outlives the stream. Null when memory is out.
  [[nodiscard]] std::unique_ptr<Stream> connect(Transport& transport,
                                                const std::string& peer) const;

 private:
  explicit ClientContext(ClientSettings settings) : settings_(std::move(settings)) {}
  base::Status prepare();
  static int on_session(SSL* ssl, SSL_SESSION* session);
  void keep(const std::string& peer, SessionPtr session) const;

  const ClientSettings settings_;
  bool is_address_ = false;
  ContextPtr context_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  struct Kept {
    std::string peer;
    SessionPtr session;
  };
  /// The one used last is in front.
  mutable std::list<Kept> sessions_;
  mutable std::map<std::string, std::list<Kept>::iterator> by_peer_;
};

}  // namespace holdfast::tls
