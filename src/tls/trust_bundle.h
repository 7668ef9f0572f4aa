#pragma once

// Authorities that peers' certificates must lead to, and what they have revoked. Immutable; any
// thread.

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tls/openssl.h"

namespace holdfast::tls {

class TrustBundle {
 public:
  /// PEM. `revocation_lists` may be empty: nothing is revoked then; where there are any, an
  /// authority without one of its own is an authority whose certificates are refused (RFC 5280
  /// section 6.3.3). The error is one sentence.
  static base::StatusOr<std::shared_ptr<const TrustBundle>> parse(
      std::string_view authorities, std::string_view revocation_lists);
  /// The authorities that this machine trusts.
  static base::StatusOr<std::shared_ptr<const TrustBundle>> of_machine();

  /// Borrowed; shared by contexts, which count references of their own.
  [[nodiscard]] X509_STORE* store() const { return store_.get(); }
  /// The subjects of the authorities, which a server names when it asks for a certificate (RFC 8446
  /// section 4.2.4). Borrowed.
  [[nodiscard]] const STACK_OF(X509_NAME) * names() const { return names_.get(); }
  /// SHA-256 of the text that it was parsed from; empty: the machine's.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct FreeNames {
    void operator()(STACK_OF(X509_NAME) * names) const {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
    }
  };
  TrustBundle() = default;

  StorePtr store_;
  std::unique_ptr<STACK_OF(X509_NAME), FreeNames> names_;
  std::string fingerprint_;
};

}  // namespace holdfast::tls
