#include "proxy/health_checker.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "http/head.h"
#include "proxy/connection.h"
#include "proxy/duration.h"
#include "proxy/limits.h"
#include "proxy/proxy_header.h"
#include "proxy/read_buffer.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

bool same(const v1::HealthCheck& a, const v1::HealthCheck& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

/// What is asked is the same, whenever it is asked.
bool same_question(const v1::HealthCheck& a, const v1::HealthCheck& b) {
  return a.path() == b.path() && a.host() == b.host() && a.proxy_protocol() == b.proxy_protocol();
}

/// What comes before TLS.
std::string preamble_of(const v1::HealthCheck& settings) {
  std::string preamble;
  if (settings.proxy_protocol() != v1::PROXY_PROTOCOL_UNSPECIFIED) {
    const bool v2 = settings.proxy_protocol() == v1::PROXY_PROTOCOL_V2;
    append_local_proxy_header(preamble, v2 ? ProxyHeaderVersion::kV2 : ProxyHeaderVersion::kV1);
  }
  return preamble;
}

std::string head_of(const v1::HealthCheck& settings, const Endpoint& endpoint) {
  return "GET " + settings.path() +
         " HTTP/1.1\r\nHost: " + (settings.host().empty() ? endpoint.text : settings.host()) +
         "\r\nUser-Agent: holdfast-health-check\r\nConnection: close\r\n\r\n";
}

}  // namespace

/// One endpoint of one cluster, from one check to the next.
class HealthChecker::Check final : public Timer {
 public:
  Check(HealthChecker& checker, Group& group, std::string cluster, EndpointPtr endpoint,
        std::shared_ptr<EndpointHealth> health)
      : checker_(checker),
        group_(group),
        cluster_(std::move(cluster)),
        endpoint_(std::move(endpoint)),
        health_(std::move(health)) {
    wait(0);
  }
  ~Check() override;

  [[nodiscard]] Group& group() const { return group_; }
  [[nodiscard]] const Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] std::string preamble() const { return preamble_of(*group_.settings); }
  [[nodiscard]] std::string head() const { return head_of(*group_.settings, *endpoint_); }
  [[nodiscard]] const std::optional<UpstreamTls>& tls() const { return group_.tls; }
  [[nodiscard]] base::Duration timeout() const { return duration_of(group_.settings->timeout()); }

  /// The group's settings have changed. What was found holds where the question is the same.
  void start_over(bool same_question);
  void begin();
  void end(bool success);
  /// Its request is gone.
  void drop_request();

  /// Its place in the group's line; absent: it does not wait there.
  std::optional<std::list<Check*>::iterator> place = {};

 private:
  void on_deadline() override {
    checker_.stand_in_line(*this);
    checker_.begin_waiting();
  }
  /// Until the next check: `least` intervals, and up to one more, so that checks spread.
  void wait(double least) {
    const double random = checker_.worker_.random().fraction();
    const double intervals = least + random * (least > 0 ? 2 * (1 - least) : 1);
    const auto interval = static_cast<double>(duration_of(group_.settings->interval()).count());
    checker_.worker_.set_timer(
        *this, checker_.worker_.now() + base::Duration(std::int64_t(intervals * interval)));
  }
  /// Neither waits in line nor asks.
  void stop();
  void set_out(bool out);

  HealthChecker& checker_;
  Group& group_;
  const std::string cluster_;
  const EndpointPtr endpoint_;
  const std::shared_ptr<EndpointHealth> health_;
  Request* request_ = nullptr;
  /// Of results other than what `out_` says, in a row.
  int contrary_ = 0;
  bool out_ = false;
};

/// One request to an endpoint, and what it answers.
class HealthChecker::Request final : public Connection {
 public:
  Request(HealthChecker& checker, Check& check)
      : Connection(checker.worker_),
        checker_(checker),
        check_(&check),
        tls_(check.tls()),
        preamble_(check.preamble()),
        head_((tls_ ? "" : preamble_) + check.head()),
        socket_(nullptr, SocketCloser{&checker.worker_.sockets()}) {}

  void start() {
    worker_.set_timer(*this, worker_.now() + check_->timeout());
    const Dialer::Dialled dialled = worker_.dialer().dial(check_->endpoint().address);
    if (dialled.descriptor < 0) return end(false);
    socket_ = worker_.sockets().add(dialled.descriptor, this, dialled.error != EINPROGRESS);
    if (socket_ == nullptr) return end(false);
    if (socket_->writable()) advance();
  }

  void on_ready(Socket&) override {
    if (!retired()) advance();
  }
  void on_turn() override {}
  void abort(CloseReason) override {
    if (Check* check = std::exchange(check_, nullptr)) check->drop_request();
    socket_ = nullptr;
    retire();
  }

 private:
  void on_deadline() override { end(false); }

  void advance() {
    if (tls_ && !secured_ && !secure()) return;
    if (!socket_->broken() && !send()) return;
    bool success = false;
    // An answer may have come with the reset of who closes at once.
    if (receive(success) || socket_->broken()) end(success);
  }

  /// Goes on with TLS. True when it is there; false: it waits, or the check has ended.
  bool secure() {
    if (socket_->broken()) return fail();
    if (socket_->tls() == nullptr) {
      if (tls_->context == nullptr) return fail();
      // The first bytes of a connection find room.
      const bool sent = preamble_.empty() ||
                        socket_->send(preamble_.data(), preamble_.size()).bytes == preamble_.size();
      const bool made = sent && socket_->encrypt([&](tls::Transport& transport) {
        return tls_->context->connect(transport, check_->endpoint().text);
      });
      if (!made) return fail();
    }
    const int error = socket_->handshake();
    secured_ = error == 0;
    return secured_ || (error != EAGAIN && fail());
  }
  bool fail() {
    end(false);
    return false;
  }

  /// True when all of the request has been sent.
  bool send() {
    while (sent_ < head_.size() && socket_->writable()) {
      const Socket::Result result = socket_->send(head_.data() + sent_, head_.size() - sent_);
      sent_ += result.bytes;
      // What went wrong shows when the answer is read.
      if (result.error != 0 && result.error != EAGAIN) return true;
    }
    return sent_ == head_.size();
  }

  /// True when there is a result.
  bool receive(bool& success) {
    for (;;) {
      if (!in_.empty()) {
        http::ResponseHead response;
        const auto parsed = http::parse_response_head(in_.view(), scanned_, false, response);
        if (parsed.state == http::ParseState::kError) return true;
        if (parsed.state == http::ParseState::kDone) {
          const int status = response.status;
          success = status >= 200 && status < 400;
          if (status >= 200 || status == 101) return true;
          in_.consume(parsed.head_bytes);
          scanned_ = 0;
          if (++interim_ > kInterimResponsesMost) return true;
          continue;
        }
      }
      if (!socket_->readable()) return false;
      const Socket::Result read = in_.receive(*socket_);
      if (read.error == EAGAIN) return false;
      if (read.bytes == 0) return true;
    }
  }

  void end(bool success) {
    Check* check = check_;
    abort(CloseReason::kCompleted);
    if (check == nullptr) return;
    check->end(success);
    checker_.begin_waiting();
  }

  HealthChecker& checker_;
  /// Null once it is gone.
  Check* check_;
  const std::optional<UpstreamTls> tls_;
  const std::string preamble_;
  const std::string head_;
  SocketPtr socket_;
  bool secured_ = false;
  std::size_t sent_ = 0;
  ReadBuffer in_;
  std::size_t scanned_ = 0;
  int interim_ = 0;
};

HealthChecker::Check::~Check() {
  stop();
  set_out(false);
}

void HealthChecker::Check::stop() {
  if (place) checker_.leave_line(*this);
  if (request_ != nullptr) request_->abort(CloseReason::kCompleted);
}

void HealthChecker::Check::start_over(bool same_question) {
  stop();
  contrary_ = 0;
  if (!same_question) set_out(false);
  wait(0);
}

void HealthChecker::Check::begin() {
  ++checker_.under_way_;
  ++group_.under_way;
  request_ = new Request(checker_, *this);
  request_->start();
}

void HealthChecker::Check::drop_request() {
  request_ = nullptr;
  --checker_.under_way_;
  --group_.under_way;
}

void HealthChecker::Check::end(bool success) {
  (success ? checker_.succeeded_ : checker_.failed_).add();
  contrary_ = success == out_ ? contrary_ + 1 : 0;
  if (contrary_ >= (out_ ? kHealthSuccessesBack : kHealthFailuresOut)) {
    contrary_ = 0;
    set_out(!out_);
    checker_.worker_.shared().log.warn(
        out_ ? "an endpoint is unhealthy" : "an endpoint is healthy again",
        {{"endpoint", endpoint_->text}, {"cluster", cluster_}});
  }
  wait(1 - kHealthJitter);
}

void HealthChecker::Check::set_out(bool out) {
  out_ = out;
  health_->set_fails_checks(out, checker_.worker_.now());
}

HealthChecker::HealthChecker(Worker& worker) : worker_(worker) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::apply(const Change& change) {
  for (const auto& [name, cluster] : change.clusters) {
    if (cluster != nullptr && cluster->health_check) {
      update(name, *cluster);
    } else {
      groups_.erase(name);
    }
  }
  begin_waiting();
}

void HealthChecker::update(const std::string& name, const Cluster& cluster) {
  Group& group = groups_[name];
  group.tls = cluster.tls;
  const v1::HealthCheck& wanted = *cluster.health_check;
  if (group.settings == nullptr || !same(*group.settings, wanted)) {
    const bool same_question =
        group.settings != nullptr && proxy::same_question(*group.settings, wanted);
    group.settings = std::make_shared<const v1::HealthCheck>(wanted);
    for (const auto& [health, check] : group.checks) check->start_over(same_question);
  }
  decltype(group.checks) next;
  for (std::size_t i = 0; i < cluster.ready.size(); ++i) {
    const std::shared_ptr<EndpointHealth>& health = cluster.ready_members[i].health;
    const auto found = group.checks.find(health);
    if (found != group.checks.end()) {
      next.insert(group.checks.extract(found));
    } else {
      next.emplace(health, std::make_unique<Check>(*this, group, name, cluster.ready[i], health));
    }
  }
  // What is left of the old ones ends here.
  std::swap(group.checks, next);
}

void HealthChecker::stand_in_line(Check& check) {
  Group& group = check.group();
  if (group.waiting.empty()) group.turn = turns_.insert(turns_.end(), &group);
  check.place = group.waiting.insert(group.waiting.end(), &check);
}

void HealthChecker::leave_line(Check& check) {
  Group& group = check.group();
  group.waiting.erase(*check.place);
  check.place.reset();
  if (group.waiting.empty()) turns_.erase(group.turn);
}

bool HealthChecker::may_begin(const Group& group) const {
  const std::size_t free = kHealthChecksUnderWayMost - under_way_;
  if (group.under_way == 0) return free > 0;
  return free > kHealthChecksKeptFree && group.under_way < kHealthChecksPerClusterMost;
}

void HealthChecker::begin_waiting() {
  if (std::exchange(beginning_, true)) return;
  // Until nobody has begun one in a whole round.
  for (std::size_t passed = 0; passed < turns_.size() && under_way_ < kHealthChecksUnderWayMost;) {
    Group& group = *turns_.front();
    turns_.splice(turns_.end(), turns_, turns_.begin());
    ++passed;
    if (!may_begin(group)) continue;
    passed = 0;
    Check& check = *group.waiting.front();
    leave_line(check);
    check.begin();
  }
  beginning_ = false;
}

}  // namespace holdfast::proxy
