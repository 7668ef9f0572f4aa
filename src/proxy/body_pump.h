#pragma once

// Moves one message body from a source socket to a sink: decodes its framing, writes it with
// another, passes on every piece as soon as it is there, and reads nothing while a write is owed.
// Holds no buffer while it waits. Worker thread only; the sockets and buffers outlive it.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "http/chunked.h"
#include "http/head.h"
#include "proxy/read_buffer.h"
#include "proxy/socket_set.h"

namespace holdfast::proxy {

class Worker;

class BodyPump {
 public:
  enum class State : std::uint8_t {
    /// Waits for the source to be readable, or for the sink to be writable (owes()).
    kBlocked,
    /// Has moved a turn's share; there is more to do at once.
    kTurnOver,
    /// The whole body has been taken by the sink's socket.
    kDone,
    /// The source ended or broke before the body did.
    kTruncated,
    /// The body's chunked coding is broken.
    kBadCoding,
    /// The body is longer than its limit; what is beyond it was not passed on.
    kTooLong,
    /// The sink's connection is broken.
    kSinkFailed,
  };

  /// `ahead` holds what was read of the source already, and afterwards what came behind the body.
  /// `head` goes out in front of the body, in one write with its first piece. REQUIRES: a message
  /// without a body is not written with a chunked framing.
  BodyPump(Worker& worker, Socket& source, ReadBuffer& ahead, const http::Head& message,
           Socket& sink, http::Framing sink_framing, std::string head);
  /// Of the body, decoded. REQUIRES: before the first pump().
  void set_limit(std::uint64_t bytes_most) { bytes_most_ = bytes_most; }

  /// A state other than kBlocked and kTurnOver is final.
  State pump();

  /// Bytes wait for the sink.
  [[nodiscard]] bool owes() const { return !owed_.empty(); }
  [[nodiscard]] bool done() const { return decoded_ && owed_.empty() && !sink_failed_; }
  /// Something, be it of the head in front, has gone out.
  [[nodiscard]] bool started() const { return started_; }
  /// Bytes that the sink has taken, heads and framing included.
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  /// While bytes wait for the sink: its peer has taken some of what was sent before, since they
  /// began to wait or since this was last asked. A slow reader is no stalled one.
  bool drains();
  /// Body bytes decoded so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  /// Reads or takes over the next raw bytes. Empty: none are there, or decoded_ or source_failure_
  /// is now set.
  std::string_view next_input(bool& from_ahead);
  /// Decodes `input` into `out`; false: source_failure_ is now set.
  bool take(std::string_view input, std::string& out, std::size_t& consumed);
  /// False: that is more than the limit, and source_failure_ is now set.
  bool count(std::size_t bytes);
  void encode(std::string_view data, std::string& out) const;
  State send(std::string_view bytes);
  State send_owed();

  Worker& worker_;
  Socket& source_;
  ReadBuffer& ahead_;
  Socket& sink_;
  const http::Framing source_framing_;
  const http::Framing sink_framing_;
  std::uint64_t remaining_;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_most_ = std::numeric_limits<std::uint64_t>::max();
  http::ChunkDecoder chunks_;
  std::string owed_;
  std::uint64_t sent_ = 0;
  /// What the sink's peer had not taken when that was last looked at.
  int untaken_ = 0;
  /// Told once what was owed to the sink has gone out.
  std::optional<State> source_failure_;
  bool decoded_ = false;
  bool started_ = false;
  /// What is owed was offered to the sink already.
  bool sink_blocked_ = false;
  bool sink_failed_ = false;
};

}  // namespace holdfast::proxy
