#include "cluster_writer.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <random>
#include <utility>

#include "base/hex.h"
#include "base/ip_address.h"
#include "controller/names.h"
#include "model/field_rules.h"

namespace holdfast {
namespace {

/// So long a process that ends waits until its lease is given up: longer than such a write takes,
/// shorter than anybody's patience.
constexpr std::chrono::seconds kReleasePatience{1};
/// metadata.managedFields[].manager, bytes: what the API server takes.
constexpr std::size_t kManagerBytes = 128;
/// Of a host's name (POSIX).
constexpr std::size_t kHostNameBytes = 256;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string instance_name() {
  std::string pod = environment("POD_NAME");
  if (!pod.empty()) return pod;
  std::array<char, kHostNameBytes> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "holdfast";
  return name.data();
}

std::uint64_t seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

base::StatusOr<kube::PublishedAddress> published_address(const std::string& text) {
  if (base::parse_ip(text)) return kube::PublishedAddress{.ip = text, .hostname = ""};
  if (!model::is_dns_name(text)) {
    return bad_flag("--publish-address",
                    "\"" + text + "\" is neither an IP address nor the name of a host");
  }
  return kube::PublishedAddress{.ip = "", .hostname = text};
}

base::StatusOr<std::optional<kube::ObjectName>> lease_of(const Options& options,
                                                         const kube::ClusterConfig& cluster) {
  if (options.leader_lease == "off") return std::nullopt;
  if (!options.leader_lease.empty()) {
    const auto name = controller::parse_object_name(options.leader_lease);
    if (!name.ok()) return bad_flag("--leader-lease", std::string(name.status().message()));
    return *name;
  }
  std::string own_namespace = environment("POD_NAMESPACE");
  if (own_namespace.empty()) own_namespace = cluster.pod_namespace;
  if (own_namespace.empty()) own_namespace = "default";
  return kube::ObjectName{own_namespace, "holdfast-" + options.ingress_class};
}

}  // namespace

base::StatusOr<ClusterWriterOptions> cluster_writer_options(const Options& options,
                                                            const kube::ClusterConfig& cluster) {
  ClusterWriterOptions result;
  result.events = options.events == "on";
  if (!options.publish_service.empty()) {
    const auto name = controller::parse_object_name(options.publish_service);
    if (!name.ok()) return bad_flag("--publish-service", std::string(name.status().message()));
    result.publish.service = *name;
  }
  for (const std::string& text : options.publish_addresses) {
    auto address = published_address(text);
    if (!address.ok()) return address.status();
    result.publish.addresses.push_back(*std::move(address));
  }
  if (result.publish.service && !result.publish.addresses.empty()) {
    return absl::InvalidArgumentError("--publish-service and --publish-address exclude each other");
  }
  auto lease = lease_of(options, cluster);
  if (!lease.ok()) return lease.status();
  result.lease = *std::move(lease);
  result.instance = instance_name();
  result.identity = result.instance + "_";
  base::append_hex(result.identity, seed(), 16);
  result.manager = ("holdfast/" + options.ingress_class).substr(0, kManagerBytes);
  return result;
}

ClusterWriter::ClusterWriter(boost::asio::io_context& context, const kube::ClusterConfig& cluster,
                             ClusterWriterOptions options, const base::Clock& clock,
                             const base::Log& log)
    : options_(std::move(options)), timer_(context, [this] { wake(); }), patience_(context) {
  const auto server = kube::make_api_server(cluster, clock, log);
  const auto changed = [this] { wake(); };
  if (options_.lease) {
    lease_caller_ = kube::make_api_caller(context, server);
    elector_.emplace(*options_.lease, options_.identity, seed(), *lease_caller_, clock, log,
                     changed);
  }
  if (options_.publish.any()) {
    status_caller_ = kube::make_api_caller(context, server);
    status_.emplace(options_.publish, options_.manager, seed(), *status_caller_, clock, log,
                    changed);
  }
  if (options_.events) {
    event_caller_ = kube::make_api_caller(context, server);
    events_.emplace(options_.instance, seed(), *event_caller_, clock, log, changed);
  }
}

void ClusterWriter::start() {
  if (elector_) elector_->start();
  wake();
}

void ClusterWriter::stop(std::function<void()> done) {
  stopping_ = true;
  timer_.cancel();
  if (status_caller_ != nullptr) status_caller_->stop();
  if (event_caller_ != nullptr) event_caller_->stop();
  if (!elector_) return done();
  stopped_ = std::move(done);
  const auto finish = [this] {
    patience_.cancel();
    lease_caller_->stop();
    if (const auto stopped = std::exchange(stopped_, nullptr)) stopped();
  };
  patience_.expires_after(kReleasePatience);
  patience_.async_wait([finish](const boost::system::error_code& error) {
    if (!error) finish();
  });
  elector_->release(finish);
}

void ClusterWriter::saw(const kube::Object& object) {
  if (status_) status_->saw(object);
}

void ClusterWriter::saw_all(const kube::Scope& scope, const std::vector<kube::Object>& objects) {
  if (status_) status_->saw_all(scope, objects);
}

void ClusterWriter::saw_gone(kube::Kind kind, const kube::ObjectName& name) {
  if (status_) status_->saw_gone(kind, name);
}

void ClusterWriter::problem_appeared(const controller::Problem& problem) {
  if (events_) events_->appeared(problem);
}

void ClusterWriter::problem_gone(const controller::Problem& problem) {
  if (events_) events_->gone(problem);
}

void ClusterWriter::ingress_served(const kube::ObjectName& ingress, bool served) {
  if (status_) status_->serve(ingress, served);
}

void ClusterWriter::wake() {
  run_due();
  follow();
}

void ClusterWriter::run_due() {
  if (stopping_) return;
  if (elector_) elector_->run_due();
  const bool leading = !elector_ || elector_->is_leader();
  leading_.store(leading, std::memory_order_relaxed);
  if (status_) {
    status_->lead(leading);
    status_->run_due();
  }
  if (events_) {
    events_->lead(leading);
    events_->run_due();
  }
}

void ClusterWriter::follow() {
  if (stopping_) return;
  std::optional<base::Instant> due;
  const auto add = [&due](const std::optional<base::Instant>& one) {
    if (one) due = std::min(*one, due.value_or(*one));
  };
  if (elector_) add(elector_->deadline());
  if (status_) add(status_->deadline());
  if (events_) add(events_->deadline());
  timer_.set(due);
}

void ClusterWriter::collect(std::vector<base::MetricFamily>& out) const {
  out.push_back(base::single_metric(
      "holdfast_leader", "1 while this process writes status and Events, 0 while another one may.",
      base::MetricType::kGauge, leading_.load(std::memory_order_relaxed) ? 1 : 0));
  if (status_) status_->collect(out);
  if (events_) events_->collect(out);
}

}  // namespace holdfast
