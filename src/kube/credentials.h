#pragma once

// The bearer token and the certificate authorities of a connection to an API server, from files
// that someone else rotates. Control thread only. A file that cannot be read, is empty or makes no
// sense changes nothing: what was good stays in use. No secret is ever logged.

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

/// PEM of the certificate authorities to trust now, empty for the system's.
class CaSource {
 public:
  CaSource(std::string pem, std::string file, const base::Clock& clock)
      : file_(std::move(file)), clock_(clock), pem_(std::move(pem)) {}

  /// What the file holds, when that has changed; it is looked at every kCaRefresh. The caller
  /// accept()s it once it proves usable.
  std::optional<std::string> changed();
  void accept(std::string pem) { pem_ = std::move(pem); }
  [[nodiscard]] const std::string& pem() const { return pem_; }

 private:
  const std::string file_;
  const base::Clock& clock_;
  std::string pem_;
  std::optional<base::Instant> read_at_;
};

}  // namespace holdfast::kube
