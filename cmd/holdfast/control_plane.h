#pragma once

// The control plane: a source of Kubernetes objects, the reconciler and the discovery server, on
// one thread ("control") and gRPC's own.
//
// Owned by the subcommand, on the main thread; the clock and the log outlive it. state(),
// published() and collect(): any thread.

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "cluster_writer.h"
#include "controller/compile.h"
#include "discovery/server.h"
#include "kube/source.h"
#include "options.h"

namespace holdfast {

struct ControlPlaneOptions {
  /// An API server, or a folder of manifests.
  std::variant<kube::ClusterConfig, std::string> source;
  bool endpoints_api = false;
  /// These three with an API server only.
  std::vector<std::string> namespaces;
  std::string label_selector;
  bool watch_list = false;
  ClusterWriterOptions writer;
  controller::Options compile;
  /// In place of the system's, for names of Services; see dns::make_client().
  std::vector<std::string> dns_servers;
  /// Empty: only within this process.
  std::string discovery_listen;
  discovery::ServerSecurity discovery_security = {};
};

/// --ingress-class and what else decides which Ingresses are served. The error is one sentence.
base::StatusOr<controller::Options> options_of_compiler(const Options& options);

/// Reads the kubeconfig, or looks whether the folder is there. The error is one sentence.
base::StatusOr<ControlPlaneOptions> control_plane_options(const Options& options);

/// What the control thread held at some moment.
struct ControlState {
  std::vector<model::ResourcePtr> resources;
  std::vector<controller::Problem> problems;
};

class ControlPlane final : public base::MetricSource {
 public:
  ControlPlane(ControlPlaneOptions options, const base::Clock& clock, const base::Log& log);
  ~ControlPlane() override;

  /// Binds the discovery address and makes the source; nothing runs yet.
  base::Status bind();
  /// Starts to read objects and to publish. REQUIRES: bind() succeeded.
  void start();
  /// Joins the control thread and ends every stream. May be called again.
  void stop();

  [[nodiscard]] const discovery::Server& discovery() const;
  /// A channel within this process. REQUIRES: bind() succeeded.
  std::shared_ptr<grpc::Channel> in_process_channel();
  /// The first complete state was published.
  [[nodiscard]] bool published() const;
  /// Asks the control thread; absent when it has not answered within kStatePatience.
  [[nodiscard]] std::optional<ControlState> state() const;
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast
