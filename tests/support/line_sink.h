#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"

namespace holdfast::base {

/// Keeps what is logged. write() from any thread; the lines are for whoever knows that nobody
/// writes any more, or writes on the same thread.
class LineSink final : public LogSink {
 public:
  void write(std::string line) override {
    const std::lock_guard lock(mutex_);
    lines.push_back(std::move(line));
  }
  [[nodiscard]] std::uint64_t lost_lines() const override { return 0; }
  void flush_and_stop(Duration) override {}

  /// Lines that have `text`.
  [[nodiscard]] std::size_t count(const std::string& text) const {
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [&](const std::string& line) { return line.find(text) != std::string::npos; }));
  }

  std::vector<std::string> lines;

 private:
  std::mutex mutex_;
};

}  // namespace holdfast::base
