#pragma once

// What every subcommand has: the clock, the logs, the signals. Made first and destroyed last, on
// the main thread, before any other thread. There is one in a process.

#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "options.h"

namespace holdfast {

class Program final : public base::MetricSource {
 public:
  /// Blocks SIGTERM and SIGINT for this thread and those it will start, ignores SIGPIPE, raises the
  /// descriptor limit, keeps private keys from core dumps, and has an exception that nobody caught
  /// end the process with a log line and exit code 1.
  explicit Program(const Options& options);
  /// Writes what is left of the logs, within kLogPatience.
  ~Program() override;

  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] const base::Clock& clock() const { return clock_; }
  [[nodiscard]] const base::Log& log() const { return log_; }
  /// Null: off.
  [[nodiscard]] base::LogSink* access_log() const { return access_sink_.get(); }

  /// One line a bound address; tests read the port from it.
  void log_listening(std::string_view what, std::string_view address, int port) const;
  /// Returns at the first SIGTERM or SIGINT. A second one ends the process at once.
  void wait_for_stop() const;
  /// Logs why the start failed and returns the exit code.
  [[nodiscard]] int failed(const base::Status& status) const;

  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  const base::SystemClock clock_;
  const std::unique_ptr<base::LogSink> sink_;
  const std::unique_ptr<base::LogSink> access_sink_;
  const base::Log log_;
};

}  // namespace holdfast
