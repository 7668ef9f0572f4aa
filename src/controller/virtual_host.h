#pragma once

// What the Ingresses that name one host make of it together.

#include <set>
#include <string>
#include <tuple>

#include "controller/ingress_result.h"
#include "controller/problem_ledger.h"

namespace holdfast::controller {

/// An Ingress of ours as it was compiled last; or --default-backend.
struct Claimant {
  /// Comes after every Ingress, and yields without a word.
  bool is_flag = false;
  /// Of whoever keeps it by its name.
  const kube::ObjectName* name = nullptr;
  /// RFC 3339 in UTC; may be empty.
  std::string created;
  IngressResult result;
  ProblemLedger::Findings problems;

  [[nodiscard]] const char* kind() const { return is_flag ? kFlagKind : kIngressKind; }
  [[nodiscard]] std::string field_of(const Claim& claim) const {
    return is_flag ? "" : claim.place.text();
  }
};

/// Oldest first, then by namespace and name: who comes first owns what two of them claim.
struct ByAge {
  bool operator()(const Claimant* a, const Claimant* b) const {
    return std::tie(a->is_flag, a->created, *a->name) < std::tie(b->is_flag, b->created, *b->name);
  }
};
using Claimants = std::set<const Claimant*, ByAge>;

/// Sends plain requests to https where `has_tls` or where an Ingress asks for it in any case.
/// The VirtualHost, sealed and valid; what its validator refuses is a mistake of ours, which costs
/// that route alone, or the host (null). Conflicts are problems of those that lose. Pure.
model::ResourcePtr compile_virtual_host(const std::string& host, const Claimants& claimants,
                                        bool has_tls, ProblemList& problems);

}  // namespace holdfast::controller
