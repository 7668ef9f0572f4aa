#pragma once

// Who may see what of the published state, by the identity that its certificate proves. Pure; any
// thread.

#include <set>
#include <string>
#include <string_view>

#include "base/status.h"
#include "model/resource.h"

namespace holdfast::discovery {

struct Grant {
  /// A DNS name or a URI of the certificate's subjectAltName (RFC 5280 section 4.2.1.6), such as
  /// "spiffe://cluster.local/ns/edge/sa/proxy"; compared as it is written.
  std::string identity;
  /// Of these namespaces; empty: of all.
  std::set<std::string> namespaces;

  /// Whether all that the resource was made of is of these namespaces. A host that others share is
  /// then not seen at all: half of its routes would send away who wants the other half.
  [[nodiscard]] bool covers(const v1::Resource& resource) const;
};

/// "IDENTITY", or "IDENTITY=NAMESPACE,NAMESPACE". The error is half a sentence.
base::StatusOr<Grant> parse_grant(std::string_view text);

}  // namespace holdfast::discovery
