#pragma once

// What Holdfast would make of a set of manifests, told Ingress by Ingress. Pure and deterministic;
// any thread.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "controller/compile.h"

namespace holdfast::controller {

struct CheckedRoute {
  /// "*": every host.
  std::string host;
  /// "exact", "prefix" or "fallback" (whatever no path of the host matches).
  std::string match;
  /// Empty of a fallback.
  std::string path;
  /// "NAME:PORT", the port by number, or by name where only the Ingress tells it.
  std::string service;
  /// The same, of WebSocket handshakes; empty: `service` too.
  std::string websocket_service;

  auto operator<=>(const CheckedRoute&) const = default;
};

struct CheckedIngress {
  kube::ObjectName name;
  /// By host, each host's in the order in which they are kept.
  std::vector<CheckedRoute> routes;
  /// The holdfast.dev/ annotations that say something else than the default and are not an error:
  /// names without the prefix, and values.
  std::vector<std::pair<std::string, std::string>> annotations;
  /// Sentences on what the files leave open; neither errors nor warnings.
  std::vector<std::string> notes;
  std::vector<Problem> problems;
};

struct CheckReport {
  /// By name.
  std::vector<CheckedIngress> ingresses;
  /// Those of other objects, files among them.
  std::vector<Problem> others;

  /// Problems of that severity.
  [[nodiscard]] std::size_t count(Severity severity) const;
};

/// What compile() says, with five differences, since files are not a whole cluster: ConfigMaps of
/// defaults and Secrets that are not among them say nothing and are no problem; where no Service of
/// a namespace is among them, those that its Ingresses name are taken for granted; an Ingress
/// without a class is taken for ours unless an IngressClass is among them; and annotations of
/// ingress-nginx are pointed out. `unreadable` are problems of reading the files.
CheckReport check(World world, const Options& options, std::vector<Problem> unreadable);

}  // namespace holdfast::controller
