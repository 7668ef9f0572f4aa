#pragma once

// A certificate with the chain that leads to its authority and its private key, as a
// kubernetes.io/tls Secret has them: parsed, and checked to belong together. Immutable; any thread.
// The key is never given out as bytes, and is wiped when the last owner goes.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "tls/openssl.h"

namespace holdfast::tls {

/// What its owner may be told and shown of a certificate.
struct CertificateFacts {
  /// The DNS names that it is valid for, lower case, wildcards as they are written: those of its
  /// subjectAltName, or else the subject's common name (RFC 6125 section 6.4.4).
  std::vector<std::string> names;
  std::string subject;
  std::string issuer;
  /// SHA-256 of the certificate, lower-case hex.
  std::string fingerprint;
  /// "RSA", "EC", "ED25519": a client may be able to verify one and not another.
  std::string key_type;
  base::WallTime not_before;
  base::WallTime not_after;
};

/// REQUIRES: not null.
CertificateFacts facts_of(X509* certificate);

class Certificate {
 public:
  /// `chain` and `key` as PEM: the certificate first, then those above it in any order; text around
  /// them is ignored. The error is one sentence that shows nothing of the key.
  static base::StatusOr<std::shared_ptr<const Certificate>> parse(std::string_view chain,
                                                                  std::string_view key);
  /// One for `name` that is signed by itself, P-256, valid from now for kSelfSignedFor.
  static base::StatusOr<std::shared_ptr<const Certificate>> make_self_signed(
      const std::string& name, base::WallTime now);

  [[nodiscard]] const CertificateFacts& facts() const { return facts_; }
  /// Whether the certificate is for that host (lower case, no port; "*.x" for what a wildcard of
  /// ours covers), by RFC 6125 section 6.4.3.
  [[nodiscard]] bool covers(std::string_view host) const;

  /// Borrowed; OpenSSL's functions take references of their own.
  [[nodiscard]] X509* leaf() const { return leaf_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
  [[nodiscard]] STACK_OF(X509) * chain() const { return chain_.get(); }

 private:
  struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
  };
  Certificate() = default;
  base::Status settle();

  X509Ptr leaf_;
  KeyPtr key_;
  std::unique_ptr<STACK_OF(X509), FreeStack> chain_;
  CertificateFacts facts_;
};

}  // namespace holdfast::tls
