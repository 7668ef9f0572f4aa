#pragma once

// The data plane: the proxy's workers, and the discovery client that feeds them.
//
// Owned by the subcommand, on the main thread; the clock, the logs and the channel's server outlive
// it. ready(), the getters and collect(): any thread.

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "discovery/client.h"
#include "options.h"
#include "proxy/proxy.h"

namespace holdfast {

class DataPlane final : public base::MetricSource {
 public:
  /// `access_log` may be null.
  DataPlane(const Options& options, std::shared_ptr<grpc::Channel> channel,
            const base::Clock& clock, const base::Log& log, base::LogSink* access_log);
  ~DataPlane() override;

  /// Binds every address and starts the workers, which have no routes yet.
  base::Status bind();
  /// Starts to receive configuration. REQUIRES: bind() succeeded.
  void start();
  /// The stream first, so that nothing is applied to a proxy that is gone. May be called again.
  void stop();

  [[nodiscard]] const proxy::Proxy& proxy() const { return proxy_; }
  [[nodiscard]] const discovery::Client& client() const { return client_; }
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  proxy::Proxy proxy_;
  discovery::Client client_;
  bool bound_ = false;
  bool started_ = false;
};

}  // namespace holdfast
