#pragma once

// The bearer token, the certificate authorities and the client certificate of a connection to an
// API server, from files that someone else rotates. Control thread only. A file that cannot be
// read, is empty or makes no sense changes nothing: what was good stays in use. No secret is ever
// logged.

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "kube/source.h"

namespace holdfast::kube {

/// The whole file, at most kCredentialFileBytes.
base::StatusOr<std::string> read_credential_file(const std::string& path);

/// The token to send now.
class TokenSource {
 public:
  /// With `file`, `fixed` is what is used until the file can be read.
  TokenSource(const std::string& fixed, std::string file, const base::Clock& clock,
              const base::Log& log);

  /// Empty: send none. Re-reads the file when the last look is kTokenRefresh old.
  const std::string& token();
  /// After a 401 for `refused`: looks again, and says whether there is another token to try.
  bool renew(const std::string& refused);

 private:
  void read();

  const std::string file_;
  const base::Clock& clock_;
  const base::Log& log_;
  std::string token_;
  std::optional<base::Instant> read_at_;
};

/// What a TLS connection is made with. PEM.
struct Certificates {
  /// Whom to trust; empty: the system's authorities.
  std::string authorities;
  /// Who we are; empty: nobody by certificate.
  std::string client_certificate;
  std::string client_key;

  bool operator==(const Certificates&) const = default;
};

/// The certificates to use now, from a ClusterConfig and its files.
class CertificateSource {
 public:
  /// `config` outlives it.
  CertificateSource(const ClusterConfig& config, const base::Clock& clock);

  /// What the files hold, when that has changed; they are looked at every kCertificateRefresh. The
  /// caller accept()s it once it proves usable.
  std::optional<Certificates> changed();
  void accept(Certificates fresh) { current_ = std::move(fresh); }
  /// The next changed() looks, whenever the last look was.
  void look_again() { read_at_.reset(); }
  [[nodiscard]] const Certificates& current() const { return current_; }

 private:
  const ClusterConfig& config_;
  const base::Clock& clock_;
  Certificates current_;
  std::optional<base::Instant> read_at_;
};

}  // namespace holdfast::kube
