#pragma once

// Certificates and revocation lists out of PEM text (RFC 7468). Text around the blocks is ignored,
// as everybody ignores it; a block that does not parse is an error. Pure.

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tls/openssl.h"

namespace holdfast::tls {

/// One at least, `most` at most.
base::StatusOr<std::vector<X509Ptr>> read_certificates(std::string_view pem, std::size_t most);
base::StatusOr<std::vector<CrlPtr>> read_revocation_lists(std::string_view pem, std::size_t most);

/// A private key that is not encrypted; the first of the text.
base::StatusOr<KeyPtr> read_private_key(std::string_view pem);

}  // namespace holdfast::tls
