#pragma once

// Says loudly which of the certificates that are served have expired, or are about to: a user hears
// it otherwise from the first client that is turned away. One thread; never fails.

#include <map>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "proxy/identity_compiler.h"

namespace holdfast::proxy {

class CertificateExpiry {
 public:
  explicit CertificateExpiry(const base::Log& log) : log_(log) {}

  /// Logs those of which the same was not said within kExpiryRepeat: an error of an expired one, a
  /// warning of one with less than kExpiryNotice left.
  void look(const IdentityCompiler::Certificates& certificates, base::WallTime now);

 private:
  struct Told {
    /// The certificate's fingerprint, and what was said.
    std::string what;
    base::WallTime at;
  };

  const base::Log& log_;
  std::map<std::string, Told> told_;
};

}  // namespace holdfast::proxy
