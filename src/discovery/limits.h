#pragma once

#include <chrono>
#include <cstddef>

namespace holdfast::discovery {

/// What one Part or one Hello message is filled to, serialised. An entry that is larger travels
/// alone.
inline constexpr std::size_t kPartBytes = std::size_t{1} << 20;
/// The largest gRPC message that either side takes; gRPC's own default, said aloud.
inline constexpr std::size_t kMessageBytesMost = std::size_t{4} << 20;
/// Resources in one transaction, serialised. A difference beyond this (ten thousand services of a
/// hundred endpoints are half of it) takes several transactions, so that every client can hold one.
inline constexpr std::size_t kTransactionBytes = std::size_t{128} << 20;
/// A transaction under assembly, serialised: twice what a server of ours sends. Beyond it the peer
/// is broken and the stream ends.
inline constexpr std::size_t kAssemblyBytesMost = std::size_t{256} << 20;
/// All messages of one Hello, serialised: about a million held resources.
inline constexpr std::size_t kHelloBytesMost = std::size_t{64} << 20;
/// One Verdict, serialised. Refusals beyond it follow with the next Verdict, since the server sends
/// the rest of a refused transaction again.
inline constexpr std::size_t kVerdictBytes = std::size_t{1} << 20;
/// The reason of one refusal. It is a sentence for a person.
inline constexpr std::size_t kReasonBytesMost = 1024;
/// Streams of one server at a time. Beyond it a new one is told RESOURCE_EXHAUSTED.
inline constexpr std::size_t kStreamsMost = 10'000;
/// Streams of one connection. A data plane opens one.
inline constexpr int kStreamsOfConnectionMost = 16;

/// Between a stream's end and the client's next try.
inline constexpr std::chrono::milliseconds kReconnectFirst{50};
inline constexpr std::chrono::milliseconds kReconnectMost{30'000};
/// A stream that applied a transaction and lasted this long was healthy: the waits start over, so
/// that a controller killed again and again is found again at once. One that breaks each time costs
/// two streams a second at most.
inline constexpr std::chrono::milliseconds kHealthyStream{500};
/// A server that is away for longer is told to people: restarts are shorter.
inline constexpr std::chrono::seconds kUnreachableAfter{5};
/// gRPC's own waits between two connects of a channel whose server is away. Both ends are on one
/// machine, where a refused connect costs microseconds and nobody else tries: so the successor of a
/// dead controller is found within about a second, however long it was away.
inline constexpr std::chrono::milliseconds kConnectFirst{100};
inline constexpr std::chrono::milliseconds kConnectMost{1'000};
/// The same between machines, over TLS, where many try and each handshake costs.
inline constexpr std::chrono::milliseconds kConnectMostAfar{10'000};
/// For one connect, HTTP/2 settings included.
inline constexpr std::chrono::milliseconds kConnectTimeout{5'000};
/// A silent peer is pinged after this time, and given up when no answer comes within the timeout:
/// a half-open connection is noticed within half a minute.
inline constexpr std::chrono::milliseconds kKeepaliveTime{20'000};
inline constexpr std::chrono::milliseconds kKeepaliveTimeout{10'000};
/// The shortest time between two pings that a server accepts: half of kKeepaliveTime.
inline constexpr std::chrono::milliseconds kPingIntervalLeast{10'000};
/// How often certificate files are looked at again: a mounted Secret follows its object within a
/// minute or so.
inline constexpr std::chrono::seconds kCertificateLook{5};
/// How long a server that stops waits for its streams to end by themselves before it cuts them.
inline constexpr std::chrono::milliseconds kStopPatience{1'000};
/// In front of each Part in a state file: its size and its hash.
inline constexpr std::size_t kStateHeaderBytes = 16;
/// Of a small state: so much history, in bytes, before the file is written anew.
inline constexpr std::size_t kStateHistoryBytes = std::size_t{1} << 20;

}  // namespace holdfast::discovery
