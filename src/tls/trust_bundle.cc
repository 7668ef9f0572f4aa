#include "tls/trust_bundle.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <initializer_list>
#include <string>

#include "tls/limits.h"
#include "tls/pem.h"

namespace holdfast::tls {

namespace {

/// SHA-256 of the texts, one behind the other.
std::string digest_of(std::initializer_list<std::string_view> texts) {
  const std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>> digest(EVP_MD_CTX_new());
  std::string bytes(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  for (const std::string_view text : texts)
    EVP_DigestUpdate(digest.get(), text.data(), text.size());
  EVP_DigestFinal_ex(digest.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
  bytes.resize(size);
  return bytes;
}

}  // namespace

base::StatusOr<std::shared_ptr<const TrustBundle>> TrustBundle::parse(
    std::string_view authorities, std::string_view revocation_lists) {
  auto certificates = read_certificates(authorities, kAuthoritiesMost);
  if (!certificates.ok()) return certificates.status();
  std::shared_ptr<TrustBundle> bundle(new TrustBundle);
  bundle->store_.reset(X509_STORE_new());
  bundle->names_.reset(sk_X509_NAME_new_null());
  if (bundle->store_ == nullptr || bundle->names_ == nullptr) {
    return absl::ResourceExhaustedError(take_error());
  }
  for (const X509Ptr& certificate : *certificates) {
    // An authority that stands there twice is one.
    X509_STORE_add_cert(bundle->store_.get(), certificate.get());
    sk_X509_NAME_push(bundle->names_.get(),
                      X509_NAME_dup(X509_get_subject_name(certificate.get())));
  }
  if (revocation_lists.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    auto lists = read_revocation_lists(revocation_lists, kRevocationListsMost);
    if (!lists.ok()) return lists.status();
    for (const CrlPtr& list : *lists) X509_STORE_add_crl(bundle->store_.get(), list.get());
    X509_STORE_set_flags(bundle->store_.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  }
  take_error();
  bundle->fingerprint_ = digest_of({authorities, "\n", revocation_lists});
  return bundle;
}

base::StatusOr<std::shared_ptr<const TrustBundle>> TrustBundle::of_machine() {
  std::shared_ptr<TrustBundle> bundle(new TrustBundle);
  bundle->store_.reset(X509_STORE_new());
  bundle->names_.reset(sk_X509_NAME_new_null());
  if (bundle->store_ == nullptr || X509_STORE_set_default_paths(bundle->store_.get()) != 1) {
    return absl::UnavailableError("the machine's authorities cannot be read: " + take_error());
  }
  return bundle;
}

}  // namespace holdfast::tls
