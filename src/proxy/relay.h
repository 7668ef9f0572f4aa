#pragma once

// An upgraded connection: bytes between a downstream and an upstream socket, untouched, with a
// frame walker in each direction. May live for days, so it is small: no buffer while it is idle, no
// coroutine, one timer that is checked lazily. One recv and one send a message; while a write is
// owed in a direction nothing more is read in it.
//
// Worker thread only. Made by start(), deletes itself through the worker. Ends in exactly one
// CloseReason, which goes to the metrics and the log.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "proxy/connection.h"
#include "proxy/endpoint.h"
#include "proxy/request_id.h"
#include "proxy/route.h"
#include "websocket/frame_walker.h"

namespace holdfast::proxy {

/// What a session hands over at a validated 101.
struct RelayStart {
  SocketPtr downstream;
  SocketPtr upstream;
  DownstreamSlot slot;
  EndpointLease lease;
  std::shared_ptr<RoutePolicy> policy;
  base::IpAddress client;
  RequestId id;
  /// The 101 for the client, not part of the WebSocket stream.
  std::string_view switching_head;
  /// Frames that came behind the backend's 101.
  std::string_view from_upstream;
  /// Frames that the client sent before the 101.
  std::string_view from_downstream;
};

class Relay final : public Connection {
 public:
  static void start(Worker& worker, RelayStart start);

  void on_ready(Socket& socket) override;
  void on_turn() override;
  void abort(CloseReason reason) override;
  void on_policy_change() override { set_deadline(); }
  bool describe(ConnectionInfo& info) const override;

 private:
  /// One direction: what its walker saw and what is owed to its sink.
  struct Flow {
    websocket::FrameWalker walker;
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
    /// Read from the source, not yet taken by the sink.
    std::unique_ptr<std::string> owed;
    /// When that debt arose, or the sink's peer was last seen to have taken something.
    base::Instant last_payment;
    /// While something is owed, or once the source has ended: what the sink's peer had not taken
    /// when that was last looked at.
    int untaken = 0;
    /// The source has ended its side.
    bool ended = false;
    /// The sink's connection is broken: nothing more is taken in this direction.
    bool dead = false;
  };

  Relay(Worker& worker, RelayStart& start);
  void on_deadline() override;

  Socket& source_of(Direction direction);
  Socket& sink_of(Direction direction);
  Flow& flow(Direction direction) { return flows_[index_of(direction)]; }

  /// Passes bytes that are part of the WebSocket stream.
  void pass(Direction direction, std::string_view bytes);
  /// Sends, and owes what the sink does not take. False: the relay has ended.
  bool deliver(Direction direction, std::string_view bytes);
  bool pay_debt(Direction direction);
  /// Moves what there is, up to a turn's share. False: the relay has ended.
  bool move(Direction direction);
  bool on_source_end(Direction direction);
  void end_sink(Direction direction);
  bool on_sink_error(Direction direction, int error);
  [[nodiscard]] CloseReason reason_of_end() const;
  void work();
  /// When both sources have ended and nothing is owed, finishes. True: it has.
  bool finish_if_done();
  void set_deadline();
  /// Looks at what the sinks' peers have not taken yet. That it has become less is activity.
  void look_for_drains();
  /// The sink's peer has taken nothing for kWriteStallTimeout.
  [[nodiscard]] bool stalled(Direction direction);
  void finish(CloseReason reason);
  [[nodiscard]] CloseReason reason_of_error(bool downstream, int error) const;

  SocketPtr downstream_;
  SocketPtr upstream_;
  std::array<Flow, kDirectionCount> flows_;
  EndpointLease lease_;
  const std::shared_ptr<RoutePolicy> policy_;
  const base::Instant opened_;
  base::Instant last_activity_;
  const RequestId id_;
  const base::IpAddress client_;
  const DownstreamSlot slot_;
  /// Whose Close frame, or else end of stream, came first; decides the reason of an orderly end.
  CloseReason first_sign_ = CloseReason::kNone;
  /// How the first connection broke; the reason where there was no other sign.
  CloseReason broken_ = CloseReason::kNone;
};

}  // namespace holdfast::proxy
