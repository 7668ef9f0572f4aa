#pragma once

// Moves one message body from a source socket to a sink: decodes its framing, writes it with
// another, passes on every piece as soon as it is there, and reads nothing while a write is owed.
// Holds no buffer while it waits. Worker thread only; the sockets and buffers outlive it.

#include <cstdint>
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
    /// The sink's connection is broken.
    kSinkFailed,
  };

  /// `ahead` holds what was read of the source already, and afterwards what came behind the body.
  /// `head` goes out in front of the body, in one write with its first piece.
  BodyPump(Worker& worker, Socket& source, ReadBuffer& ahead, const http::Head& message,
           Socket& sink, http::Framing sink_framing, std::string head);

  State pump();

  /// Bytes wait for the sink.
  [[nodiscard]] bool owes() const { return !owed_.empty(); }
  [[nodiscard]] bool done() const { return decoded_ && owed_.empty(); }
  /// Something, be it of the head in front, has gone out.
  [[nodiscard]] bool started() const { return started_; }
  /// Body bytes decoded so far.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  /// Reads or takes over the next raw bytes. Empty: `state` says why.
  std::string_view next_input(bool& from_ahead, State& state);
  State take(std::string_view input, std::string& out, std::size_t& consumed);
  void encode(std::string_view data, std::string& out) const;
  State send(std::string_view bytes);

  Worker& worker_;
  Socket& source_;
  ReadBuffer& ahead_;
  Socket& sink_;
  const http::Framing source_framing_;
  const http::Framing sink_framing_;
  std::uint64_t remaining_;
  std::uint64_t bytes_ = 0;
  http::ChunkDecoder chunks_;
  std::string owed_;
  bool decoded_ = false;
  bool started_ = false;
};

}  // namespace holdfast::proxy
