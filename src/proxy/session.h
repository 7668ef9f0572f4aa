#pragma once

// The life of a downstream connection, top to bottom, as one coroutine: read a head within its
// deadline, route it on one snapshot, reach an endpoint, forward, and either finish the HTTP
// exchange and begin again, or, on a validated 101, hand both sockets to a Relay and end.
//
// Worker thread only. Made by start(), deletes itself through the worker. No exception leaves it.

#include <array>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "http/serialize.h"
#include "proxy/access_log.h"
#include "proxy/address.h"
#include "proxy/balancer.h"
#include "proxy/body_pump.h"
#include "proxy/client_identity.h"
#include "proxy/connection.h"
#include "proxy/counter.h"
#include "proxy/endpoint.h"
#include "proxy/listener.h"
#include "proxy/read_buffer.h"
#include "proxy/task.h"
#include "tls/stream.h"

namespace holdfast::proxy {

class Session final : public Connection {
 public:
  /// Takes over an accepted descriptor that came from `peer` in on `listen_port`. False, with the
  /// descriptor closed, when the kernel has no room to watch it.
  static bool start(Worker& worker, int descriptor, const Address& peer, std::uint16_t listen_port,
                    Preamble preamble);

  void on_ready(Socket& socket) override;
  void on_turn() override;
  void on_policy_change() override;
  void abort(CloseReason reason) override;
  bool describe(ConnectionInfo& info) const override;

 private:
  /// What a coroutine waits for; any of them resumes it, and so does a broken downstream.
  enum Interest : unsigned {
    kNothing = 0,
    kDownstreamReadable = 1,
    kDownstreamWritable = 2,
    kUpstreamReadable = 4,
    kUpstreamWritable = 8,
    /// The downstream peer has ended its side: nobody wants what is waited for.
    kDownstreamEnded = 16,
  };
  struct Waiting;
  /// Suspends until something of `interests` is there (true) or `deadline` has passed (false).
  Waiting wait(unsigned interests, base::Instant deadline);
  /// Lets other connections have their turn.
  Waiting yield();

  enum class Next : std::uint8_t { kAnotherRequest, kLinger, kClose, kHandedOver };

  /// One request with everything that belongs to it.
  struct Exchange {
    RequestId id;
    base::Instant started;
    http::RequestHead request;
    /// Whose request it is; may differ from one request of a connection to the next. Points into
    /// `request`.
    ClientIdentity client;
    /// What `request` points into.
    ReadBuffer request_bytes;
    bool upgrade = false;
    RoutePtr route;
    /// Of `route`, for this kind of request.
    const Target* target = nullptr;
    int tries = 0;
    /// Not asked again: what could not be connected to, and what is in `unanswered`.
    std::vector<EndpointPtr> tried;
    /// Took the request on a connection made for it, and closed that without an answer.
    std::vector<EndpointPtr> unanswered;
    EndpointLease lease;
    /// A Set-Cookie that brings the client back to the endpoint that was chosen, or frees it of one
    /// that is gone; empty: it has named the endpoint itself.
    std::string affinity_cookie;
    /// Why TLS with an endpoint has failed; `detail` may point into it.
    std::string tls_detail;
    /// Where a redirect leads.
    std::string location;
    SocketPtr upstream;
    CountedOne open_request;
    CountedOne open_stream;
    /// `upstream` was made for this request, and not taken from those kept.
    bool is_fresh = false;
    /// A connection was closed without an answer: no kept one is taken any more.
    bool fresh_only = false;
    /// Read from upstream and not used yet.
    ReadBuffer upstream_in;
    http::ResponseHead response;
    ReadBuffer response_bytes;
    /// How much of upstream_in the parser has seen of a head that is not complete yet.
    std::size_t response_scanned = 0;
    int interim_responses = 0;
    /// The status sent downstream; 0: none yet.
    int status = 0;
    CloseReason reason = CloseReason::kNone;
    std::string_view detail;
    std::array<std::uint64_t, kDirectionCount> bytes{};
    /// When the client last moved the exchange on: its head, a piece of its body.
    base::Instant request_progress;
    base::Instant response_progress;
    /// The next piece of the request's body must have come by then.
    base::Instant body_due;
    /// The upstream takes no more of the request.
    bool upstream_deaf = false;
    /// Some of the request's body was taken from the client.
    bool body_begun = false;
    /// Whose traceparent the pod was sent: the client's, or one of which `id` is the trace.
    enum class Trace : std::uint8_t { kNone, kGiven, kStarted } trace = Trace::kNone;
  };

  Session(Worker& worker, const Address& peer, std::uint16_t listen_port);
  void on_deadline() override;
  [[nodiscard]] bool satisfied() const;
  void resume();

  // session.cc: the downstream side.
  Task<> run(Preamble preamble);
  Task<Next> serve();
  Task<CloseReason> read_request_head();
  /// What is wrong with the request before any route is known; kNone: nothing.
  CloseReason check_request();
  [[nodiscard]] RoutePtr find_route() const;
  Task<Next> refuse(CloseReason reason);
  Task<bool> send_downstream(std::string_view bytes);
  Task<> linger();
  void record();
  [[nodiscard]] bool downstream_gone() const;

  // session_identity.cc: who it is.
  /// Reads what stands before the first request, and takes it for the peer.
  Task<CloseReason> read_proxy_header();
  /// Whose request has come, and under which id.
  void identify();
  /// What a connection to the pod begins with before the head.
  std::string upstream_preamble();
  /// There is such a beginning: the connection serves this request alone.
  [[nodiscard]] bool has_preamble() const {
    return exchange_->route->settings->forwarding.proxy_protocol !=
           discovery::v1::PROXY_PROTOCOL_UNSPECIFIED;
  }

  // session_tls.cc: TLS with the client.
  Task<CloseReason> accept_tls();
  /// Answers, in the clear, a client that speaks HTTP where TLS is spoken.
  void answer_plain_http();
  /// Whether this connection may carry a request for its host.
  [[nodiscard]] CloseReason check_identity() const;
  /// The host lets in none without a certificate, and the request came without TLS.
  [[nodiscard]] bool lacks_certificate() const;
  [[nodiscard]] bool must_use_https() const;
  Task<Next> redirect_to_https();
  /// What the pod is told of the client's certificate, and what only we may say of it. The fields'
  /// values live in `texts`.
  void add_certificate_fields(std::vector<http::Field>& set, std::vector<std::string>& texts) const;

  // session_upstream.cc: reaching an endpoint and getting a response head.
  std::string upstream_head();
  Task<CloseReason> reach_upstream();
  /// None, for that reason, which is set only where it is another than before.
  Pick choose_endpoint(const Cluster& cluster, CloseReason& why_none);
  /// A Set-Cookie of that entry, or of none, for the cluster.
  [[nodiscard]] std::string affinity_cookie(const Cluster& cluster, std::string entry) const;
  /// Lets those be asked again that gave no answer. False: there are none.
  bool forgive_unanswered();
  /// One try to connect to an endpoint; its cluster outlives it.
  struct Try {
    EndpointHealth& health;
    base::Instant begun;
    /// The cluster's; null: in the clear.
    const UpstreamTls* tls = nullptr;
  };
  Task<CloseReason> connect(Try attempt);
  /// TLS over the connection just made; what a PROXY header says goes before it, in the clear.
  Task<CloseReason> secure_upstream(const Try& attempt, base::Instant deadline);
  CloseReason count_connect_failure(const Try& attempt, int error);
  /// The client has left before there was a connection.
  CloseReason count_abandoned_connect(const Try& attempt);
  /// The endpoint's doing: it may be ejected for it.
  void note_failed_connect(const Try& attempt, ConnectFailure failure);
  void drop_upstream(bool clean);
  [[nodiscard]] bool may_try_again() const;
  Task<CloseReason> send_upstream(std::string_view bytes);
  /// Reads and parses, without waiting. kNone with done = false: more is needed.
  CloseReason read_response_head(bool& done);

  // session_exchange.cc: the exchange with the upstream.
  Task<Next> exchange();
  Task<CloseReason> await_response(std::optional<BodyPump>& request_body);
  /// What became of a body for now.
  struct Pumped {
    /// kNone: waits for a socket; kCompleted: all of it has gone out.
    CloseReason reason = CloseReason::kNone;
    /// There is more to move at once, after others have had their turn.
    bool turn_over = false;
  };
  /// What it means that a body cannot go on.
  struct BodyFailures {
    CloseReason truncated;
    CloseReason bad_coding;
    CloseReason sink_failed;
  };
  static Pumped meaning_of(BodyPump::State state, const BodyFailures& failures);
  /// Moves what of the request's body there is. An upstream that takes no more of it is no error:
  /// its answer may be on the way all the same (exchange_->upstream_deaf).
  Pumped pump_request(BodyPump& body);
  /// Until when a response head is waited for, given what is waited for, and what it means when it
  /// has not come.
  struct Patience {
    base::Instant until;
    CloseReason reason;
  };
  [[nodiscard]] Patience patience_for_response(unsigned interests) const;
  /// kNone: the 101 is valid and was asked for.
  CloseReason check_switch();
  Task<CloseReason> forward_interim_response();
  Task<Next> forward_response(std::optional<BodyPump>& request_body);
  Task<CloseReason> stream_response(BodyPump& body, BodyPump& request_body);
  Pumped pump_response(BodyPump& body);
  /// What to wait for so that the rest of the request's body can move.
  [[nodiscard]] unsigned request_interests(const BodyPump& body) const;
  /// The head of the pod's answer for the client, with what the route changes, and, unless it is an
  /// interim one, what we add. The date and the fields of `forwarding` are set here.
  [[nodiscard]] std::string response_head(http::ResponseForwarding forwarding) const;
  Next become_relay();

  /// Who is connected, as the kernel or a trusted proxy's PROXY header says.
  Address peer_;
  /// What the peer has connected to, by that header; else found when it is needed.
  std::optional<Address> destination_;
  std::uint16_t listen_port_;
  DownstreamSlot slot_;
  SocketPtr downstream_;
  /// Read from the client and not used yet.
  ReadBuffer in_;
  std::unique_ptr<Exchange> exchange_;
  /// Absent: it has shown none, or was not asked.
  std::unique_ptr<const tls::PeerCertificate> client_certificate_;
  bool first_request_ = true;
  /// A PROXY header has named nobody.
  bool client_unknown_ = false;

  std::coroutine_handle<> waiting_;
  unsigned interests_ = 0;
  base::Instant wait_until_;
  bool timed_out_ = false;
  /// Owns the coroutine; last, so that its frame goes first.
  Task<> task_;
};

}  // namespace holdfast::proxy
