#include "proxy/proxy.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <latch>
#include <thread>

#include "base/machine.h"
#include "proxy/certificate_expiry.h"
#include "proxy/dialer.h"
#include "proxy/health_checker.h"
#include "proxy/limits.h"
#include "proxy/listener.h"
#include "proxy/metrics.h"
#include "proxy/snapshot_compiler.h"
#include "proxy/worker.h"
#include "tls/limits.h"

namespace holdfast::proxy {

namespace {

std::uint64_t descriptors_most(const Options& options) {
  const std::uint64_t limit = base::descriptor_limit();
  const std::size_t listeners = options.http_listen.size() + options.http_proxy_listen.size() +
                                options.https_listen.size() + options.https_proxy_listen.size();
  const std::uint64_t wanted =
      kReservedDescriptors + options.workers * (kWorkerDescriptors + listeners);
  const std::uint64_t reserved = std::min<std::uint64_t>(wanted, limit / 4);
  return std::max<std::uint64_t>(2, limit - reserved);
}

/// What the certificate that a process makes for itself is for: nothing, RFC 2606.
constexpr const char* kSelfSignedName = "holdfast.invalid";

/// Of what ticket keys are derived. The error is a sentence that shows nothing of it.
base::StatusOr<std::string> read_ticket_secret(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string secret(tls::kTicketSecretMost + 1, '\0');
  in.read(secret.data(), static_cast<std::streamsize>(secret.size()));
  secret.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (secret.size() >= tls::kTicketSecretLeast && secret.size() <= tls::kTicketSecretMost) {
    return secret;
  }
  return absl::FailedPreconditionError(
      "the ticket secret " + path + " has " + std::to_string(secret.size()) + " bytes, not " +
      std::to_string(tls::kTicketSecretLeast) + " to " + std::to_string(tls::kTicketSecretMost));
}

/// Makes a new ticket key every kTicketKeyPeriod; or, where there is a file, follows that. Lives on
/// one worker.
class TicketRotation final : public Timer {
 public:
  TicketRotation(Worker& worker, tls::TicketKeys& keys, std::string file)
      : worker_(worker), keys_(keys), file_(std::move(file)) {
    arm();
  }
  ~TicketRotation() { worker_.clear_timer(*this); }

 private:
  void on_deadline() override {
    if (file_.empty()) {
      keys_.rotate();
    } else {
      follow();
    }
    arm();
  }
  void follow() {
    const auto secret = read_ticket_secret(file_);
    if (secret.ok()) {
      keys_.set(tls::derive_ticket_keys(*secret, worker_.shared().clock.wall_now()));
    } else if (!std::exchange(told_, true)) {
      worker_.shared().log.warn("session tickets are sealed with the keys of before",
                                {{"reason", std::string(secret.status().message())}});
    }
    if (secret.ok()) told_ = false;
  }
  void arm() {
    const base::Duration wait = file_.empty() ? base::Duration(tls::kTicketKeyPeriod)
                                              : base::Duration(tls::kTicketSecretLook);
    worker_.set_timer(*this, worker_.now() + wait);
  }

  Worker& worker_;
  tls::TicketKeys& keys_;
  const std::string file_;
  bool told_ = false;
};

/// Looks at the certificates in force for their end. Lives on one worker.
class ExpiryWatch final : public Timer {
 public:
  ExpiryWatch(Worker& worker, const SnapshotCompiler& compiler)
      : worker_(worker), compiler_(compiler), expiry_(worker.shared().log) {
    look();
  }
  ~ExpiryWatch() { worker_.clear_timer(*this); }

  void look() {
    expiry_.look(compiler_.certificates(), worker_.shared().clock.wall_now());
    worker_.set_timer(*this, worker_.now() + kExpiryLook);
  }

 private:
  void on_deadline() override { look(); }

  Worker& worker_;
  const SnapshotCompiler& compiler_;
  CertificateExpiry expiry_;
};

bool changes_certificates(const model::Transaction& transaction) {
  return std::any_of(transaction.upserts.begin(), transaction.upserts.end(),
                     [](const auto& resource) { return resource->has_certificate(); });
}

}  // namespace

class Proxy::State {
 public:
  State(Options options, const base::Clock& clock, const base::Log& log, base::LogSink* access_log)
      : options_(std::move(options)),
        shared_{.clock = clock,
                .log = log,
                .access_log = access_log,
                .descriptors_most = descriptors_most(options_)},
        compiler_(options_.workers, clock, options_.zone) {
    assert(options_.workers >= 1);
  }

  base::Status start() {
    if (base::Status status = take_sources(); !status.ok()) return status;
    if (base::Status status = take_trusted_proxies(); !status.ok()) return status;
    Workers workers;
    for (unsigned i = 0; i < options_.workers; ++i) {
      auto& worker = workers.emplace_back(std::make_unique<Worker>(i, shared_));
      if (base::Status status = worker->open(); !status.ok()) return status;
    }
    if (base::Status status = prepare_tls(workers); !status.ok()) return status;
    base::Status status = listen(workers, options_.http_listen, {}, ports_.http);
    const auto listen_too = [&](const std::vector<std::string>& addresses, Preamble preamble,
                                std::vector<int>& ports) {
      if (status.ok()) status = listen(workers, addresses, preamble, ports);
    };
    listen_too(options_.http_proxy_listen, {.proxy_header = true}, ports_.http_proxy);
    listen_too(options_.https_listen, {.tls = true}, ports_.https);
    listen_too(options_.https_proxy_listen, {.proxy_header = true, .tls = true},
               ports_.https_proxy);
    if (!status.ok()) return status;
    workers_ = std::move(workers);
    for (auto& worker : workers_) shared_.workers.push_back(worker.get());
    checker_ = std::make_unique<HealthChecker>(*workers_.front());
    if (shared_.tls != nullptr) {
      ticket_rotation_.emplace(*workers_.front(), ticket_keys_, options_.ticket_secret_file);
      expiry_watch_.emplace(*workers_.front(), compiler_);
    }
    for (auto& worker : workers_) {
      threads_.emplace_back([&worker] { worker->run(); });
    }
    return absl::OkStatus();
  }

  using Workers = std::vector<std::unique_ptr<Worker>>;

  /// Makes what handshakes need, where somebody listens for them.
  base::Status prepare_tls(const Workers& workers) {
    if (options_.https_listen.empty() && options_.https_proxy_listen.empty()) {
      return absl::OkStatus();
    }
    if (!options_.ticket_secret_file.empty()) {
      const auto secret = read_ticket_secret(options_.ticket_secret_file);
      if (!secret.ok()) return secret.status();
      ticket_keys_.set(tls::derive_ticket_keys(*secret, shared_.clock.wall_now()));
    }
    auto context = tls::ServerContext::make(options_.tls_profile, ticket_keys_);
    if (!context.ok()) return context.status();
    auto own = tls::Certificate::make_self_signed(kSelfSignedName, shared_.clock.wall_now());
    if (!own.ok()) return own.status();
    tls_ = *std::move(context);
    shared_.tls = tls_.get();
    const auto identity = std::make_shared<const tls::ServerIdentity>(
        "*", std::vector<std::string>(), std::vector<tls::CertificatePtr>{*own},
        tls::ClientPolicy(), "");
    for (const auto& worker : workers) worker->snapshot().set_default_identity(identity);
    shared_.log.info("hosts without a certificate are served with one that is signed by itself",
                     {{"sha256", (*own)->facts().fingerprint}});
    return absl::OkStatus();
  }

  /// Binds every address on every worker; adds the ports bound.
  static base::Status listen(const Workers& workers, const std::vector<std::string>& addresses,
                             Preamble preamble, std::vector<int>& ports) {
    for (const std::string& text : addresses) {
      auto address = Address::parse(text);
      if (!address.ok()) return address.status();
      if (base::Status free = Listener::check_free(*address); !free.ok()) return free;
      for (const auto& worker : workers) {
        const auto port = worker->listen(*address, preamble);
        if (!port.ok()) return port.status();
        // The first worker has settled which port 0 means.
        if (worker == workers.front()) {
          ports.push_back(*port);
          address = Address::from_ip(address->ip(), *port);
        }
      }
    }
    return absl::OkStatus();
  }

  base::Status take_trusted_proxies() {
    for (const std::string& text : options_.trusted_proxies) {
      const std::optional<base::Cidr> block = base::parse_cidr(text);
      if (!block) {
        return absl::InvalidArgumentError("the trusted proxy \"" + text +
                                          "\" is not a block of addresses");
      }
      shared_.trusted_proxies.push_back(*block);
    }
    return absl::OkStatus();
  }

  base::Status take_sources() {
    for (const std::string& text : options_.upstream_sources) {
      auto source = Address::from_ip(text, 0);
      if (!source.ok()) return source.status();
      if (const int error = check_source(*source); error != 0) {
        return absl::UnavailableError("the upstream source " + text +
                                      " cannot be used: " + std::strerror(error));
      }
      shared_.upstream_sources.push_back(*source);
    }
    return absl::OkStatus();
  }

  void stop() {
    for (auto& worker : workers_) worker->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::vector<model::Refusal> apply(const model::Transaction& transaction) {
    assert(!threads_.empty());
    const base::Instant begun = shared_.clock.now();
    SnapshotCompiler::Result compiled = compiler_.compile(transaction);
    if (!compiled.refusals.empty()) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return std::move(compiled.refusals);
    }
    const bool policies_changed = compiler_.commit(transaction);
    const bool looks = expiry_watch_ && changes_certificates(transaction);
    std::latch done(static_cast<std::ptrdiff_t>(workers_.size()));
    for (auto& worker : workers_) {
      worker->post([&, target = worker.get()] {
        target->snapshot().apply(compiled.change);
        if (target == workers_.front().get()) {
          checker_->apply(compiled.change);
          if (looks) expiry_watch_->look();
        }
        if (policies_changed) target->announce_policy_change();
        done.count_down();
      });
    }
    done.wait();
    const base::Duration took = shared_.clock.now() - begun;
    apply_nanoseconds_.store(took.count(), std::memory_order_relaxed);
    applied_at_.store(shared_.clock.wall_now().time_since_epoch().count(),
                      std::memory_order_relaxed);
    applied_.fetch_add(1, std::memory_order_release);
    return {};
  }

  [[nodiscard]] bool ready() const { return applied_.load(std::memory_order_acquire) > 0; }
  [[nodiscard]] const Ports& ports() const { return ports_; }
  [[nodiscard]] std::vector<model::ResourcePtr> resources() const { return compiler_.resources(); }
  [[nodiscard]] std::vector<RouteInfo> routes() const { return compiler_.routes(); }
  [[nodiscard]] ConfigurationInfo configuration() const {
    ConfigurationInfo info;
    info.version = applied_.load(std::memory_order_acquire);
    info.since = base::WallTime(base::Duration(applied_at_.load(std::memory_order_relaxed)));
    info.refused = refused_.load(std::memory_order_relaxed);
    return info;
  }

  [[nodiscard]] std::vector<EndpointInfo> endpoints() const {
    const std::vector<model::ResourcePtr> resources = compiler_.resources();
    std::vector<EndpointInfo> endpoints =
        list_endpoints(compiler_.clusters(), policies_of(resources), shared_.clock.now());
    set_zones(endpoints, resources);
    return endpoints;
  }

  [[nodiscard]] std::optional<std::vector<ConnectionInfo>> connections(
      const ConnectionQuery& query) const {
    std::vector<std::future<std::vector<ConnectionInfo>>> answers;
    for (const auto& worker : workers_) {
      auto promise = std::make_shared<std::promise<std::vector<ConnectionInfo>>>();
      answers.push_back(promise->get_future());
      worker->post(
          [promise, query, target = worker.get()] { promise->set_value(target->list(query)); });
    }
    std::vector<ConnectionInfo> all;
    const base::Instant deadline = shared_.clock.now() + kListPatience;
    for (auto& answer : answers) {
      const base::Duration left = std::max(deadline - shared_.clock.now(), base::Duration(0));
      if (answer.wait_for(left) != std::future_status::ready) return std::nullopt;
      std::ranges::move(answer.get(), std::back_inserter(all));
    }
    std::ranges::sort(all, std::ranges::greater(), &ConnectionInfo::number);
    all.resize(std::min(all.size(), query.most));
    return all;
  }

  void collect(std::vector<base::MetricFamily>& out) const {
    collect_routes(compiler_.policies(), out);
    collect_clusters(compiler_.clusters(), policies_of(compiler_.resources()), shared_.clock.now(),
                     out);
    std::vector<const WorkerCounters*> counters;
    for (const auto& worker : workers_) counters.push_back(&worker->counters());
    collect_workers(counters, out);
    if (shared_.tls != nullptr) collect_tls(counters, compiler_.certificates(), out);
    if (checker_ != nullptr) collect_checks(*checker_, out);
    const auto single = [&](const char* name, const char* help, base::MetricType type,
                            double value) {
      out.push_back(base::single_metric(name, help, type, value));
    };
    single("holdfast_snapshot_version",
           "Transactions in force on every worker since the start of the process.",
           base::MetricType::kGauge, static_cast<double>(applied_.load()));
    single(
        "holdfast_snapshot_apply_seconds",
        "Seconds from the receipt of the last transaction to its being in force on every worker.",
        base::MetricType::kGauge, static_cast<double>(apply_nanoseconds_.load()) / 1e9);
    single("holdfast_snapshot_refused_total", "Transactions refused as a whole.",
           base::MetricType::kCounter, static_cast<double>(refused_.load()));
  }

 private:
  const Options options_;
  tls::TicketKeys ticket_keys_;
  std::unique_ptr<tls::ServerContext> tls_;
  Shared shared_;
  SnapshotCompiler compiler_;
  Workers workers_;
  /// Lives on the first worker.
  std::unique_ptr<HealthChecker> checker_;
  std::vector<std::thread> threads_;
  std::optional<TicketRotation> ticket_rotation_;
  std::optional<ExpiryWatch> expiry_watch_;
  Ports ports_;
  std::atomic<std::uint64_t> applied_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::int64_t> apply_nanoseconds_{0};
  /// Nanoseconds since the epoch of the wall clock.
  std::atomic<std::int64_t> applied_at_{0};
};

Proxy::Proxy(Options options, const base::Clock& clock, const base::Log& log,
             base::LogSink* access_log)
    : state_(std::make_unique<State>(std::move(options), clock, log, access_log)) {}

Proxy::~Proxy() { stop(); }

base::Status Proxy::start() { return state_->start(); }

Proxy::Ports Proxy::ports() const { return state_->ports(); }

void Proxy::stop() { state_->stop(); }

std::vector<model::Refusal> Proxy::apply(const model::Transaction& transaction) {
  return state_->apply(transaction);
}

bool Proxy::ready() const { return state_->ready(); }

std::vector<model::ResourcePtr> Proxy::resources() const { return state_->resources(); }

std::vector<EndpointInfo> Proxy::endpoints() const { return state_->endpoints(); }

std::vector<RouteInfo> Proxy::routes() const { return state_->routes(); }

ConfigurationInfo Proxy::configuration() const { return state_->configuration(); }

std::optional<std::vector<ConnectionInfo>> Proxy::connections(const ConnectionQuery& query) const {
  return state_->connections(query);
}

void Proxy::collect(std::vector<base::MetricFamily>& out) const { state_->collect(out); }

}  // namespace holdfast::proxy
