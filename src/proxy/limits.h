#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "http/limits.h"

namespace holdfast::proxy {

using namespace std::chrono_literals;

// Time. The timer wheel rounds every wait up by at most one tick.

/// One step of a worker's timer wheel: coarse, since no wait here needs better.
inline constexpr std::chrono::milliseconds kTimerTick = 20ms;
/// From the first byte of a request to the end of its head; 408. Also from accept to the first
/// byte; then the connection is closed.
inline constexpr std::chrono::seconds kHeadTimeout = 10s;
/// From accept, or from the end of a PROXY header, to the end of a TLS handshake.
inline constexpr std::chrono::seconds kTlsHandshakeTimeout = 10s;
/// A keep-alive connection without a request. Longer than the 60 s of common load balancers.
inline constexpr std::chrono::seconds kKeepAliveTimeout = 75s;
/// A request body without a byte while bytes are due; 408. One that comes more slowly than
/// kBodyRateLeast uses this time up.
inline constexpr std::chrono::seconds kBodyIdleTimeout = 30s;
/// A peer that reads nothing while bytes are owed to it.
inline constexpr std::chrono::seconds kWriteStallTimeout = 60s;
/// After one side of a relay has ended: how long the other may be silent.
inline constexpr std::chrono::seconds kHalfCloseTimeout = 30s;
/// How long the answer may pause for a client that has ended its side in mid-answer: it reads the
/// rest (`printf ... | nc`) or is gone (a closed EventSource), which only a write would tell.
inline constexpr std::chrono::seconds kEndedPatience = 2s;
/// How long the rest of a refused request is read and dropped, so that the answer is not lost to a
/// reset (RFC 9112 section 9.6): many clients read only once they have written all. Longer, up to
/// kLingerMost, while bytes come at kLingerRateLeast.
inline constexpr std::chrono::seconds kLingerTimeout = 2s;
inline constexpr std::chrono::seconds kLingerMost = 30s;
/// How long an upstream connection is kept for the next request. Below the 5 s after which Node and
/// uvicorn close one: a request that crosses such an end is lost, and a POST is not sent twice.
inline constexpr std::chrono::seconds kUpstreamIdleTimeout = 4s;
/// A Unix socket at which too many connections wait is tried again this long after it said so; over
/// TCP the kernel itself would try again.
inline constexpr std::chrono::milliseconds kUnixQueuePause = 20ms;
/// Accepting is tried again this long after it stopped for want of descriptors.
inline constexpr std::chrono::milliseconds kAcceptPause = 100ms;
/// Pauses of accepting are logged at most this often by each worker.
inline constexpr std::chrono::seconds kPauseLogInterval = 60s;
/// How long a debug page waits for the workers: longer than any batch of events takes, shorter than
/// a probe waits that the same thread answers.
inline constexpr std::chrono::milliseconds kListPatience = 900ms;
/// Retry-After on 503: long enough for an endpoint change, short enough for a person.
inline constexpr std::chrono::seconds kRetryAfter = 5s;

/// The longest that an ejection is doubled to. Also: one that ended longer ago does not count any
/// more.
inline constexpr std::chrono::minutes kEjectionMost = 5min;

// Bytes.

/// A worker's shared buffer: one read of a relay or a body.
inline constexpr std::size_t kScratchBytes = std::size_t{64} * 1024;
/// The first buffer of a head; it grows to kHeadBufferBytesMost.
inline constexpr std::size_t kHeadBufferBytesFirst = std::size_t{2} * 1024;
/// Also bounds what of a body, of a next request or of early frames is held with a head.
inline constexpr std::size_t kHeadBufferBytesMost = http::kHeadBytesMost + std::size_t{4} * 1024;
/// A PROXY header of version 1, its CRLF included (section 2.1 of its specification).
inline constexpr std::size_t kProxyHeaderV1BytesMost = 107;
/// One of version 2: addresses take at most 232, a client's certificate in a TLV fits.
inline constexpr std::size_t kProxyHeaderV2BytesMost = std::size_t{4} * 1024;
/// X-Request-ID of a trusted proxy; a longer one is replaced. Each WebSocket holds on to its own.
inline constexpr std::size_t kGivenRequestIdBytesMost = 64;
/// What one connection may move in a row before others have their turn.
inline constexpr std::size_t kTurnBytes = std::size_t{256} * 1024;
/// The rate below which a request's body runs out of time (kBodyIdleTimeout), in bytes per second.
inline constexpr std::uint64_t kBodyRateLeast = 500;
/// What of a refused request is read and dropped: an upload that is somewhat too long, and no more
/// than a gigabit's half second.
inline constexpr std::size_t kLingerBytesMost = std::size_t{64} * 1024 * 1024;
/// What prolongs the dropping, in bytes per second: half a megabit, as little as uploads have.
inline constexpr std::size_t kLingerRateLeast = std::size_t{64} * 1024;
static_assert(kHeadBufferBytesMost >= http::kHeadBytesMost);
static_assert(kHeadBufferBytesMost >= kProxyHeaderV2BytesMost);

// Shares, in per cent.

/// What an endpoint that has just joined or returned gets of a full share: enough to see whether it
/// works.
inline constexpr unsigned kSlowStartPercentLeast = 10;
/// Of a cluster's endpoints may be ejected: when more fail it is not their fault, or no help.
inline constexpr std::size_t kEjectedPercentMost = 50;
/// Of connect-timeout: a connect that its client has given up after so much of it has failed. A pod
/// that is there answers within milliseconds, and where one SYN was lost within little more than
/// the second after which the kernel sends the next: a quarter of the default 5 s is longer than
/// that, and shorter than the patience of most clients.
inline constexpr unsigned kAbandonedPercentLeast = 25;
/// What the endpoints for our zone must be, of the zone's even share of all of them; with fewer all
/// are used.
inline constexpr std::size_t kZoneSharePercentLeast = 50;

/// Of a zone's own endpoints so many must be usable, or those of other zones help.
inline constexpr std::size_t kZoneUsablePercentLeast = 50;

// Health checks.

/// With fewer of a cluster's endpoints healthy than this, checks are not believed: what fails is
/// something that all share, and the few would not bear the load of all.
inline constexpr std::size_t kUsablePercentLeast = 25;

/// Results in a row that put an endpoint out, and that bring it back (discovery.proto).
inline constexpr int kHealthFailuresOut = 3;
inline constexpr int kHealthSuccessesBack = 2;
/// Checks come by up to this share of their interval earlier or later, so that they stay spread.
inline constexpr double kHealthJitter = 0.1;
/// Checks under way: a thousand endpoints are not a thousand connections at once. Their descriptors
/// are of kReservedDescriptors.
inline constexpr std::size_t kHealthChecksUnderWayMost = 64;
/// So many are free when a cluster that has one under way begins another: as many clusters more can
/// begin one at any time, whatever the pods of the others take to answer.
inline constexpr std::size_t kHealthChecksKeptFree = 32;
/// Of one cluster.
inline constexpr std::size_t kHealthChecksPerClusterMost = 16;
static_assert(kHealthChecksPerClusterMost <= kHealthChecksUnderWayMost - kHealthChecksKeptFree);

// Counts.

/// Attempts for one request, the first included.
inline constexpr int kTriesMost = 3;
/// Interim (1xx) responses to one request; then 502.
inline constexpr int kInterimResponsesMost = 16;
/// Times that a request may have come through a Holdfast before; then 508. Two or three in a row
/// are a design, more are a circle.
inline constexpr std::size_t kOwnHopsMost = 5;
/// Kept upstream connections for one endpoint, and in all, of one worker.
inline constexpr std::size_t kIdlePerEndpointMost = 32;
inline constexpr std::size_t kIdleMost = 512;
/// Routes (an Ingress towards a Service) that have series of their own; what further ones count is
/// shown as one. Each has 7 series or more, which is what a Prometheus of a few gigabytes holds.
inline constexpr std::size_t kRouteSeriesMost = 20'000;
/// TLS handshakes under way on one worker, each of 20 to 40 KiB. For one more, the one that has
/// waited longest for its client is closed: those that stall go first.
inline constexpr std::size_t kTlsHandshakesMost = 1024;
/// Steps of TLS handshakes in one batch of events, each of which may take a millisecond of
/// cryptography: messages of open connections wait no longer than these take.
inline constexpr int kHandshakeStepsPerBatch = 4;
/// Connections accepted in a row before the worker turns to those it has.
inline constexpr int kAcceptBatch = 64;
/// Pending connections of a listening socket (the kernel's somaxconn may be lower).
inline constexpr int kListenBacklog = 4096;
/// Descriptors kept for everything that is not a proxied connection: logs, admin, discovery, health
/// checks.
inline constexpr std::size_t kReservedDescriptors = 200;
static_assert(kHealthChecksUnderWayMost < kReservedDescriptors / 2);
/// A worker's own: the event loop's three, the socket set; its listening sockets come on top.
inline constexpr std::size_t kWorkerDescriptors = 4;
/// Readiness events taken in one call, and rounds in a row while they keep coming in numbers.
inline constexpr int kEventBatch = 256;
inline constexpr int kPollRoundsMost = 16;
inline constexpr int kBusyBatch = 8;

// TCP keepalive and user timeout, both sides: a dead peer is found within about two minutes. The
// user timeout, not a number of probes, ends a connection (tcp(7), TCP_USER_TIMEOUT).

inline constexpr std::chrono::seconds kTcpKeepAliveIdle = 45s;
inline constexpr std::chrono::seconds kTcpKeepAliveInterval = 15s;
/// Longer than kWriteStallTimeout, which knows a stalled reader from a dead one.
inline constexpr std::chrono::seconds kTcpUserTimeout = 75s;
static_assert(kTcpUserTimeout > kWriteStallTimeout);

/// How often certificates are looked at for their end, besides at every change of one.
inline constexpr std::chrono::minutes kExpiryLook{10};
/// What was said of a certificate's end is said again after this long: a log of a day shows it,
/// whoever reads it from when.
inline constexpr std::chrono::hours kExpiryRepeat{1};
/// ACME clients renew 30 days before the end, or at a third of the lifetime; with less than this
/// left, something has not worked.
inline constexpr std::chrono::days kExpiryNotice{3};

}  // namespace holdfast::proxy
