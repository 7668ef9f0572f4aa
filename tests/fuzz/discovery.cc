// Both ends of the discovery stream, without a transport. Whatever Parts come, the data plane holds
// what it has said that it applied; whatever Hellos and Verdicts come, a client that accepts
// everything from then on holds what is published. An input is a row of messages: a letter, a byte
// for the length, and that many bytes.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "discovery/assembly.h"
#include "discovery/replica.h"
#include "discovery/subscription.h"
#include "proxy/snapshot_compiler.h"
#include "tests/fuzz/target.h"
#include "tests/support/fake_clock.h"

namespace holdfast::fuzz {
namespace {

namespace v1 = model::v1;
using discovery::Held;

constexpr std::size_t kAssemblyBytesMost = 4096;
constexpr std::size_t kTransactionBytesMost = 64;
constexpr int kPublished = 5;
constexpr int kRoundsMost = 100;

/// What a proxy does with a transaction, but for its workers.
class DataPlane final : public model::TransactionHandler {
 public:
  std::vector<model::Refusal> apply(const model::Transaction& transaction) override {
    auto compiled = compiler_.compile(transaction);
    if (compiled.refusals.empty()) compiler_.commit(transaction);
    return std::move(compiled.refusals);
  }

  [[nodiscard]] Held held() const {
    Held held;
    for (const model::ResourcePtr& resource : compiler_.resources()) {
      require(model::validate(*resource).ok(), "what is in force is valid");
      held.emplace(model::key_of(*resource), resource->version());
    }
    return held;
  }

 private:
  base::FakeClock clock_;
  proxy::SnapshotCompiler compiler_{1, clock_};
};

class Client {
 public:
  /// False: the stream is broken.
  bool take(std::string_view bytes) {
    v1::Part part;
    if (!part.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
    auto transaction = assembly_.add(std::move(part));
    if (!transaction.ok()) return false;
    if (!*transaction) return true;
    const Held before = replica_.held();
    const v1::Verdict verdict = replica_.apply(assembly_.number(), **transaction);
    require(verdict.transaction() == assembly_.number(), "the Verdict is of that transaction");
    require(verdict.refusals().empty() || replica_.held() == before,
            "what is refused in part is refused as a whole");
    require(replica_.held() == data_plane_.held(), "what is held is in force");
    return true;
  }

 private:
  DataPlane data_plane_;
  discovery::Assembly assembly_{kAssemblyBytesMost};
  discovery::Replica replica_{data_plane_};
};

model::ResourcePtr published_resource(int number, int generation) {
  v1::Resource resource;
  resource.set_name("n/s" + std::to_string(number) + "/80");
  v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
  endpoint.set_address("10.0.0." + std::to_string(generation + 1));
  endpoint.set_port(80);
  return model::seal(std::move(resource));
}

class Server {
 public:
  Server() {
    for (int i = 0; i < kPublished; ++i) publish(i, 0);
  }

  bool hello(std::string_view bytes) {
    v1::Hello hello;
    if (subscription_ || !hello.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return false;
    }
    for (const v1::HeldResource& held : hello.held()) {
      client_[model::key_of(held.name())] = held.version();
    }
    subscription_ =
        std::make_unique<discovery::Subscription>(client_, published_, kTransactionBytesMost);
    return true;
  }

  bool verdict(std::string_view bytes) {
    v1::Verdict verdict;
    if (!subscription_ || !verdict.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return false;
    }
    send();
    return answer(verdict);
  }

  void change(std::string_view bytes) {
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      publish(byte % kPublished, byte / kPublished);
    }
  }

  /// From now on the client accepts everything.
  void settle() {
    if (!subscription_) return;
    for (int round = 0; round < kRoundsMost && (under_way_ || subscription_->has_news()); ++round) {
      send();
      v1::Verdict accepted;
      accepted.set_transaction(under_way_->number);
      require(answer(accepted), "a Verdict that accepts what is under way is right");
    }
    require(!under_way_ && subscription_->current(), "the client becomes current");
    Held expected;
    for (const auto& [key, resource] : published_) expected.emplace(key, resource->version());
    for (const model::Refusal& refusal : subscription_->refusals()) {
      expected.erase(refusal.key);
      client_.erase(refusal.key);
    }
    require(client_ == expected, "it holds what is published, but for what it has refused");
  }

 private:
  void publish(int number, int generation) {
    const auto resource = published_resource(number, generation);
    const model::ResourceKey key = model::key_of(*resource);
    const auto before = discovery::version_in(published_, key);
    if (generation == 0 && published_.size() == kPublished) {
      published_.erase(key);
    } else {
      published_[key] = resource;
    }
    if (subscription_) subscription_->changed(key, before, discovery::version_in(published_, key));
  }

  void send() {
    if (!under_way_ && subscription_->has_news()) under_way_ = subscription_->next(published_);
  }

  bool answer(const v1::Verdict& verdict) {
    const auto refusals = subscription_->answer(verdict, published_);
    if (!refusals.ok()) return false;
    require(under_way_ && verdict.transaction() == under_way_->number,
            "only what is under way is answered");
    if (refusals->empty()) {
      for (const auto& resource : under_way_->transaction.upserts) {
        client_[model::key_of(*resource)] = resource->version();
      }
      for (const auto& key : under_way_->transaction.removals) client_.erase(key);
    }
    under_way_.reset();
    return true;
  }

  discovery::Published published_;
  Held client_;
  std::unique_ptr<discovery::Subscription> subscription_;
  std::optional<discovery::Outgoing> under_way_;
};

void run(std::string_view input) {
  Client client;
  Server server;
  bool client_open = true;
  bool server_open = true;
  while (input.size() >= 2) {
    const char letter = input[0];
    const std::size_t size = static_cast<unsigned char>(input[1]);
    const Exactly message(input.substr(2, size));
    input.remove_prefix(std::min(input.size(), 2 + size));
    if (letter == 'P' && client_open) client_open = client.take(message.view());
    if (letter == 'C') server.change(message.view());
    if (letter == 'H' && server_open) server_open = server.hello(message.view());
    if (letter == 'V' && server_open) server_open = server.verdict(message.view());
  }
  // A stream that was ended is nobody's any more.
  if (server_open) server.settle();
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
