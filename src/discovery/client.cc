#include "discovery/client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/backoff.h"
#include "discovery/assembly.h"
#include "discovery/limits.h"
#include "discovery/parts.h"
#include "discovery/replica.h"
#include "holdfast/discovery/v1/discovery.grpc.pb.h"

namespace holdfast::discovery {

class Client::State {
 public:
  State(std::shared_ptr<grpc::Channel> channel, ClientOptions options,
        model::TransactionHandler& handler, const base::Clock& clock, const base::Log& log)
      : options_(std::move(options)),
        clock_(clock),
        log_(log),
        stub_(v1::Discovery::NewStub(std::move(channel))),
        replica_(handler) {}

  void start(Held held) {
    held_ = held.size();
    replica_.begin_with(std::move(held));
    thread_ = std::thread([this] { run(); });
    watch_ = std::thread([this] { watch(); });
  }
  void stop();
  void collect(std::vector<base::MetricFamily>& out) const;

  [[nodiscard]] Connection connection() const {
    const std::lock_guard lock(mutex_);
    return connection_;
  }
  [[nodiscard]] std::uint64_t applied() const { return applied_; }

 private:
  using Call = grpc::ClientReaderWriter<v1::ClientMessage, v1::Part>;

  void run();
  void one_stream();
  bool say_hello(Call& call);
  base::Status follow(Call& call);
  bool answer(Call& call, std::uint64_t number, const model::Transaction& transaction);
  void wait();
  void watch();
  void set_open(bool open);
  std::shared_ptr<grpc::ClientContext> open_context();

  // Fixed after construction.
  const ClientOptions options_;
  const base::Clock& clock_;
  const base::Log& log_;
  const std::unique_ptr<v1::Discovery::Stub> stub_;

  // Touched on the client's thread only.
  Replica replica_;
  base::Backoff backoff_{kReconnectFirst, kReconnectMost, std::random_device{}()};
  bool applied_on_stream_ = false;

  // Shared.
  mutable std::mutex mutex_;
  std::condition_variable stop_asked_;
  std::condition_variable connection_changed_;
  Connection connection_{.since = clock_.wall_now()};
  bool stopping_ = false;
  std::shared_ptr<grpc::ClientContext> context_;
  std::atomic<std::uint64_t> streams_ = 0;
  std::atomic<std::uint64_t> applied_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> held_ = 0;

  std::thread thread_;
  /// Says what `thread_` cannot, which waits in gRPC for the server.
  std::thread watch_;
};

void Client::State::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (context_) context_->TryCancel();
    stop_asked_.notify_all();
    connection_changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  if (watch_.joinable()) watch_.join();
}

void Client::State::set_open(bool open) {
  const std::lock_guard lock(mutex_);
  if (connection_.is_open == open) return;
  connection_ = {open, clock_.wall_now()};
  connection_changed_.notify_all();
}

void Client::State::watch() {
  std::unique_lock lock(mutex_);
  const auto is = [this](bool open) { return stopping_ || connection_.is_open == open; };
  while (!stopping_) {
    if (!connection_changed_.wait_for(lock, options_.unreachable_after, [&] { return is(true); })) {
      log_.warn("the controller cannot be reached, keeping what is in force",
                {{"applied_transactions", applied_.load()}});
      connection_changed_.wait(lock, [&] { return is(true); });
      if (!stopping_) log_.info("the controller is reached again");
    }
    connection_changed_.wait(lock, [&] { return is(false); });
  }
}

void Client::State::run() {
  for (;;) {
    one_stream();
    wait();
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

void Client::State::wait() {
  const base::Duration time = backoff_.next();
  std::unique_lock lock(mutex_);
  stop_asked_.wait_for(lock, time, [this] { return stopping_; });
}

std::shared_ptr<grpc::ClientContext> Client::State::open_context() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return nullptr;
  context_ = std::make_shared<grpc::ClientContext>();
  // While the server is away the call waits for gRPC's own reconnects (kConnectFirst,
  // kConnectMost).
  context_->set_wait_for_ready(true);
  return context_;
}

void Client::State::one_stream() {
  const auto context = open_context();
  if (!context) return;
  const std::unique_ptr<Call> call = stub_->Stream(context.get());
  const base::Instant since = clock_.now();
  applied_on_stream_ = false;
  base::Status broken;
  if (say_hello(*call)) {
    broken = follow(*call);
    if (!broken.ok()) context->TryCancel();
  }
  set_open(false);
  const grpc::Status status = call->Finish();
  if (applied_on_stream_ && clock_.now() - since >= kHealthyStream) backoff_.reset();

  const std::lock_guard lock(mutex_);
  context_.reset();
  if (stopping_) return;
  const std::string reason = broken.ok() ? status.error_message() : std::string(broken.message());
  log_.warn(
      "discovery stream ended, keeping what is in force",
      {{"code", static_cast<std::int64_t>(broken.ok() ? status.error_code() : broken.raw_code())},
       {"reason", reason}});
}

bool Client::State::say_hello(Call& call) {
  for (const v1::ClientMessage& message :
       cut_hello(options_.node, options_.version, replica_.held())) {
    if (!call.Write(message)) return false;
  }
  streams_ += 1;
  set_open(true);
  log_.info("discovery stream open",
            {{"held", static_cast<std::uint64_t>(replica_.held().size())}});
  return true;
}

base::Status Client::State::follow(Call& call) {
  Assembly assembly;
  v1::Part part;
  while (call.Read(&part)) {
    auto transaction = assembly.add(std::exchange(part, {}));
    if (!transaction.ok()) return transaction.status();
    if (!*transaction) continue;
    if (!answer(call, assembly.number(), **transaction)) break;
  }
  return absl::OkStatus();
}

bool Client::State::answer(Call& call, std::uint64_t number,
                           const model::Transaction& transaction) {
  v1::ClientMessage message;
  v1::Verdict& verdict = *message.mutable_verdict();
  verdict = replica_.apply(number, transaction);
  if (verdict.refusals().empty()) {
    held_ = replica_.held().size();
    applied_ += 1;
    applied_on_stream_ = true;
  } else {
    refused_ += 1;
    const v1::Refusal& first = verdict.refusals(0);
    log_.warn("discovery transaction refused",
              {{"count", static_cast<std::uint64_t>(verdict.refusals_size())},
               {"first", model::to_string(model::key_of(first.name()))},
               {"reason", first.reason()}});
  }
  return call.Write(message);
}

void Client::State::collect(std::vector<base::MetricFamily>& out) const {
  const auto add = [&out](const char* name, const char* help, base::MetricType type,
                          std::uint64_t value) {
    out.push_back(base::single_metric(name, help, type, static_cast<double>(value)));
  };
  using enum base::MetricType;
  const std::uint64_t streams = streams_;
  add("holdfast_discovery_connected", "1 while the stream from the control plane is open.", kGauge,
      connection().is_open ? 1 : 0);
  add("holdfast_discovery_resources_held", "Resources in force, by the last transaction applied.",
      kGauge, held_);
  add("holdfast_discovery_transactions_applied_total", "Transactions applied.", kCounter, applied_);
  add("holdfast_discovery_transactions_refused_total",
      "Transactions refused as a whole because of a resource in them.", kCounter, refused_);
  add("holdfast_discovery_reconnects_total", "Streams opened after the first.", kCounter,
      streams == 0 ? 0 : streams - 1);
}

Client::Client(std::shared_ptr<grpc::Channel> channel, ClientOptions options,
               model::TransactionHandler& handler, const base::Clock& clock, const base::Log& log)
    : state_(std::make_unique<State>(std::move(channel), std::move(options), handler, clock, log)) {
}
Client::~Client() { state_->stop(); }

void Client::start(Held held) { state_->start(std::move(held)); }
void Client::stop() { state_->stop(); }
Connection Client::connection() const { return state_->connection(); }
std::uint64_t Client::applied() const { return state_->applied(); }
void Client::collect(std::vector<base::MetricFamily>& out) const { state_->collect(out); }

}  // namespace holdfast::discovery
