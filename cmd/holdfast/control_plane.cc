#include "control_plane.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "base/due_timer.h"
#include "base/machine.h"
#include "controller/names.h"
#include "controller/reconciler.h"
#include "controller/service_port.h"
#include "discovery_flags.h"
#include "dns/resolver.h"

namespace holdfast {
namespace {

namespace asio = boost::asio;

/// For a debug page: longer than most compilations take, shorter than the second that a probe
/// waits, which the same thread answers.
constexpr std::chrono::milliseconds kStatePatience{900};

/// What is followed as a whole. Of an API server neither ConfigMaps nor Secrets of other types are,
/// but those that are wanted.
std::set<kube::Scope> scopes_of(const ControlPlaneOptions& options) {
  std::set<kube::Kind> kinds = {kube::Kind::kIngress, kube::Kind::kService, kube::Kind::kSecret};
  const bool is_folder = std::holds_alternative<std::string>(options.source);
  if (is_folder || !options.endpoints_api) kinds.insert(kube::Kind::kEndpointSlice);
  if (is_folder || options.endpoints_api) kinds.insert(kube::Kind::kEndpoints);
  if (is_folder) kinds.insert({kube::Kind::kConfigMap, kube::Kind::kNamedSecret});
  std::set<kube::Scope> scopes = {kube::Kind::kIngressClass};
  for (const kube::Kind kind : kinds) {
    for (const std::string& name : options.namespaces) scopes.emplace(kind, name);
    if (options.namespaces.empty()) scopes.emplace(kind);
  }
  return scopes;
}

base::Status check_folder(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return absl::InvalidArgumentError("--manifests: \"" + folder + "\" is not a folder");
  }
  if (::access(folder.c_str(), R_OK | X_OK) != 0) {
    return absl::InvalidArgumentError("--manifests: \"" + folder + "\" cannot be read");
  }
  return {};
}

/// As many Secrets are followed by name as the process has descriptors for, whose limit it has
/// raised by now.
controller::Options bounded(controller::Options options) {
  options.named_secrets_most =
      std::clamp<std::size_t>(base::descriptor_limit() / controller::kDescriptorsPerNamedSecret, 1,
                              controller::kNamedSecretsMost);
  return options;
}

}  // namespace

base::StatusOr<controller::Options> options_of_compiler(const Options& options) {
  controller::Options result;
  if (options.ingress_class.empty()) {
    return absl::InvalidArgumentError("--ingress-class: the name is empty");
  }
  result.ingress_class = options.ingress_class;
  result.watch_without_class = options.watch_without_class;
  result.allow_external_name = options.allow_external_name;
  if (!options.default_backend.empty()) {
    auto backend = controller::parse_default_backend(options.default_backend);
    if (!backend.ok()) {
      return absl::InvalidArgumentError("--default-backend: " +
                                        std::string(backend.status().message()));
    }
    result.default_backend = *std::move(backend);
  }
  if (!options.default_certificate.empty()) {
    auto name = controller::parse_object_name(options.default_certificate);
    if (!name.ok()) {
      return absl::InvalidArgumentError("--default-certificate: " +
                                        std::string(name.status().message()));
    }
    result.default_certificate = *std::move(name);
  }
  auto defaults = defaults_config_map(options);
  if (!defaults.ok()) return defaults.status();
  result.defaults_config_map = *std::move(defaults);
  return result;
}

base::StatusOr<ControlPlaneOptions> control_plane_options(const Options& options) {
  ControlPlaneOptions result;
  result.endpoints_api = options.endpoints_api == "endpoints";
  result.discovery_listen = options.discovery_listen;
  result.discovery_security = server_security(options);
  auto compile = options_of_compiler(options);
  if (!compile.ok()) return compile.status();
  result.compile = *std::move(compile);
  result.dns_servers = options.dns_servers;
  base::Status checked = check_cluster_view(options);
  if (!checked.ok()) return checked;
  result.namespaces = options.namespaces;
  result.label_selector = options.label_selector;
  result.watch_list = options.watch_list;
  if (!options.manifests.empty()) {
    if (!options.kubeconfig.empty()) {
      return absl::InvalidArgumentError("--manifests and --kubeconfig exclude each other");
    }
    checked = check_folder(options.manifests);
    if (!checked.ok()) return checked;
    result.source = options.manifests;
    return result;
  }
  base::StatusOr<kube::ClusterConfig> cluster = options.kubeconfig.empty()
                                                    ? kube::load_in_cluster_config()
                                                    : kube::load_kubeconfig(options.kubeconfig);
  if (!cluster.ok()) return cluster.status();
  auto writer = cluster_writer_options(options, *cluster);
  if (!writer.ok()) return writer.status();
  result.writer = *std::move(writer);
  result.source = *std::move(cluster);
  return result;
}

/// Stands between the source and the reconciler: after every change it sets the timer, and tells
/// the source what the reconciler wants.
class ControlPlane::State final : public kube::ObjectSink, public controller::ReconcilerObserver {
 public:
  State(ControlPlaneOptions options, const base::Clock& clock, const base::Log& log)
      : options_(std::move(options)),
        clock_(clock),
        log_(log),
        reconciler_(
            bounded(options_.compile), scopes_of(options_), clock, log,
            [this](model::Transaction change) { publish(std::move(change)); }, this),
        server_(log, [this](const std::string&, const model::Refusal& refusal) {
          asio::post(context_, [this, refusal] { report_refusal(refusal); });
        }) {}

  base::Status bind();
  void start();
  void stop();
  [[nodiscard]] std::optional<ControlState> state();

  void replace(const kube::Scope& scope, std::vector<kube::Object> objects) override {
    if (writer_ != nullptr) writer_->saw_all(scope, objects);
    reconciler_.replace(scope, std::move(objects));
    follow();
  }
  void upsert(kube::Object object) override {
    if (writer_ != nullptr) writer_->saw(object);
    reconciler_.upsert(std::move(object));
    follow();
  }
  void remove(kube::Kind kind, const kube::ObjectName& name) override {
    if (writer_ != nullptr) writer_->saw_gone(kind, name);
    reconciler_.remove(kind, name);
    follow();
  }
  void report_unreadable(const std::string& kind, const kube::ObjectName& name,
                         const std::string& reason) override {
    reconciler_.report_unreadable(kind, name, reason);
    follow();
  }

  void problem_appeared(const controller::Problem& problem) override {
    if (writer_ != nullptr) writer_->problem_appeared(problem);
  }
  void problem_gone(const controller::Problem& problem) override {
    if (writer_ != nullptr) writer_->problem_gone(problem);
  }
  void ingress_served(const kube::ObjectName& ingress, bool served) override {
    if (writer_ != nullptr) writer_->ingress_served(ingress, served);
  }

  discovery::Server& server() { return server_; }
  void collect(std::vector<base::MetricFamily>& out) const;
  [[nodiscard]] bool published() const { return published_.load(std::memory_order_acquire); }

 private:
  base::Status make_source();
  void publish(model::Transaction change) {
    server_.publish(std::move(change));
    published_.store(true, std::memory_order_release);
  }
  void report_refusal(const model::Refusal& refusal) {
    reconciler_.report_refusal(refusal);
    follow();
  }
  /// After every call of the reconciler.
  void follow();
  /// What the reconciler wants, and the Service that is published where it is not followed anyway.
  [[nodiscard]] std::set<kube::Scope> wanted() const;

  // Fixed after bind().
  const ControlPlaneOptions options_;
  const base::Clock& clock_;
  const base::Log& log_;
  std::atomic<bool> published_{false};

  // Touched on the control thread only, once it runs.
  asio::io_context context_{1};
  base::DueTimer timer_{context_, [this] {
                          reconciler_.run_due();
                          follow();
                        }};
  /// Of what the source has been told to follow.
  std::uint64_t wanted_version_ = 0;
  controller::Reconciler reconciler_;
  /// Between the source and this; null: external names are not served.
  std::unique_ptr<dns::Resolver> resolver_;
  std::unique_ptr<kube::Source> source_;
  /// Null: nothing is written.
  std::unique_ptr<ClusterWriter> writer_;

  discovery::Server server_;
  std::thread thread_;
};

base::Status ControlPlane::State::make_source() {
  if (options_.compile.allow_external_name) {
    resolver_ = std::make_unique<dns::Resolver>(context_, options_.dns_servers, *this, clock_);
  }
  kube::ObjectSink& sink = resolver_ != nullptr ? resolver_->input() : *this;
  if (const auto* folder = std::get_if<std::string>(&options_.source)) {
    auto made = kube::make_manifest_source(context_, *folder, sink, log_);
    if (!made.ok()) return made.status();
    source_ = *std::move(made);
  } else {
    const auto& cluster = std::get<kube::ClusterConfig>(options_.source);
    source_ = kube::make_api_server_source(context_, cluster,
                                           {.scopes = scopes_of(options_),
                                            .ingress_selector = options_.label_selector,
                                            .watch_list = options_.watch_list},
                                           sink, clock_, log_);
    if (options_.writer.writes()) {
      writer_ = std::make_unique<ClusterWriter>(context_, cluster, options_.writer, clock_, log_);
    }
  }
  return {};
}

base::Status ControlPlane::State::bind() {
  base::Status made = make_source();
  if (!made.ok()) return made;
  return server_.start(options_.discovery_listen, options_.discovery_security);
}

void ControlPlane::State::start() {
  asio::post(context_, [this] {
    source_->want(wanted());
    source_->start();
    if (writer_ != nullptr) writer_->start();
  });
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "control");
    const auto work = asio::make_work_guard(context_);
    context_.run();
  });
}

void ControlPlane::State::stop() {
  if (thread_.joinable()) {
    asio::post(context_, [this] {
      source_->stop();
      if (resolver_ != nullptr) resolver_->stop();
      timer_.cancel();
      if (writer_ == nullptr) {
        context_.stop();
      } else {
        writer_->stop([this] { context_.stop(); });
      }
    });
    thread_.join();
  }
  server_.stop();
}

void ControlPlane::State::follow() {
  if (const std::uint64_t version = reconciler_.wanted_version(); version != wanted_version_) {
    wanted_version_ = version;
    source_->want(wanted());
  }
  if (writer_ != nullptr) writer_->follow();
  timer_.set(reconciler_.deadline());
}

std::set<kube::Scope> ControlPlane::State::wanted() const {
  std::set<kube::Scope> objects = reconciler_.wanted();
  const auto& published = options_.writer.publish.service;
  const auto& followed = options_.namespaces;
  const bool is_elsewhere =
      published && !followed.empty() &&
      std::find(followed.begin(), followed.end(), published->namespace_name) == followed.end();
  if (is_elsewhere) objects.emplace(kube::Kind::kService, *published);
  return objects;
}

void ControlPlane::State::collect(std::vector<base::MetricFamily>& out) const {
  source_->collect(out);
  if (writer_ != nullptr) writer_->collect(out);
  if (resolver_ != nullptr) resolver_->collect(out);
  server_.collect(out);
}

std::optional<ControlState> ControlPlane::State::state() {
  auto promise = std::make_shared<std::promise<ControlState>>();
  std::future<ControlState> answer = promise->get_future();
  asio::post(context_, [this, promise] {
    ControlState held;
    held.resources = reconciler_.resources();
    held.problems = reconciler_.problems();
    promise->set_value(std::move(held));
  });
  if (answer.wait_for(kStatePatience) != std::future_status::ready) return std::nullopt;
  return answer.get();
}

ControlPlane::ControlPlane(ControlPlaneOptions options, const base::Clock& clock,
                           const base::Log& log)
    : state_(std::make_unique<State>(std::move(options), clock, log)) {}

ControlPlane::~ControlPlane() { stop(); }

base::Status ControlPlane::bind() { return state_->bind(); }

void ControlPlane::start() { state_->start(); }

void ControlPlane::stop() { state_->stop(); }

const discovery::Server& ControlPlane::discovery() const { return state_->server(); }

std::shared_ptr<grpc::Channel> ControlPlane::in_process_channel() {
  return state_->server().in_process_channel();
}

bool ControlPlane::published() const { return state_->published(); }

std::optional<ControlState> ControlPlane::state() const { return state_->state(); }

void ControlPlane::collect(std::vector<base::MetricFamily>& out) const { state_->collect(out); }

}  // namespace holdfast
