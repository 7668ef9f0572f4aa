#pragma once

// Structured logs: one JSON object a line, on standard error for what the program says about itself
// (Log) and on standard output for accesses (access log). Writing never blocks the caller: lines go
// through a bounded queue (kLogQueueLines) to a thread of its own; when the reader of the pipe is
// stuck the oldest lines are lost and counted.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace holdfast::base {

/// Appends `text` to `out` as a JSON string, quotes included. Control bytes, quotes and backslashes
/// are escaped; bytes that are not valid UTF-8 become U+FFFD, so that a line is always valid JSON.
void append_json_string(std::string& out, std::string_view text);

/// One field of a log line. The key is a constant in snake_case.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;
};

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Where lines go. Any thread. Owned by main; outlives every room. write() never blocks and never
/// fails; flush_and_stop() waits at most `patience` for a stuck reader.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// REQUIRES: `line` is one JSON object without a newline.
  virtual void write(std::string line) = 0;
  [[nodiscard]] virtual std::uint64_t lost_lines() const = 0;
  virtual void flush_and_stop(Duration patience) = 0;
};

/// A sink on a file descriptor (1 or 2), not owned.
std::unique_ptr<LogSink> make_descriptor_sink(int descriptor);

/// The program's own log. The message is a constant, the facts are fields. warn: we recovered;
/// error: someone must act. Any thread.
class Log {
 public:
  Log(LogSink& sink, const Clock& clock, LogLevel level = LogLevel::kInfo)
      : sink_(sink), clock_(clock), level_(level) {}

  void debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) const;

 private:
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) const;

  LogSink& sink_;
  const Clock& clock_;
  const LogLevel level_;
};

/// Appends `"key":value` pairs, with a comma before each, to a JSON object under construction.
void append_json_fields(std::string& out, std::initializer_list<LogField> fields);

/// RFC 3339 in UTC with milliseconds.
void append_timestamp(std::string& out, WallTime time);

}  // namespace holdfast::base
