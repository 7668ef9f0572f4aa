#pragma once

// The data plane as a whole: worker threads, each with its own io_context, socket set and listening
// sockets, and the configuration that is in force on them.
//
// Owned by main, which outlives nothing else of this room. start() and stop() on one thread;
// apply() by one thread at a time; the getters and collect() from any thread, until destruction.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "model/resource.h"
#include "proxy/connection_info.h"
#include "proxy/endpoint_info.h"
#include "proxy/route_info.h"
#include "tls/server_context.h"

namespace holdfast::proxy {

struct Options {
  /// ADDR:PORT, IPv6 in brackets; port 0 lets the kernel choose.
  std::vector<std::string> http_listen = {"0.0.0.0:8080"};
  /// The same, for connections that begin with a PROXY header; of no use without trusted_proxies.
  std::vector<std::string> http_proxy_listen = {};
  /// The same two, for connections that are encrypted.
  std::vector<std::string> https_listen = {};
  std::vector<std::string> https_proxy_listen = {};
  tls::Profile tls_profile = tls::Profile::kIntermediate;
  /// What keys of session tickets are derived from, kTicketSecretLeast bytes at least, the same for
  /// all proxies that resume each other's sessions; read again every kTicketSecretLook. Empty: keys
  /// of this process alone.
  std::string ticket_secret_file = {};
  /// Address blocks (base::parse_cidr) of the proxies in front that are believed.
  std::vector<std::string> trusted_proxies = {};
  /// IP addresses of this machine from which endpoints are connected to; none: the kernel chooses.
  std::vector<std::string> upstream_sources = {};
  /// The topology zone that this process runs in; empty: EndpointSlice hints are not followed.
  std::string zone = {};
  /// Worker threads, at least 1.
  unsigned workers = 1;
};

class Proxy final : public model::TransactionHandler, public base::MetricSource {
 public:
  /// `access_log` may be null: no access log.
  Proxy(Options options, const base::Clock& clock, const base::Log& log, base::LogSink* access_log);
  ~Proxy() override;

  /// Binds every address on every worker (SO_REUSEPORT) and starts the threads. On an error nothing
  /// is left bound.
  base::Status start();
  /// The ports bound, each list in the order of its option.
  struct Ports {
    std::vector<int> http;
    std::vector<int> http_proxy;
    std::vector<int> https;
    std::vector<int> https_proxy;
  };
  [[nodiscard]] Ports ports() const;
  /// Stops accepting, closes everything and joins the threads. REQUIRES: no apply() is under way,
  /// and none comes after.
  void stop();

  /// Puts a transaction in force: compiled once here, then posted to every worker. Returns when
  /// every worker has it, or with refusals and nothing changed. REQUIRES: start() succeeded.
  std::vector<model::Refusal> apply(const model::Transaction& transaction) override;

  /// The first transaction is in force on every worker.
  [[nodiscard]] bool ready() const;
  /// Everything held, sorted by key, for /debug/config.
  [[nodiscard]] std::vector<model::ResourcePtr> resources() const;
  /// Every endpoint, by cluster, in the order of the configuration.
  [[nodiscard]] std::vector<EndpointInfo> endpoints() const;
  /// Every route in force, sorted by host.
  [[nodiscard]] std::vector<RouteInfo> routes() const;
  [[nodiscard]] ConfigurationInfo configuration() const;
  void collect(std::vector<base::MetricFamily>& out) const override;
  /// The newest connections that match, newest first. Every worker goes through all it has, which
  /// costs it about a microsecond each. Absent when one does not answer within kListPatience.
  [[nodiscard]] std::optional<std::vector<ConnectionInfo>> connections(
      const ConnectionQuery& query) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::proxy
