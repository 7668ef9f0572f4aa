#include "proxy/health_checker.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
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

std::string head_of(const v1::HealthCheck& settings, const Endpoint& endpoint) {
  std::string head;
  if (settings.proxy_protocol() != v1::PROXY_PROTOCOL_UNSPECIFIED) {
    const bool v2 = settings.proxy_protocol() == v1::PROXY_PROTOCOL_V2;
    append_local_proxy_header(head, v2 ? ProxyHeaderVersion::kV2 : ProxyHeaderVersion::kV1);
  }
  return head + "GET " + settings.path() +
         " HTTP/1.1\r\nHost: " + (settings.host().empty() ? endpoint.text : settings.host()) +
         "\r\nUser-Agent: holdfast-health-check\r\nConnection: close\r\n\r\n";
}

}  // namespace

/// One endpoint of one cluster, from one check to the next.
class HealthChecker::Check final : public Timer {
 public:
  /// `out`: what was found before, at another pace.
  Check(HealthChecker& checker, std::string cluster, EndpointPtr endpoint, Settings settings,
        bool out)
      : checker_(checker),
        cluster_(std::move(cluster)),
        endpoint_(std::move(endpoint)),
        settings_(std::move(settings)) {
    set_out(out);
    wait(0);
  }
  ~Check() override;

  [[nodiscard]] const Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] bool is_out() const { return out_; }
  [[nodiscard]] std::string head() const { return head_of(*settings_, *endpoint_); }
  [[nodiscard]] base::Duration timeout() const { return duration_of(settings_->timeout()); }

  void begin();
  void end(bool success);
  /// Its probe is gone without a result.
  void drop_probe() { probe_ = nullptr; }

 private:
  void on_deadline() override { checker_.begin(*this); }
  /// Until the next check: `least` intervals, and up to one more, so that checks spread.
  void wait(double least) {
    const double random = static_cast<double>(checker_.worker_.random().next() >> 11) * 0x1p-53;
    const double intervals = least + random * (least > 0 ? 2 * (1 - least) : 1);
    const auto interval = static_cast<double>(duration_of(settings_->interval()).count());
    checker_.worker_.set_timer(
        *this, checker_.worker_.now() + base::Duration(std::int64_t(intervals * interval)));
  }
  void set_out(bool out);

  HealthChecker& checker_;
  const std::string cluster_;
  const EndpointPtr endpoint_;
  const Settings settings_;
  Probe* probe_ = nullptr;
  /// Of results other than what `out_` says, in a row.
  int contrary_ = 0;
  bool out_ = false;
};

/// One request to an endpoint, and what it answers.
class HealthChecker::Probe final : public Connection {
 public:
  Probe(HealthChecker& checker, Check& check)
      : Connection(checker.worker_),
        checker_(checker),
        check_(&check),
        head_(check.head()),
        socket_(nullptr, SocketCloser{&checker.worker_.sockets()}) {
    ++checker_.under_way_;
  }

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
    if (Check* check = std::exchange(check_, nullptr)) check->drop_probe();
    --checker_.under_way_;
    socket_ = nullptr;
    retire();
  }

 private:
  void on_deadline() override { end(false); }

  void advance() {
    if (!socket_->broken() && !send()) return;
    bool success = false;
    if (socket_->broken() || receive(success)) end(success);
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
    Check* check = std::exchange(check_, nullptr);
    abort(CloseReason::kCompleted);
    HealthChecker& checker = checker_;
    if (check != nullptr) check->end(success);
    checker.begin_waiting();
  }

  HealthChecker& checker_;
  /// Null once it is gone.
  Check* check_;
  const std::string head_;
  SocketPtr socket_;
  std::size_t sent_ = 0;
  ReadBuffer in_;
  std::size_t scanned_ = 0;
  int interim_ = 0;
};

HealthChecker::Check::~Check() {
  set_out(false);
  checker_.forget(*this);
  if (probe_ != nullptr) probe_->abort(CloseReason::kCompleted);
}

void HealthChecker::Check::begin() {
  probe_ = new Probe(checker_, *this);
  probe_->start();
}

void HealthChecker::Check::end(bool success) {
  probe_ = nullptr;
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
  if (out == out_) return;
  out_ = out;
  if (out) {
    endpoint_->failing_checks.fetch_add(1, std::memory_order_relaxed);
  } else {
    endpoint_->failing_checks.fetch_sub(1, std::memory_order_relaxed);
  }
}

HealthChecker::HealthChecker(Worker& worker) : worker_(worker) {}

HealthChecker::~HealthChecker() = default;

void HealthChecker::apply(const Change& change) {
  for (const auto& [name, cluster] : change.clusters) {
    if (cluster != nullptr && cluster->health_check) {
      update(name, *cluster);
    } else {
      checks_.erase(name);
    }
  }
  begin_waiting();
}

void HealthChecker::update(const std::string& name, const Cluster& cluster) {
  Checks& checks = checks_[name];
  Checks next;
  const bool goes_on = checks.settings != nullptr && same(*checks.settings, *cluster.health_check);
  next.settings =
      goes_on ? checks.settings : std::make_shared<const v1::HealthCheck>(*cluster.health_check);
  for (const EndpointPtr& endpoint : cluster.ready) {
    const auto found = checks.by_endpoint.find(endpoint);
    if (goes_on && found != checks.by_endpoint.end()) {
      next.by_endpoint.insert(checks.by_endpoint.extract(found));
    } else {
      const bool out = found != checks.by_endpoint.end() && found->second->is_out() &&
                       same_question(*checks.settings, *next.settings);
      next.by_endpoint.emplace(endpoint,
                               std::make_unique<Check>(*this, name, endpoint, next.settings, out));
    }
  }
  // What is left of the old ones ends here.
  std::swap(checks, next);
}

void HealthChecker::begin(Check& check) {
  waiting_.push_back(&check);
  begin_waiting();
}

void HealthChecker::begin_waiting() {
  if (std::exchange(beginning_, true)) return;
  while (!waiting_.empty() && under_way_ < kHealthChecksUnderWayMost) {
    Check* check = waiting_.front();
    waiting_.pop_front();
    check->begin();
  }
  beginning_ = false;
}

void HealthChecker::forget(const Check& check) { std::erase(waiting_, &check); }

}  // namespace holdfast::proxy
