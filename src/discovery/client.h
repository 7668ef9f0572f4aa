#pragma once

// The data plane's end of the discovery stream. Keeps what it has, for ever, whatever happens to
// the server, and opens the stream again after a jittered wait of at most kReconnectMost.
//
// start(), stop() and the getters: any thread. The handler is called on the client's own thread,
// one call at a time, and may block: the server waits with the next transaction. Owned by main; the
// handler, the clock and the log outlive it. A server that is away, or breaks the contract, is
// logged and tried again.

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "discovery/limits.h"
#include "discovery/mutual_tls.h"
#include "discovery/subscription.h"
#include "model/resource.h"

namespace holdfast::discovery {

struct ClientOptions {
  /// Who this is, for the server's log and debug pages.
  std::string node;
  std::string version;
  /// A server that is away for longer is logged, once until it is back.
  base::Duration unreachable_after = kUnreachableAfter;
};

/// The stream: whether it is open and Hello is said, and since when it is or is not.
struct Connection {
  bool is_open = false;
  base::WallTime since;
};

/// Who the server must be, and who we are.
struct ChannelSecurity {
  /// Empty: without TLS.
  TlsFiles files;
  /// The name that the server's certificate must have; empty: the address's host.
  std::string server_name;
};

/// A channel to "unix:PATH" or HOST:PORT, without TLS of loopback alone. Connects when it is used,
/// and again with waits of at most kConnectMost. The error is a sentence.
base::StatusOr<std::shared_ptr<grpc::Channel>> make_channel(const std::string& address,
                                                            const ChannelSecurity& security = {});

class Client final : public base::MetricSource {
 public:
  Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options,
         model::TransactionHandler& handler, const base::Clock& clock, const base::Log& log);
  ~Client() override;

  /// `held`: what the handler has in force already. REQUIRES: called once.
  void start(Held held = {});
  /// Ends the stream and waits until the handler is not running and will not be called again.
  void stop();

  [[nodiscard]] Connection connection() const;
  /// Transactions applied since the start; 0: nothing received yet.
  [[nodiscard]] std::uint64_t applied() const;
  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::discovery
