#pragma once

// What one Ingress asks for, whoever else asks for the same. Compact, since there is one for every
// Ingress of ours as long as it exists: the Routes stand once, in the VirtualHosts.

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "controller/annotations.h"
#include "controller/compile.h"
#include "controller/problem_list.h"
#include "model/resource.h"

namespace holdfast::controller {

/// What makes two matches of one host the same. Ordered: the routes of a host are in this order.
struct Match {
  model::v1::PathMatch::MatchCase kind = model::v1::PathMatch::kFallback;
  std::string path;

  auto operator<=>(const Match&) const = default;

  [[nodiscard]] model::v1::PathMatch message() const;
  /// For people: "the prefix \"/a\"".
  [[nodiscard]] std::string text() const;
};

/// Where in its Ingress a route stands: a path of a rule, or the default backend.
struct Place {
  static constexpr std::int32_t kDefaultBackend = -1;

  std::int32_t rule = kDefaultBackend;
  std::int32_t path = 0;

  bool operator==(const Place&) const = default;
  /// "spec.rules[0].http.paths[1]" or "spec.defaultBackend".
  [[nodiscard]] std::string text() const;
};

/// A match of a host that an Ingress wants, and the cluster for it. Whether it gets it is decided
/// among all Ingresses of the host.
struct Claim {
  Match match;
  /// Of IngressResult::clusters.
  std::uint32_t cluster = 0;
  Place place;

  bool operator==(const Claim&) const = default;
};

struct HostClaims {
  std::string host;
  /// In the order in which they stand in the Ingress. May be empty: the host is then served with
  /// 404, and not by the Ingress of every other host.
  std::vector<Claim> claims;

  bool operator==(const HostClaims&) const = default;
};

/// A host that an entry of spec.tls serves over TLS.
struct TlsClaim {
  std::string host;
  /// In the Ingress's namespace; empty: the default certificate.
  std::string secret;
  /// Of spec.tls; kNoEntry: it is there for the clients' certificates alone.
  std::int32_t entry = 0;
  static constexpr std::int32_t kNoEntry = -1;
  /// The entry names no host: this is one of the rules', if the certificate is for it.
  bool if_covered = false;

  bool operator==(const TlsClaim&) const = default;
  /// "spec.tls[0]"
  [[nodiscard]] std::string field() const;
};

struct IngressResult {
  /// Sorted by host, each once.
  std::vector<HostClaims> hosts;
  /// Sorted by host; those of one host in the order of spec.tls.
  std::vector<TlsClaim> tls;
  /// Plain requests are sent to https also where no certificate of ours is for the host.
  bool forces_https = false;
  /// Names of the clusters that it names, each once. They say also which Services it depends on.
  std::vector<std::string> clusters;
  /// Of handshakes; absent: as for plain requests.
  std::optional<std::uint32_t> websocket_cluster;
  /// A RoutePolicy, serialised: a tenth of the message's memory.
  std::string policy;
  /// A HealthCheck, serialised, that it wants for its clusters; empty: none.
  std::string health_check;
  /// How the pods of its clusters are spoken to.
  UpstreamSettings upstream;
  /// Which certificates clients of its hosts must have.
  ClientSettings client;
  /// Who says what the Ingress does not say itself, by the annotation's name, as ValuePlace has it:
  /// of those that are judged later than the Ingress.
  std::vector<std::pair<std::string, std::string>> said_elsewhere;

  bool operator==(const IngressResult&) const = default;

  /// Whether its clusters are to be otherwise than Services alone make them.
  [[nodiscard]] bool chooses() const { return !health_check.empty() || upstream.says_something(); }
  /// Where a problem with the value of that annotation belongs. REQUIRES: it is one of those that
  /// are judged later.
  [[nodiscard]] ValuePlace place_of(std::string_view annotation) const;
  /// Secrets, in the Ingress's namespace, that are followed by their names.
  [[nodiscard]] std::set<std::string> named_secrets() const;
  /// Its claims of a name over TLS.
  [[nodiscard]] std::span<const TlsClaim> tls_of(const std::string& host) const;
  /// Its claims of `host`; null: none.
  [[nodiscard]] const HostClaims* claims_of(const std::string& host) const;
};

/// Depends on nothing but the Ingress, the Services that it names (of `world`), the options and the
/// settings that hold where it says nothing. REQUIRES: the Ingress is ours. Pure; never fails: what
/// is wrong is a problem, and the rest is compiled.
IngressResult compile_ingress(const kube::Ingress& ingress, const World& world,
                              const Options& options, const Defaults& defaults,
                              ProblemList& problems);

/// What options.default_backend asks for: the fallback of every host, and nothing but the defaults.
/// What is wrong is a problem of `name`. REQUIRES: there is one.
IngressResult compile_default_backend(const Options& options, const kube::ObjectName& name,
                                      const World& world, const Defaults& defaults,
                                      ProblemList& problems);

/// What options.default_certificate asks for: the certificate of clients that name no host, or one
/// without a certificate of its own. REQUIRES: there is one.
IngressResult compile_default_certificate(const Options& options);

}  // namespace holdfast::controller
