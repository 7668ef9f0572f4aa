#include "proxy/worker.h"

#include <boost/asio/post.hpp>
#include <cassert>

#include "http/serialize.h"
#include "proxy/connection.h"

namespace holdfast::proxy {

Worker::Worker(unsigned index, Shared& shared)
    : index_(index),
      shared_(shared),
      scratch_(new char[kScratchBytes]),
      now_(shared.clock.now()),
      timers_(now_),
      dialer_(shared.upstream_sources) {}

Worker::~Worker() {
  close_connections();
  // The socket set's descriptor is its own to close.
  if (readiness_.is_open()) readiness_.release();
}

base::Status Worker::open() {
  if (base::Status status = sockets_.open(); !status.ok()) return status;
  readiness_.assign(sockets_.descriptor());
  wait_for_sockets();
  return absl::OkStatus();
}

base::StatusOr<std::uint16_t> Worker::listen(const Address& address, Preamble preamble) {
  auto listener = std::make_unique<Listener>(*this, context_, preamble);
  if (base::Status status = listener->open(address); !status.ok()) return status;
  listeners_.push_back(std::move(listener));
  return listeners_.back()->port();
}

void Worker::run() {
  const auto work = boost::asio::make_work_guard(context_);
  context_.run();
}

void Worker::post(std::function<void()> task) {
  boost::asio::post(context_, [this, task = std::move(task)] {
    begin_batch();
    task();
    end_batch();
  });
}

void Worker::stop() {
  post([this] {
    for (auto& listener : listeners_) listener->close();
    close_connections();
    context_.stop();
  });
}

void Worker::close_connections() {
  while (connections_ != nullptr) {
    for (Connection* connection = connections_; connection != nullptr;
         connection = connection->next_connection_) {
      if (!connection->retired()) connection->abort(CloseReason::kShutdown);
    }
    sockets_.delete_retired();
  }
}

void Worker::wait_for_sockets() {
  readiness_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                        [this](const boost::system::error_code& error) {
                          if (!error) on_sockets_ready();
                        });
}

void Worker::on_sockets_ready() {
  // While events keep coming in numbers, ask again at once: a round through Asio costs two calls.
  int events = kBusyBatch;
  for (int round = 0; round < kPollRoundsMost && events >= kBusyBatch; ++round) {
    begin_batch();
    events = sockets_.poll();
  }
  wait_for_sockets();
  end_batch();
}

void Worker::end_batch() {
  sockets_.delete_retired();
  post_turns();
}

void Worker::post_turns() {
  if (turns_posted_ || !sockets_.has_turns()) return;
  turns_posted_ = true;
  post([this] {
    turns_posted_ = false;
    sockets_.poll();
  });
}

void Worker::set_timer(Timer& timer, base::Instant when) {
  timers_.set(timer, when);
  if (when < tick_at_) wait_for_tick();
}

void Worker::wait_for_tick() {
  const auto next = timers_.next();
  if (!next || (*next >= tick_at_ && tick_at_ > now_)) return;
  tick_at_ = *next;
  tick_.expires_after(*next - now_);
  tick_.async_wait([this](const boost::system::error_code& error) {
    if (!error) run_timers();
  });
}

void Worker::run_timers() {
  begin_batch();
  tick_at_ = base::Instant::max();
  timers_.advance(now_);
  end_batch();
  wait_for_tick();
}

std::string_view Worker::date() {
  const std::int64_t second =
      std::chrono::floor<std::chrono::seconds>(shared_.clock.wall_now()).time_since_epoch().count();
  if (second != date_second_) {
    date_ = http::format_date(second);
    date_second_ = second;
  }
  return date_;
}

void Worker::announce_policy_change() {
  for (Connection* connection = connections_; connection != nullptr;
       connection = connection->next_connection_) {
    if (!connection->retired()) connection->on_policy_change();
  }
  sockets_.delete_retired();
}

std::vector<ConnectionInfo> Worker::list(const ConnectionQuery& query) const {
  std::vector<ConnectionInfo> matching;
  // One for all, so that its texts keep their memory.
  ConnectionInfo info;
  for (const Connection* connection = connections_;
       connection != nullptr && matching.size() < query.most;
       connection = connection->next_connection_) {
    info.number = connection->number();
    if (connection->retired() || info.number >= query.before) continue;
    if (connection->describe(info) && query.matches(info)) matching.push_back(info);
  }
  return matching;
}

void Worker::give_up_kept() {
  upstreams_.clear();
  if (shared_.kept_upstreams.load(std::memory_order_relaxed) == 0) return;
  for (Worker* worker : shared_.workers) {
    if (worker != this) worker->post([worker] { worker->upstreams_.clear(); });
  }
}

void Worker::log_accept_pause(std::string_view why) {
  if (now_ < next_pause_log_) return;
  next_pause_log_ = now_ + kPauseLogInterval;
  shared_.log.warn("accepting is paused",
                   {{"worker", static_cast<std::int64_t>(index_)},
                    {"connections", static_cast<std::int64_t>(
                                        shared_.connections.load(std::memory_order_relaxed))},
                    {"reason", why}});
}

void Worker::enlist(Connection& connection) {
  connection.next_connection_ = connections_;
  connection.link_ = &connections_;
  if (connections_ != nullptr) connections_->link_ = &connection.next_connection_;
  connections_ = &connection;
}

}  // namespace holdfast::proxy
