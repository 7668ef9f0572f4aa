#include "data_plane.h"

#include <unistd.h>

#include <array>
#include <utility>

namespace holdfast {
namespace {

/// In a pod this is the pod's name.
std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

DataPlane::DataPlane(const Options& options, ConfigurationSource source, const base::Clock& clock,
                     const base::Log& log, base::LogSink* access_log)
    : proxy_({.http_listen = options.http_listen,
              .http_proxy_listen = options.http_proxy_listen,
              .https_listen = tls_addresses(options),
              .https_proxy_listen = options.https_proxy_listen,
              .tls_profile = options.tls_profile == "modern" ? tls::Profile::kModern
                                                             : tls::Profile::kIntermediate,
              .ticket_secret_file = options.tls_ticket_secret,
              .trusted_proxies = options.trusted_proxies,
              .upstream_sources = options.upstream_sources,
              .zone = options.zone,
              .workers = options.workers},
             clock, log, access_log) {
  if (!options.state_folder.empty()) {
    state_ = std::make_unique<discovery::StateFolder>(options.state_folder, proxy_, log);
  }
  if (auto* channel = std::get_if<std::shared_ptr<grpc::Channel>>(&source)) {
    model::TransactionHandler& handler =
        state_ ? static_cast<model::TransactionHandler&>(*state_) : proxy_;
    client_ = std::make_unique<discovery::Client>(
        std::move(*channel),
        discovery::ClientOptions{.node = host_name(), .version = HOLDFAST_VERSION}, handler, clock,
        log);
  } else {
    fixed_ = std::get<model::Transaction>(std::move(source));
  }
}

DataPlane::~DataPlane() { stop(); }

base::Status DataPlane::bind() {
  base::Status status;
  if (state_) status = state_->open();
  if (status.ok()) status = proxy_.start();
  bound_ = status.ok();
  return status;
}

base::Status DataPlane::start() {
  if (client_) {
    client_->start(state_ ? state_->restore() : discovery::Held());
    started_ = true;
    return {};
  }
  const std::vector<model::Refusal> refusals = proxy_.apply(fixed_);
  if (refusals.empty()) return {};
  return absl::InternalError(model::to_string(refusals.front().key) +
                             " is refused: " + refusals.front().reason);
}

void DataPlane::stop() {
  if (std::exchange(started_, false)) client_->stop();
  if (std::exchange(bound_, false)) proxy_.stop();
}

void DataPlane::collect(std::vector<base::MetricFamily>& out) const {
  proxy_.collect(out);
  if (client_) client_->collect(out);
  if (state_) state_->collect(out);
}

}  // namespace holdfast
