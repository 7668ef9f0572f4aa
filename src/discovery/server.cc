#include "discovery/server.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/stat.h>

#include <utility>

#include "discovery/address.h"
#include "discovery/limits.h"
#include "discovery/publication.h"
#include "discovery/stream.h"
#include "holdfast/discovery/v1/discovery.grpc.pb.h"

namespace holdfast::discovery {

namespace {

class Service final : public v1::Discovery::CallbackService {
 public:
  explicit Service(Publication& publication) : publication_(publication) {}

  grpc::ServerBidiReactor<v1::ClientMessage, v1::Part>* Stream(
      grpc::CallbackServerContext* context) override {
    return new discovery::Stream(publication_, *context);  // Deletes itself.
  }

 private:
  Publication& publication_;
};

int milliseconds(std::chrono::milliseconds time) { return static_cast<int>(time.count()); }

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMost));
  builder.SetMaxSendMessageSize(static_cast<int>(kMessageBytesMost));
  builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
  // A message that a peer compressed would grow here: refused instead.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsOfConnectionMost);
  // By default two servers share a TCP port in silence.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, milliseconds(kKeepaliveTime));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, milliseconds(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             milliseconds(kPingIntervalLeast));
}

/// A text that is not UTF-8 would end every stream, and with it everything else.
std::vector<model::Refusal> take_out_invalid(model::Transaction& change) {
  std::vector<model::Refusal> refusals;
  std::erase_if(change.upserts, [&](const model::ResourcePtr& resource) {
    const base::Status valid = model::validate(*resource);
    if (!valid.ok()) refusals.push_back({model::key_of(*resource), std::string(valid.message())});
    return !valid.ok();
  });
  return refusals;
}

/// While it lives, new files are the owner's alone: the socket must never be open to others, not
/// even between bind and chmod.
class PrivateFiles {
 public:
  PrivateFiles() : before_(::umask(0177)) {}
  ~PrivateFiles() { ::umask(before_); }
  PrivateFiles(const PrivateFiles&) = delete;
  PrivateFiles& operator=(const PrivateFiles&) = delete;

 private:
  const mode_t before_;
};

}  // namespace

class Server::State {
 public:
  State(const base::Log& log, OnRefusal on_refusal)
      : publication_(log, std::move(on_refusal)), service_(publication_) {}

  base::Status start(const std::string& address, ServerSecurity security);
  void stop();
  void publish(model::Transaction change);
  std::vector<ClientState> clients();
  void collect(std::vector<base::MetricFamily>& out);

  [[nodiscard]] int port() const { return port_; }
  std::shared_ptr<grpc::Channel> in_process_channel();

 private:
  void set(const model::ResourceKey& key, const model::ResourcePtr& resource);
  void set(const model::ResourceKey& key, const model::ResourcePtr& resource, View& view);

  Publication publication_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

base::Status Server::State::start(const std::string& address, ServerSecurity security) {
  publication_.by_identity = !security.files.empty();
  for (Grant& grant : security.grants) publication_.views.push_back({std::move(grant), {}});
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.RegisterService(&service_);
  if (address.empty()) {
    server_ = builder.BuildAndStart();
    if (!server_) return absl::InternalError("gRPC did not start");
    return absl::OkStatus();
  }
  const base::StatusOr<Address> parsed = parse_address(address, !security.files.empty());
  if (!parsed.ok()) return parsed.status();
  if (base::Status status = claim(*parsed); !status.ok()) return status;
  builder.AddListeningPort(parsed->target(), server_credentials(security.files), &port_);
  {
    const PrivateFiles owner_only;
    server_ = builder.BuildAndStart();
  }
  if (!server_) return absl::UnavailableError("cannot listen on " + parsed->target());
  if (!parsed->path.empty()) port_ = 0;
  publication_.log.info("discovery listens", {{"address", parsed->target()}});
  return absl::OkStatus();
}

std::shared_ptr<grpc::Channel> Server::State::in_process_channel() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMost));
  arguments.SetMaxSendMessageSize(static_cast<int>(kMessageBytesMost));
  return server_->InProcessChannel(arguments);
}

void Server::State::stop() {
  {
    const std::lock_guard lock(publication_.mutex);
    publication_.stopping = true;
    for (Stream* stream : publication_.streams) {
      stream->end(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the control plane is stopping"),
                  Stream::Writing::kCut);
    }
  }
  if (!server_) return;
  server_->Shutdown(gpr_time_from_millis(kStopPatience.count(), GPR_TIMESPAN));
  std::unique_lock lock(publication_.mutex);
  publication_.empty.wait(lock, [this] { return publication_.streams.empty(); });
}

void Server::State::set(const model::ResourceKey& key, const model::ResourcePtr& resource) {
  for (View& view : publication_.views) {
    set(key, resource != nullptr && view.grant.covers(*resource) ? resource : nullptr, view);
  }
}

void Server::State::set(const model::ResourceKey& key, const model::ResourcePtr& resource,
                        View& view) {
  const Version before = version_in(view.resources, key);
  const Version now = resource ? Version(resource->version()) : Version();
  if (before == now) return;
  if (resource) {
    view.resources.insert_or_assign(key, resource);
  } else {
    view.resources.erase(key);
  }
  for (Stream* stream : publication_.streams) {
    if (stream->view() == &view) stream->changed(key, before, now);
  }
}

void Server::State::publish(model::Transaction change) {
  publication_.report("every data plane", take_out_invalid(change));
  std::vector<Stream*> writers;
  {
    const std::lock_guard lock(publication_.mutex);
    publication_.complete = true;
    for (const model::ResourcePtr& resource : change.upserts) {
      set(model::key_of(*resource), resource);
    }
    for (const auto& key : change.removals) set(key, nullptr);
    for (Stream* stream : publication_.streams) {
      if (stream->claim_write()) writers.push_back(stream);
    }
  }
  for (Stream* stream : writers) stream->write_claimed();
}

std::vector<ClientState> Server::State::clients() {
  std::vector<ClientState> all;
  const std::lock_guard lock(publication_.mutex);
  for (const Stream* stream : publication_.streams) {
    if (stream->said_hello()) all.push_back(stream->state());
  }
  return all;
}

void Server::State::collect(std::vector<base::MetricFamily>& out) {
  std::size_t connected = 0;
  std::size_t resources = 0;
  {
    const std::lock_guard lock(publication_.mutex);
    for (const Stream* stream : publication_.streams) connected += stream->said_hello() ? 1 : 0;
    resources = publication_.views.front().resources.size();
  }
  const auto add = [&out](const char* name, const char* help, base::MetricType type,
                          std::uint64_t value) {
    out.push_back(base::single_metric(name, help, type, static_cast<double>(value)));
  };
  using enum base::MetricType;
  add("holdfast_discovery_clients", "Data planes connected to this control plane.", kGauge,
      connected);
  add("holdfast_discovery_resources_published", "Resources that every data plane should hold.",
      kGauge, resources);
  add("holdfast_discovery_denied_total",
      "Streams ended because the client's certificate has no identity that is allowed.", kCounter,
      publication_.denied);
  add("holdfast_discovery_transactions_total", "Transactions begun towards data planes.", kCounter,
      publication_.transactions);
  add("holdfast_discovery_resources_sent_total", "Resources sent to data planes.", kCounter,
      publication_.resources_sent);
  add("holdfast_discovery_sent_bytes_total", "Bytes of resources and names sent to data planes.",
      kCounter, publication_.bytes_sent);
  add("holdfast_discovery_refusals_total",
      "Resources refused by a data plane, or unfit to be sent to one.", kCounter,
      publication_.refusals);
}

Server::Server(const base::Log& log, OnRefusal on_refusal)
    : state_(std::make_unique<State>(log, std::move(on_refusal))) {}
Server::~Server() { state_->stop(); }

base::Status Server::start(const std::string& address, ServerSecurity security) {
  return state_->start(address, std::move(security));
}
int Server::port() const { return state_->port(); }
std::shared_ptr<grpc::Channel> Server::in_process_channel() { return state_->in_process_channel(); }
void Server::stop() { state_->stop(); }
void Server::publish(model::Transaction change) { state_->publish(std::move(change)); }
std::vector<ClientState> Server::clients() const { return state_->clients(); }
void Server::collect(std::vector<base::MetricFamily>& out) const { state_->collect(out); }

}  // namespace holdfast::discovery
