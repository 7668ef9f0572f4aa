#pragma once

// The data plane: the proxy's workers, and the discovery client that feeds them; or, in a sidecar,
// the one configuration that they ever get.
//
// Owned by the subcommand, on the main thread; the clock, the logs and the channel's server outlive
// it. ready(), the getters and collect(): any thread.

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "discovery/client.h"
#include "discovery/state_folder.h"
#include "model/resource.h"
#include "options.h"
#include "proxy/proxy.h"

namespace holdfast {

/// Where the configuration comes from.
using ConfigurationSource = std::variant<std::shared_ptr<grpc::Channel>, model::Transaction>;

class DataPlane final : public base::MetricSource {
 public:
  /// `access_log` may be null.
  DataPlane(const Options& options, ConfigurationSource source, const base::Clock& clock,
            const base::Log& log, base::LogSink* access_log);
  ~DataPlane() override;

  /// Opens the state folder, binds every address and starts the workers, which have no routes yet.
  base::Status bind();
  /// Puts what is known in force (the state folder's, a sidecar's), and starts to receive more.
  /// The error: what a sidecar has is refused. REQUIRES: bind() succeeded.
  base::Status start();
  /// The stream first, so that nothing is applied to a proxy that is gone. May be called again.
  void stop();

  [[nodiscard]] const proxy::Proxy& proxy() const { return proxy_; }
  /// Null in a sidecar.
  [[nodiscard]] const discovery::Client* client() const { return client_.get(); }
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  proxy::Proxy proxy_;
  /// Null: nothing is kept.
  std::unique_ptr<discovery::StateFolder> state_;
  model::Transaction fixed_;
  std::unique_ptr<discovery::Client> client_;
  bool bound_ = false;
  bool started_ = false;
};

}  // namespace holdfast
