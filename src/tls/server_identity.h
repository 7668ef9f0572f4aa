#pragma once

// How handshakes for a server name are answered: with which certificates, and whether the client
// must show one. Immutable; any thread.

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tls/certificate.h"
#include "tls/trust_bundle.h"

namespace holdfast::tls {

using CertificatePtr = std::shared_ptr<const Certificate>;

/// What a client must show.
struct ClientPolicy {
  enum class Ask : std::uint8_t { kNothing, kOptional, kRequired };
  Ask ask = Ask::kNothing;
  /// Null although a certificate is asked for: nobody is let in.
  std::shared_ptr<const TrustBundle> authorities;
  /// Certificates between the client's and the authority's, at most.
  int depth = 1;
  /// The pod gets the certificate itself too.
  bool forwarded = false;
};

class ServerIdentity {
 public:
  /// What sessions are bound to: one that began under another binding does not resume, so that a
  /// client without a certificate gets in nowhere where one is asked for (CVE-2025-23419).
  using Binding = std::array<unsigned char, 32>;

  /// `host`: the ServerName's. `certificate_names` stand for `certificates`, which may lack some:
  /// two identities of equal names and client policies answer for the same.
  ServerIdentity(std::string host, const std::vector<std::string>& certificate_names,
                 std::vector<CertificatePtr> certificates, ClientPolicy client,
                 std::string_view authorities_name);

  [[nodiscard]] const std::string& host() const { return host_; }
  /// In order of preference; empty: IdentityFinder::other_certificates().
  [[nodiscard]] const std::vector<CertificatePtr>& certificates() const { return certificates_; }
  [[nodiscard]] const ClientPolicy& client() const { return client_; }
  [[nodiscard]] const Binding& binding() const { return binding_; }
  /// A connection whose handshake was answered as `other` may carry requests for this name (RFC
  /// 9110 section 7.4): the certificates and what was asked of the client are the same.
  [[nodiscard]] bool same_as(const ServerIdentity& other) const { return key_ == other.key_; }

 private:
  const std::string host_;
  const std::vector<CertificatePtr> certificates_;
  const ClientPolicy client_;
  /// The names of the certificates, and the client policy, as text.
  std::string key_;
  Binding binding_;
};

/// Where a handshake finds out as whom to answer. Asked on the handshake's thread.
class IdentityFinder {
 public:
  /// `server_name`: lower case; empty: the client gave none. Never null.
  [[nodiscard]] virtual std::shared_ptr<const ServerIdentity> find_identity(
      std::string_view server_name) const = 0;
  /// Of an identity without any of its own: those of the wildcard that its host is under, else the
  /// default ones.
  [[nodiscard]] virtual const std::vector<CertificatePtr>& other_certificates(
      const ServerIdentity& identity) const = 0;

 protected:
  ~IdentityFinder() = default;
};

}  // namespace holdfast::tls
