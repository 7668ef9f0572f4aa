#include "tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string>

namespace holdfast::tls {

namespace {

/// Whether reading has ended because there is no further block, which is no error.
bool at_end() {
  const unsigned long code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

template <class Owner, class Read>
base::StatusOr<std::vector<Owner>> read_all(std::string_view pem, std::size_t most,
                                            const std::string& what, Read read) {
  ERR_clear_error();
  const BioPtr bio = reader(pem);
  std::vector<Owner> all;
  for (;;) {
    Owner one(bio == nullptr ? nullptr : read(bio.get()));
    if (one == nullptr) break;
    if (all.size() == most) {
      return absl::InvalidArgumentError("it has more than " + std::to_string(most) + " " + what +
                                        "s");
    }
    all.push_back(std::move(one));
  }
  if (!at_end()) {
    return absl::InvalidArgumentError("the " + what + " with number " +
                                      std::to_string(all.size() + 1) +
                                      " cannot be read: " + take_reason());
  }
  if (all.empty()) return absl::InvalidArgumentError("it has no " + what + " in PEM form");
  return all;
}

/// Nobody is asked for a password.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

base::StatusOr<std::vector<X509Ptr>> read_certificates(std::string_view pem, std::size_t most) {
  return read_all<X509Ptr>(pem, most, "certificate", [](BIO* bio) {
    return PEM_read_bio_X509(bio, nullptr, no_password, nullptr);
  });
}

base::StatusOr<std::vector<CrlPtr>> read_revocation_lists(std::string_view pem, std::size_t most) {
  return read_all<CrlPtr>(pem, most, "revocation list", [](BIO* bio) {
    return PEM_read_bio_X509_CRL(bio, nullptr, no_password, nullptr);
  });
}

base::StatusOr<KeyPtr> read_private_key(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio = reader(pem);
  KeyPtr key(bio == nullptr ? nullptr
                            : PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (key != nullptr) return key;
  const bool encrypted = pem.find("ENCRYPTED") != std::string_view::npos;
  take_error();
  return absl::InvalidArgumentError(encrypted ? "the private key is encrypted"
                                              : "the private key cannot be read");
}

}  // namespace holdfast::tls
