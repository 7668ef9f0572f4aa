#include "proxy/relay.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/access_log.h"

namespace holdfast::proxy {

void Relay::start(Worker& worker, RelayStart start) {
  auto* relay = new Relay(worker, start);
  relay->set_deadline();
  if (!relay->deliver(Direction::kDownstreamward, start.switching_head)) return;
  relay->pass(Direction::kDownstreamward, start.from_upstream);
  if (relay->retired()) return;
  relay->pass(Direction::kUpstreamward, start.from_downstream);
  if (!relay->retired()) relay->work();
}

Relay::Relay(Worker& worker, RelayStart& start)
    : Connection(worker),
      downstream_(std::move(start.downstream)),
      upstream_(std::move(start.upstream)),
      lease_(std::move(start.lease)),
      policy_(std::move(start.policy)),
      opened_(worker.now()),
      last_activity_(worker.now()),
      id_(std::move(start.id)),
      client_(start.client),
      slot_(std::move(start.slot)) {
  downstream_->set_handler(this);
  upstream_->set_handler(this);
  policy_->counters(worker.index()).open_websockets.add();
}

Socket& Relay::source_of(Direction direction) {
  return direction == Direction::kUpstreamward ? *downstream_ : *upstream_;
}

Socket& Relay::sink_of(Direction direction) {
  return direction == Direction::kUpstreamward ? *upstream_ : *downstream_;
}

void Relay::on_ready(Socket&) {
  last_activity_ = worker_.now();
  work();
}

void Relay::on_turn() { work(); }

void Relay::work() {
  for (const Direction direction : {Direction::kUpstreamward, Direction::kDownstreamward}) {
    if (!pay_debt(direction) || !move(direction)) return;
  }
  // A client that broke off waits for nothing: what its pod does not take is not held on to. (With
  // our side ended, a broken socket only means that both sides have ended.)
  const bool client_gone = downstream_->broken() && !flow(Direction::kDownstreamward).ended;
  if (client_gone && flow(Direction::kUpstreamward).owed != nullptr) {
    finish(reason_of_error(true, ECONNRESET));
  }
}

bool Relay::pay_debt(Direction direction) {
  Flow& flow = this->flow(direction);
  if (flow.owed == nullptr || !sink_of(direction).writable()) return true;
  const std::unique_ptr<std::string> owed = std::move(flow.owed);
  const base::Instant last_payment = flow.last_payment;
  if (!deliver(direction, *owed)) return false;
  if (flow.owed != nullptr && flow.owed->size() == owed->size()) flow.last_payment = last_payment;
  if (flow.owed == nullptr && flow.ended) {
    if (finish_if_done()) return false;
    end_sink(direction);
  }
  return true;
}

bool Relay::finish_if_done() {
  for (const Flow& flow : flows_) {
    if ((!flow.ended && !flow.dead) || flow.owed != nullptr) return false;
  }
  finish(reason_of_end());
  return true;
}

bool Relay::on_sink_error(Direction direction, int error) {
  Flow& flow = this->flow(direction);
  flow.dead = true;
  if (broken_ == CloseReason::kNone) {
    broken_ = reason_of_error(direction == Direction::kDownstreamward, error);
  }
  if (finish_if_done()) return false;
  // A peer that breaks off may have said why: what it sent before is read to its end and delivered.
  set_deadline();
  return move(opposite(direction));
}

CloseReason Relay::reason_of_end() const {
  return first_sign_ != CloseReason::kNone ? first_sign_ : broken_;
}

bool Relay::move(Direction direction) {
  Flow& flow = this->flow(direction);
  Socket& source = source_of(direction);
  std::size_t moved = 0;
  while (source.readable() && flow.owed == nullptr && !flow.ended && !flow.dead) {
    if (moved >= kTurnBytes) {
      worker_.sockets().take_turn_later(*this);
      return true;
    }
    const Socket::Result result = source.receive(worker_.scratch(), kScratchBytes);
    if (result.error == EAGAIN) return true;
    if (result.error != 0) {
      finish(reason_of_error(direction == Direction::kUpstreamward, result.error));
      return false;
    }
    if (result.bytes == 0) return on_source_end(direction);
    moved += result.bytes;
    pass(direction, {worker_.scratch(), result.bytes});
    if (retired()) return false;
  }
  return true;
}

void Relay::pass(Direction direction, std::string_view bytes) {
  if (bytes.empty()) return;
  Flow& flow = this->flow(direction);
  const websocket::WalkTally tally = flow.walker.walk(bytes.data(), bytes.size());
  flow.bytes += bytes.size();
  flow.messages += tally.messages;
  RouteCounters& counters = policy_->counters(worker_.index());
  counters.bytes[index_of(direction)].add(bytes.size());
  counters.messages[index_of(direction)].add(tally.messages);
  if (first_sign_ == CloseReason::kNone && flow.walker.closed()) {
    first_sign_ = direction == Direction::kUpstreamward ? CloseReason::kDownstreamCloseFrame
                                                        : CloseReason::kUpstreamCloseFrame;
  }
  deliver(direction, bytes);
}

bool Relay::deliver(Direction direction, std::string_view bytes) {
  if (flow(direction).owed != nullptr) {
    // Only at the start, where several pieces come at once.
    flow(direction).owed->append(bytes);
    return true;
  }
  const Socket::Result result = sink_of(direction).send(bytes.data(), bytes.size());
  if (result.error != 0 && result.error != EAGAIN) {
    return on_sink_error(direction, result.error);
  }
  if (result.bytes < bytes.size()) {
    flow(direction).owed = std::make_unique<std::string>(bytes.substr(result.bytes));
    flow(direction).last_payment = worker_.now();
    flow(direction).untaken = sink_of(direction).untaken();
    set_deadline();
  }
  return true;
}

bool Relay::on_source_end(Direction direction) {
  Flow& flow = this->flow(direction);
  flow.ended = true;
  if (first_sign_ == CloseReason::kNone && broken_ == CloseReason::kNone) {
    first_sign_ = direction == Direction::kUpstreamward ? CloseReason::kDownstreamEnded
                                                        : CloseReason::kUpstreamEnded;
  }
  if (finish_if_done()) return false;
  if (flow.owed == nullptr && !flow.dead) end_sink(direction);
  set_deadline();
  return true;
}

void Relay::end_sink(Direction direction) {
  sink_of(direction).end_sending();
  flow(direction).untaken = sink_of(direction).untaken();
}

CloseReason Relay::reason_of_error(bool downstream, int error) const {
  // After a Close frame or an end of stream, how the TCP connection goes down says nothing more.
  if (reason_of_end() != CloseReason::kNone) return reason_of_end();
  if (error == ETIMEDOUT) {
    return downstream ? CloseReason::kDownstreamStalled : CloseReason::kUpstreamStalled;
  }
  return downstream ? CloseReason::kDownstreamReset : CloseReason::kUpstreamReset;
}

void Relay::set_deadline() {
  base::Instant when = last_activity_ + policy_->idle_timeout();
  for (const Flow& flow : flows_) {
    if (flow.ended || flow.dead) when = std::min(when, last_activity_ + kHalfCloseTimeout);
    if (flow.owed != nullptr) when = std::min(when, flow.last_payment + kWriteStallTimeout);
  }
  worker_.set_timer(*this, when);
}

void Relay::look_for_drains() {
  for (const Direction direction : {Direction::kUpstreamward, Direction::kDownstreamward}) {
    Flow& flow = this->flow(direction);
    if (flow.dead || (flow.owed == nullptr && !flow.ended)) continue;
    // The kernel asks for more only when much of its buffer is free: a slow reader takes minutes.
    const int before = std::exchange(flow.untaken, sink_of(direction).untaken());
    // A peer that has taken all (the end of stream counts as a byte) is waited for no longer.
    const bool takes = flow.untaken < before && (flow.owed != nullptr || flow.untaken > 0);
    if (takes) flow.last_payment = last_activity_ = worker_.now();
  }
}

bool Relay::stalled(Direction direction) {
  const Flow& flow = this->flow(direction);
  return flow.owed != nullptr && worker_.now() - flow.last_payment >= kWriteStallTimeout;
}

void Relay::on_deadline() {
  look_for_drains();
  const base::Instant now = worker_.now();
  const bool ended = flows_[0].ended || flows_[1].ended || broken_ != CloseReason::kNone;
  if (now - last_activity_ >= policy_->idle_timeout()) {
    finish(CloseReason::kIdleTimedOut);
  } else if (ended && now - last_activity_ >= kHalfCloseTimeout) {
    // After a Close frame only the peer's end of stream was awaited: the reason is that frame.
    const bool closing = first_sign_ == CloseReason::kDownstreamCloseFrame ||
                         first_sign_ == CloseReason::kUpstreamCloseFrame;
    finish(closing || broken_ != CloseReason::kNone ? reason_of_end()
                                                    : CloseReason::kHalfCloseTimedOut);
  } else if (stalled(Direction::kDownstreamward)) {
    finish(CloseReason::kDownstreamStalled);
  } else if (stalled(Direction::kUpstreamward)) {
    finish(CloseReason::kUpstreamStalled);
  } else {
    set_deadline();
  }
}

bool Relay::describe(ConnectionInfo& info) const {
  info.kind = "websocket";
  info.request_id = id_.to_string();
  info.set_route(*policy_, lease_.endpoint().get());
  info.client = base::to_string(client_);
  info.age = worker_.now() - opened_;
  for (std::size_t i = 0; i < kDirectionCount; ++i) {
    info.bytes[i] = flows_[i].bytes;
    info.messages[i] = flows_[i].messages;
  }
  return true;
}

void Relay::abort(CloseReason reason) { finish(reason); }

void Relay::finish(CloseReason reason) {
  const Flow& up = flow(Direction::kUpstreamward);
  const Flow& down = flow(Direction::kDownstreamward);
  // The code that the side which closed first gave; the echo repeats it.
  const std::uint16_t code = first_sign_ == CloseReason::kUpstreamCloseFrame || !up.walker.closed()
                                 ? down.walker.close_code()
                                 : up.walker.close_code();
  RouteCounters& counters = policy_->counters(worker_.index());
  counters.open_websockets.subtract();
  counters.count_close(reason, code);
  worker_.counters().lifetimes.observe(worker_.now() - opened_);
  if (base::LogSink* sink = worker_.shared().access_log) {
    WebSocketClose closed;
    closed.id = id_.to_string();
    closed.client = base::to_string(client_);
    closed.policy = policy_.get();
    closed.endpoint = lease_.endpoint()->text;
    closed.reason = reason;
    closed.code = code;
    closed.open_for = worker_.now() - opened_;
    closed.bytes = {up.bytes, down.bytes};
    closed.messages = {up.messages, down.messages};
    sink->write(to_line(closed, worker_.shared().clock.wall_now()));
  }
  lease_ = {};
  downstream_.reset();
  upstream_.reset();
  retire();
}

}  // namespace holdfast::proxy
