#pragma once

// The control plane's end of the discovery stream (proto/holdfast/discovery/v1/discovery.proto has
// the contract). Any number of clients; each gets the difference between what it holds and the
// newest state, one transaction at a time.
//
// publish() and the getters may be called from any thread. Owned by main; the log outlives it.
// Errors of a client end that client's stream only.

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "discovery/grant.h"
#include "discovery/mutual_tls.h"
#include "model/resource.h"

namespace holdfast::discovery {

/// One connected data plane, for debug pages.
struct ClientState {
  std::string node;
  std::string version;
  /// The newest transaction it acknowledged, and whether it holds everything that is published
  /// (refused resources aside).
  std::uint64_t acknowledged_transaction = 0;
  bool current = false;
  std::vector<model::Refusal> refusals;
};

/// Who may connect.
struct ServerSecurity {
  /// Empty: without TLS, and whoever reaches the address sees everything.
  TlsFiles files;
  /// Of those who prove who they are; nobody else sees anything. Not empty where `files` are not.
  std::vector<Grant> grants;
};

class Server final : public base::MetricSource {
 public:
  /// Called on gRPC's threads, also on two at once, and within publish(); no lock is held. `node`
  /// is what the client calls itself.
  using OnRefusal = std::function<void(const std::string& node, const model::Refusal&)>;

  Server(const base::Log& log, OnRefusal on_refusal);
  ~Server() override;

  /// Serves on "unix:PATH" (mode 0600; a socket file left by a dead process is replaced) or on
  /// HOST:PORT, without TLS of loopback alone. An empty address: in-process only. The error is a
  /// sentence with the kernel's reason. REQUIRES: called once; for a Unix socket, no other thread
  /// is creating files (the process's umask changes for a moment).
  base::Status start(const std::string& address, ServerSecurity security = {});
  /// The port bound for HOST:0, else 0.
  [[nodiscard]] int port() const;
  /// A channel within this process. REQUIRES: start().
  std::shared_ptr<grpc::Channel> in_process_channel();
  /// Ends every stream and waits for it, at most about kStopPatience. No refusal is told
  /// afterwards.
  void stop();

  /// Changes the published state. The first call says that the state is complete: before it nothing
  /// is sent. Resources are told apart by version (model::seal()): one that did not change costs
  /// nothing. A resource that model::validate() refuses is told to the refusal callback and not
  /// published; clients keep what they hold of it.
  void publish(model::Transaction change);

  [[nodiscard]] std::vector<ClientState> clients() const;
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::discovery
