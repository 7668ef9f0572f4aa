#pragma once

// The small HTTP server for operators: /metrics, /healthz, /readyz, /debug/*. Plain HTTP/1.1 on its
// own thread, so that a scrape never delays traffic. Limits in limits.h: one connection too many
// closes the oldest; a head too large is 431; a head too slow closes its connection.
//
// Handlers run on the admin thread. Owned by main; sources and handlers outlive it. A handler that
// throws answers 500 and is logged.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/limits.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"

namespace holdfast::admin {

struct Answer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// What tests shorten.
struct Options {
  std::size_t connections_most = kConnectionsMost;
  std::chrono::milliseconds request_timeout = kRequestTimeout;
  std::chrono::milliseconds idle_timeout = kIdleTimeout;
};

class Server {
 public:
  /// `query` is the part of the target after '?', undecoded, possibly empty.
  using Handler = std::function<Answer(const std::string& query)>;

  explicit Server(const base::Log& log, Options options = {});
  /// Stops.
  ~Server();

  /// REQUIRES: before start().
  void add_metrics(const base::MetricSource& source);
  /// GET and HEAD of `path`, exactly. "/metrics" and "/healthz" are there already; the latter says
  /// that this thread runs. REQUIRES: before start().
  void handle(std::string path, Handler handler);

  /// Binds ADDR:PORT ("127.0.0.1:10254", "[::1]:0") and serves on a thread of its own.
  /// REQUIRES: called once.
  base::Status start(const std::string& address);
  /// The port bound; 0 before start().
  [[nodiscard]] int port() const;
  /// Closes every connection and joins the thread. May be called again.
  void stop();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::admin
