#pragma once

#include "proxy/close_reason.h"
#include "proxy/connection_info.h"
#include "proxy/socket_set.h"
#include "proxy/timer_wheel.h"
#include "proxy/worker.h"

namespace holdfast::proxy {

/// Anything with sockets that lives on a worker: a session, a relay, a kept upstream connection.
/// Made with new; ends by retire(), after which the worker deletes it. Worker thread only.
class Connection : public SocketHandler, public Timer {
 public:
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Ends it now, for a reason of the process. Must retire() it. REQUIRES: !retired().
  virtual void abort(CloseReason reason) = 0;
  /// The live settings of some route have changed.
  virtual void on_policy_change() {}
  /// Fills in all but the number. False: there is nothing to tell of it.
  virtual bool describe(ConnectionInfo&) const { return false; }
  /// See ConnectionInfo::number.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  /// Waits to be deleted.
  [[nodiscard]] bool retired() const { return retired_; }

 protected:
  explicit Connection(Worker& worker)
      : worker_(worker),
        number_(worker.shared().connections_begun.fetch_add(1, std::memory_order_relaxed)) {
    worker.enlist(*this);
  }
  ~Connection() override {
    *link_ = next_connection_;
    if (next_connection_ != nullptr) next_connection_->link_ = link_;
  }

  void retire() {
    retired_ = true;
    worker_.clear_timer(*this);
    worker_.sockets().retire(this);
  }

  Worker& worker_;

 private:
  friend class Worker;
  const std::uint64_t number_;
  Connection* next_connection_ = nullptr;
  Connection** link_ = nullptr;
  bool retired_ = false;
};

/// One open downstream connection in the process's count, for as long as it exists.
class DownstreamSlot {
 public:
  explicit DownstreamSlot(Worker& worker) : worker_(&worker) {
    worker.shared().connections.fetch_add(1, std::memory_order_relaxed);
    worker.counters().open_connections.add();
  }
  DownstreamSlot(DownstreamSlot&& other) noexcept : worker_(other.worker_) {
    other.worker_ = nullptr;
  }
  DownstreamSlot& operator=(DownstreamSlot&&) = delete;
  ~DownstreamSlot() {
    if (worker_ == nullptr) return;
    worker_->shared().connections.fetch_sub(1, std::memory_order_relaxed);
    worker_->counters().open_connections.subtract();
  }

 private:
  Worker* worker_;
};

}  // namespace holdfast::proxy
