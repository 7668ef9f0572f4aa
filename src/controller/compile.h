#pragma once

// Kubernetes objects in, discovery resources and problems out: pure and deterministic. The same
// objects in any order give byte-identical resources.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "controller/limits.h"
#include "kube/objects.h"
#include "model/resource.h"

namespace holdfast::controller {

/// Distinguishes slices that were made of Endpoints: no object's name has a slash.
inline constexpr std::string_view kEndpointsSlicePrefix = "endpoints/";

/// What the controller knows of the cluster, by kind and name. Core/v1 Endpoints stand among the
/// slices, as kube::slices_of() makes them. One thread (control).
struct World {
  std::map<kube::ObjectName, std::shared_ptr<const kube::Ingress>> ingresses;
  std::map<std::string, std::shared_ptr<const kube::IngressClass>> classes;
  std::map<kube::ObjectName, std::shared_ptr<const kube::Service>> services;
  /// Keyed by Service (namespace, service name), then by the slice's own name; those made of
  /// Endpoints by kEndpointsSlicePrefix and their name.
  std::map<kube::ObjectName, std::map<std::string, std::shared_ptr<const kube::EndpointSlice>>>
      slices;
  /// Those that were asked for, or more.
  std::map<kube::ObjectName, std::shared_ptr<const kube::ConfigMap>> config_maps;
  /// Those of type kubernetes.io/tls.
  std::map<kube::ObjectName, std::shared_ptr<const kube::Secret>> secrets;
  /// Those that were asked for, or more, of any type.
  std::map<kube::ObjectName, std::shared_ptr<const kube::NamedSecret>> named_secrets;
};

enum class Severity { kWarning, kError };

/// What is wrong with one object, and what is served instead.
struct Problem {
  std::string kind;
  kube::ObjectName object;
  /// JSONPath-like, as in discovery.proto's Origin.
  std::string field;
  Severity severity = Severity::kError;
  /// One sentence that says what is wrong and what is served instead.
  std::string message;

  auto operator<=>(const Problem&) const = default;
};

/// A Service's port that no Ingress names: --default-backend.
struct DefaultBackend {
  std::string namespace_name;
  kube::IngressBackend backend;
};

struct Options {
  /// --ingress-class: the Ingresses that name this class are ours, if the IngressClass object of
  /// that name has our controller name, or does not exist.
  std::string ingress_class = "holdfast";
  /// IngressClass.spec.controller of ours.
  std::string controller_name = "holdfast.dev/ingress";
  /// --watch-without-class: an Ingress that names no class, in either place, is ours whatever the
  /// default class is.
  bool watch_without_class = false;
  /// For what no Ingress serves. An Ingress without rules and with a default backend comes first.
  std::optional<DefaultBackend> default_backend = {};
  /// --defaults-configmap: what holds where neither an Ingress nor its class says anything.
  std::optional<kube::ObjectName> defaults_config_map = std::nullopt;
  /// --default-certificate: shown to clients that name no host, or one without a certificate of its
  /// own; of type kubernetes.io/tls.
  std::optional<kube::ObjectName> default_certificate = std::nullopt;
  /// --allow-external-name: Services of type ExternalName are served. Whoever may write a Service
  /// can then have Holdfast connect to whatever it reaches.
  bool allow_external_name = false;
  /// Secrets that may be followed by name, 1 at least.
  std::size_t named_secrets_most = kNamedSecretsMost;
};

struct Compiled {
  /// Sorted by key; sealed and valid (model::validate).
  std::map<model::ResourceKey, model::ResourcePtr> resources;
  /// Sorted, without duplicates.
  std::vector<Problem> problems;
};

/// Everything, by an IncrementalCompiler that is used once. Never fails: a bad object becomes a
/// problem and the rest is compiled.
Compiled compile(const World& world, const Options& options);

}  // namespace holdfast::controller
