#pragma once

// Where objects come from: the API server or a folder of manifests. Both feed one ObjectSink on the
// control thread's io_context.

#include <boost/asio/io_context.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "kube/objects.h"

namespace holdfast::kube {

/// Control thread only, except collect(). Owned by main; the sink outlives it.
class Source : public base::MetricSource {
 public:
  /// Begins to feed the sink; returns at once.
  virtual void start() = 0;
  /// Cancels everything under way; the sink is not called afterwards.
  virtual void stop() = 0;
  /// The single objects (Scope::is_single) to follow beside what the source follows anyway: these
  /// and no others. Each is asked for by name, with the right to get, list and watch it alone. The
  /// answer to one that is new is a replace() of its scope, empty where there is no such object; of
  /// one that is no longer wanted the sink hears nothing more. Before start() or after it, also
  /// from within a call of the sink.
  virtual void want(const std::set<Scope>& objects) = 0;
};

/// How to reach an API server.
struct ClusterConfig {
  /// A name or an address, IPv6 without brackets.
  std::string host;
  std::string port;
  /// The path in front of /api, usually empty.
  std::string base_path;
  /// http:// instead of https://: nothing below about TLS applies.
  bool plain_http = false;
  /// PEM; empty: the system's roots.
  std::string ca_pem;
  /// Where ca_pem came from; empty: it never changes. Looked at again every five minutes and after
  /// a failed request, as are the two below.
  std::string ca_file;
  std::string client_certificate_pem;
  std::string client_certificate_file;
  std::string client_key_pem;
  std::string client_key_file;
  /// A fixed token, or the file that a rotated one is read from (again each minute, and after a
  /// 401).
  std::string token;
  std::string token_file;
  /// Host name to verify instead of `host`.
  std::string tls_server_name;
  /// Of the pod; empty: not in one.
  std::string pod_namespace;
  bool insecure_skip_tls_verify = false;
};

/// clientcmd/v1: the current context of a kubeconfig file. exec and auth-provider plugins are an
/// error that says so.
base::StatusOr<ClusterConfig> load_kubeconfig(const std::string& path);
/// KUBERNETES_SERVICE_HOST/_PORT and the ServiceAccount folder, as in every pod.
base::StatusOr<ClusterConfig> load_in_cluster_config(
    const std::string& service_account_folder = "/var/run/secrets/kubernetes.io/serviceaccount");

/// What of a cluster is followed.
struct ClusterView {
  /// Each is listed and watched by itself, on a connection of its own.
  std::set<Scope> scopes;
  /// Of the Ingresses those with these labels, in the API server's words (labelSelector); empty:
  /// all. The other kinds are followed whole: what belongs to an Ingress need not look like it.
  std::string ingress_selector;
  /// The state comes as the first events of the watch (WatchList, sendInitialEvents) where the API
  /// server knows how, instead of as a list.
  bool watch_list = false;
};

/// Lists and watches at an API server.
std::unique_ptr<Source> make_api_server_source(boost::asio::io_context& context,
                                               ClusterConfig config, const ClusterView& view,
                                               ObjectSink& sink, const base::Clock& clock,
                                               const base::Log& log);

/// Reads every *.yaml, *.yml and *.json file of a folder (not below), and again when one changes.
/// A file that does not parse keeps its last good content and is reported. start() reads everything
/// before it returns, so that the first replace() of every kind happens there.
base::StatusOr<std::unique_ptr<Source>> make_manifest_source(boost::asio::io_context& context,
                                                             const std::string& folder,
                                                             ObjectSink& sink,
                                                             const base::Log& log);

}  // namespace holdfast::kube
