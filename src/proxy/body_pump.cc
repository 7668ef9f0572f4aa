#include "proxy/body_pump.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/worker.h"

namespace holdfast::proxy {

using http::Framing;

BodyPump::BodyPump(Worker& worker, Socket& source, ReadBuffer& ahead, const http::Head& message,
                   Socket& sink, Framing sink_framing, std::string head)
    : worker_(worker),
      source_(source),
      ahead_(ahead),
      sink_(sink),
      source_framing_(message.framing),
      sink_framing_(sink_framing),
      remaining_(message.framing == Framing::kLength ? message.content_length : 0),
      owed_(std::move(head)),
      decoded_(!message.has_body()) {}

BodyPump::State BodyPump::pump() {
  if (sink_failed_) return State::kSinkFailed;
  std::size_t moved = 0;
  // A head in front is held back for the first piece of body, if that is here already.
  const bool head_waits = !sink_blocked_ && !decoded_ && (!ahead_.empty() || source_.readable());
  if (owes() && !head_waits) {
    if (const State state = send_owed(); state != State::kDone) return state;
  }
  while (!decoded_) {
    if (source_failure_) return *source_failure_;
    if (moved >= kTurnBytes) return State::kTurnOver;
    bool from_ahead = false;
    const std::string_view input = next_input(from_ahead);
    if (input.empty() && !decoded_) {
      if (const State state = send_owed(); state != State::kDone) return state;
      return source_failure_.value_or(State::kBlocked);
    }

    std::string& out = worker_.staging();
    out = std::exchange(owed_, {});
    std::size_t consumed = 0;
    if (!input.empty() && !take(input, out, consumed)) {
      out.clear();
      return *source_failure_;
    }
    moved += input.size();
    const std::string_view rest = input.substr(consumed);
    if (decoded_ && sink_framing_ == Framing::kChunked) out += http::kLastChunk;
    if (from_ahead) {
      ahead_.consume(consumed);
    } else if (!rest.empty()) {
      ahead_.assign(rest);
    }
    const State sent = send(out);
    out.clear();
    if (sent != State::kDone) return sent;
  }
  return State::kDone;
}

std::string_view BodyPump::next_input(bool& from_ahead) {
  const std::uint64_t wanted = source_framing_ == Framing::kLength
                                   ? std::min<std::uint64_t>(remaining_, kScratchBytes)
                                   : kScratchBytes;
  if (!ahead_.empty()) {
    from_ahead = true;
    return ahead_.view().substr(0, wanted);
  }
  if (!source_.readable()) return {};
  const Socket::Result result = source_.receive(worker_.scratch(), wanted);
  if (result.error == EAGAIN) return {};
  if (result.bytes > 0) return {worker_.scratch(), result.bytes};
  if (result.error == 0 && source_framing_ == Framing::kUntilClose) {
    decoded_ = true;
    return {};
  }
  source_failure_ = State::kTruncated;
  return {};
}

bool BodyPump::take(std::string_view input, std::string& out, std::size_t& consumed) {
  if (source_framing_ != Framing::kChunked) {
    if (!count(input.size())) return false;
    encode(input, out);
    consumed = input.size();
    if (source_framing_ == Framing::kLength) {
      remaining_ -= input.size();
      decoded_ = remaining_ == 0;
    }
    return true;
  }
  while (consumed < input.size() && !decoded_) {
    const http::ChunkDecoder::Step step = chunks_.next(input.substr(consumed));
    if (step.state == http::ChunkDecoder::State::kError) {
      source_failure_ = State::kBadCoding;
      return false;
    }
    if (!count(step.data.size())) return false;
    encode(step.data, out);
    consumed += step.consumed;
    decoded_ = step.state == http::ChunkDecoder::State::kDone;
  }
  return true;
}

bool BodyPump::count(std::size_t bytes) {
  if (bytes > bytes_most_ - bytes_) {
    source_failure_ = State::kTooLong;
    return false;
  }
  bytes_ += bytes;
  return true;
}

void BodyPump::encode(std::string_view data, std::string& out) const {
  if (data.empty()) return;
  if (sink_framing_ != Framing::kChunked) {
    out += data;
    return;
  }
  char header[http::kChunkHeaderBytes];
  out.append(header, http::write_chunk_header(data.size(), header));
  out += data;
  out += "\r\n";
}

BodyPump::State BodyPump::send(std::string_view bytes) {
  if (bytes.empty()) return State::kDone;
  const Socket::Result result = sink_.send(bytes.data(), bytes.size());
  sink_failed_ = result.error != 0 && result.error != EAGAIN;
  if (sink_failed_) return State::kSinkFailed;
  started_ |= result.bytes > 0;
  sent_ += result.bytes;
  sink_blocked_ = result.bytes < bytes.size();
  if (!sink_blocked_) return State::kDone;
  owed_ = bytes.substr(result.bytes);
  untaken_ = sink_.untaken();
  return State::kBlocked;
}

bool BodyPump::drains() {
  const int before = std::exchange(untaken_, sink_.untaken());
  return untaken_ < before;
}

BodyPump::State BodyPump::send_owed() {
  const std::string owed = std::exchange(owed_, {});
  return send(owed);
}

}  // namespace holdfast::proxy
