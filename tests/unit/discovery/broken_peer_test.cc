// Peers that break the contract, from either end.

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "discovery/parts.h"
#include "holdfast/discovery/v1/discovery.grpc.pb.h"
#include "tests/unit/discovery/fixture.h"

namespace holdfast::discovery {
namespace {

v1::ClientMessage hello() { return cut_hello("raw", "1.0", {}).at(0); }

v1::ClientMessage verdict(std::uint64_t number) {
  v1::ClientMessage message;
  message.mutable_verdict()->set_transaction(number);
  return message;
}

class BrokenClientTest : public DiscoveryTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_->start(socket_address()).ok());
    stub_ = v1::Discovery::NewStub(*make_channel(socket_address()));
  }

  /// Says `messages`, reads until the server ends the stream, returns how it ended.
  grpc::StatusCode say(const std::vector<v1::ClientMessage>& messages) {
    grpc::ClientContext context;
    const auto call = stub_->Stream(&context);
    for (const auto& message : messages) call->Write(message);
    v1::Part part;
    while (call->Read(&part)) {
    }
    return call->Finish().error_code();
  }

  std::unique_ptr<Server> server_ = make_server();
  std::unique_ptr<v1::Discovery::Stub> stub_;
};

TEST_F(BrokenClientTest, EndsItsOwnStreamOnly) {
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  using enum grpc::StatusCode;
  EXPECT_EQ(say({verdict(1)}), INVALID_ARGUMENT);
  EXPECT_EQ(say({v1::ClientMessage()}), INVALID_ARGUMENT);
  EXPECT_EQ(say({hello(), hello()}), INVALID_ARGUMENT);
  EXPECT_EQ(say({hello(), verdict(1)}), INVALID_ARGUMENT);
  server_->publish({{endpoint_set(1)}, {}});
  ASSERT_TRUE(recorder.wait_applied(1));
  EXPECT_EQ(say({hello(), verdict(2)}), INVALID_ARGUMENT);
  v1::ClientMessage elsewhere = verdict(1);
  *elsewhere.mutable_verdict()->add_refusals()->mutable_name() = model::name_of(set_key(9));
  EXPECT_EQ(say({hello(), elsewhere}), INVALID_ARGUMENT);
  server_->publish({{endpoint_set(2)}, {}});
  EXPECT_TRUE(recorder.wait_holds(set_key(2), endpoint_set(2)));
  EXPECT_EQ(metric(*client, "holdfast_discovery_reconnects_total"), 0);
}

TEST_F(BrokenClientTest, BytesThatAreNoGrpcHarmNobody) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string path = socket_path();
  std::memcpy(name.sun_path, path.data(), path.size());
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
        preface + std::string(100'000, '\0'), preface + std::string(100'000, '\x7f')}) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::connect(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
    EXPECT_GT(::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    ::shutdown(descriptor, SHUT_WR);
    char answer[4096];
    while (::recv(descriptor, answer, sizeof(answer), 0) > 0) {
    }
    ::close(descriptor);
  }
  server_->publish({{endpoint_set(1)}, {}});
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_TRUE(recorder.wait_applied(1));
}

TEST_F(BrokenClientTest, OneThatNeverReadsHoldsUpNobody) {
  grpc::ClientContext context;
  const auto call = stub_->Stream(&context);
  ASSERT_TRUE(call->Write(hello()));
  ASSERT_TRUE(lines_.wait_for("discovery client connected"));
  for (int i = 0; i < 30; ++i) server_->publish({{large_set(i)}, {}});
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_TRUE(recorder.wait_holds(set_key(29), large_set(29)));
  server_->stop();
  context.TryCancel();
  EXPECT_FALSE(call->Finish().ok());
}

/// A server that plays one script a stream, each a list of Parts, and then waits for one Verdict.
class Script final : public v1::Discovery::Service {
 public:
  explicit Script(std::vector<std::vector<v1::Part>> streams) : streams_(std::move(streams)) {}

  grpc::Status Stream(grpc::ServerContext*,
                      grpc::ServerReaderWriter<v1::Part, v1::ClientMessage>* stream) override {
    v1::ClientMessage message;
    if (!stream->Read(&message)) return grpc::Status::CANCELLED;
    const std::lock_guard lock(mutex_);
    hellos_.push_back(message.hello());
    const std::size_t index = std::min(hellos_.size(), streams_.size()) - 1;
    for (const v1::Part& part : streams_[index]) stream->Write(part);
    if (streams_[index].empty() || !streams_[index].back().commit()) return grpc::Status::OK;
    stream->Read(&message);
    return grpc::Status::OK;
  }

  std::vector<v1::Hello> hellos() {
    const std::lock_guard lock(mutex_);
    return hellos_;
  }

 private:
  const std::vector<std::vector<v1::Part>> streams_;
  std::mutex mutex_;
  std::vector<v1::Hello> hellos_;
};

v1::Part part_of(std::uint64_t number, const model::ResourcePtr& upsert, bool commit) {
  v1::Part part;
  part.set_transaction(number);
  *part.add_upserts() = *upsert;
  part.set_commit(commit);
  return part;
}

TEST_F(DiscoveryTest, ABrokenServerCostsItsStreamAndNothingThatIsHeld) {
  Script script({
      // Interleaved.
      {part_of(1, endpoint_set(1), false), part_of(2, endpoint_set(2), true)},
      // Cut off before the commit.
      {part_of(1, endpoint_set(3), false)},
      {part_of(1, endpoint_set(4), true)},
      {part_of(1, endpoint_set(4, 1), false)},
      {part_of(1, endpoint_set(5), true)},
  });
  grpc::ServerBuilder builder;
  builder.RegisterService(&script);
  builder.AddListeningPort(socket_address(), grpc::InsecureServerCredentials());
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  ASSERT_TRUE(recorder.wait_holds(set_key(5), endpoint_set(5)));
  client->stop();
  server->Shutdown();
  const auto applied = recorder.applied();
  ASSERT_GE(applied.size(), 2U);
  ASSERT_EQ(applied[0].upserts.size(), 1U) << "nothing is left of incomplete transactions";
  EXPECT_EQ(model::key_of(*applied[0].upserts[0]), set_key(4));
  const auto hellos = script.hellos();
  ASSERT_GE(hellos.size(), 5U);
  EXPECT_EQ(hellos[2].held_size(), 0);
  ASSERT_EQ(hellos[4].held_size(), 1);
  EXPECT_EQ(hellos[4].held(0).version(), endpoint_set(4)->version());
}

TEST_F(DiscoveryTest, ASilentEndOfStreamIsTriedAgain) {
  Script script({{}, {}, {part_of(1, endpoint_set(1), true)}});
  grpc::ServerBuilder builder;
  builder.RegisterService(&script);
  builder.AddListeningPort(socket_address(), grpc::InsecureServerCredentials());
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_TRUE(recorder.wait_applied(1));
  client->stop();
  server->Shutdown();
}

}  // namespace
}  // namespace holdfast::discovery
