// Over a Unix socket and over TCP: addresses, restarts of the server.

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "tests/unit/discovery/fixture.h"

namespace holdfast::discovery {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class SocketTest : public DiscoveryTest {
 protected:
  std::unique_ptr<Server> serve(const std::string& address) {
    auto server = make_server();
    const base::Status status = server->start(address);
    EXPECT_TRUE(status.ok()) << status;
    return server;
  }
  std::string refusal(const std::string& address) {
    const base::Status status = make_server()->start(address);
    EXPECT_FALSE(status.ok()) << address;
    return std::string(status.message());
  }
  /// What a process killed with SIGKILL leaves behind.
  void leave_stale_socket() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = socket_path();
    std::memcpy(name.sun_path, path.data(), path.size());
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
    ASSERT_EQ(::listen(descriptor, 1), 0);
    ::close(descriptor);
  }
};

TEST_F(SocketTest, IsTheOwnersAlone) {
  const auto server = serve(socket_address());
  struct stat file {};
  ASSERT_EQ(::stat(socket_path().c_str(), &file), 0);
  EXPECT_TRUE(S_ISSOCK(file.st_mode));
  EXPECT_EQ(file.st_mode & 0777U, 0600U);
  EXPECT_EQ(server->port(), 0);
}

TEST_F(SocketTest, ReplacesTheSocketOfADeadProcess) {
  leave_stale_socket();
  const auto server = serve(socket_address());
  server->publish({{endpoint_set(1)}, {}});
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_TRUE(recorder.wait_applied(1));
}

TEST_F(SocketTest, LeavesALivingServerAlone) {
  const auto server = serve(socket_address());
  EXPECT_THAT(refusal(socket_address()), HasSubstr("another process"));
  server->publish({{endpoint_set(1)}, {}});
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_TRUE(recorder.wait_applied(1));
}

TEST_F(SocketTest, LeavesOtherFilesAlone) {
  std::ofstream(socket_path()) << "precious";
  EXPECT_THAT(refusal(socket_address()), HasSubstr("no socket"));
  EXPECT_TRUE(std::filesystem::exists(socket_path()));
}

TEST_F(SocketTest, SaysWhyItCannotListen) {
  EXPECT_THAT(refusal("unix:" + socket_path() + "/missing/socket"), HasSubstr("No such file"));
  EXPECT_THAT(refusal("0.0.0.0:0"), HasSubstr("mutual TLS"));
  const auto server = serve("127.0.0.1:0");
  EXPECT_THAT(refusal("127.0.0.1:" + std::to_string(server->port())),
              HasSubstr("Address already in use"));
}

TEST_F(SocketTest, ServesOnLoopback) {
  const auto server = serve("127.0.0.1:0");
  ASSERT_GT(server->port(), 0);
  server->publish({{endpoint_set(1)}, {}});
  Recorder recorder;
  const auto client = make_client("127.0.0.1:" + std::to_string(server->port()), recorder);
  EXPECT_TRUE(recorder.wait_applied(1));
}

TEST_F(SocketTest, ARestartedServerSendsOnlyTheDifference) {
  // So many that their names fill more than one message of Hello.
  model::Transaction state;
  for (int i = 0; i < 40'000; ++i) state.upserts.push_back(endpoint_set(i));
  auto server = serve(socket_address());
  server->publish(state);
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  ASSERT_TRUE(recorder.wait_applied(1));

  server.reset();
  server = serve(socket_address());
  server->publish(state);
  ASSERT_TRUE(recorder.wait_applied(2)) << "is told that it is current";
  EXPECT_EQ(metric(*server, "holdfast_discovery_resources_sent_total"), 0);
  EXPECT_EQ(recorder.held(), 40'000U);

  server.reset();
  leave_stale_socket();
  state.upserts.pop_back();
  state.upserts.front() = endpoint_set(0, 1);
  server = serve(socket_address());
  server->publish(state);
  ASSERT_TRUE(recorder.wait_applied(3));
  EXPECT_THAT(recorder.applied()[2].upserts, SizeIs(1));
  EXPECT_THAT(recorder.applied()[2].removals, SizeIs(1));
  EXPECT_EQ(metric(*client, "holdfast_discovery_reconnects_total"), 2);
}

TEST_F(SocketTest, AClientThatComesFirstWaitsForItsServer) {
  Recorder recorder;
  const auto client = make_client(socket_address(), recorder);
  EXPECT_FALSE(client->connection().is_open);
  const auto server = serve(socket_address());
  server->publish({});
  EXPECT_TRUE(recorder.wait_applied(1));
}

TEST_F(SocketTest, AClientStopsWhileItsServerIsAway) {
  Recorder recorder;
  const auto never_connected = make_client(socket_address(), recorder);
  never_connected->stop();
  auto server = serve(socket_address());
  const auto connected = make_client(socket_address(), recorder);
  ASSERT_TRUE(lines_.wait_for("discovery stream open"));
  server.reset();
  ASSERT_TRUE(lines_.wait_for("discovery stream ended"));
  connected->stop();
  EXPECT_FALSE(connected->connection().is_open);
}

TEST_F(SocketTest, AServerThatIsAwayIsToldOnce) {
  constexpr std::chrono::milliseconds kAtOnce{1};
  Recorder recorder;
  const auto client = make_client(*make_channel(socket_address()), recorder, "node", kAtOnce);
  ASSERT_TRUE(lines_.wait_for("the controller cannot be reached"));
  const base::WallTime away = client->connection().since;
  auto server = serve(socket_address());
  ASSERT_TRUE(lines_.wait_for("the controller is reached again"));
  EXPECT_TRUE(client->connection().is_open);
  EXPECT_GT(client->connection().since, away);
  server.reset();
  ASSERT_TRUE(lines_.wait_for("the controller cannot be reached", 2));
  EXPECT_FALSE(client->connection().is_open);
  client->stop();
  EXPECT_EQ(lines_.count("the controller cannot be reached"), 2);
  EXPECT_EQ(lines_.count("the controller is reached again"), 1);
}

TEST_F(SocketTest, TwoClientsAreServedAlike) {
  const auto server = serve(socket_address());
  Recorder first;
  Recorder second;
  const auto one = make_client(socket_address(), first);
  const auto two = make_client(socket_address(), second);
  for (int i = 0; i < 100; ++i) server->publish({{endpoint_set(i)}, {}});
  for (Recorder* recorder : {&first, &second}) {
    EXPECT_TRUE(recorder->wait_holds(set_key(99), endpoint_set(99)));
    EXPECT_TRUE(eventually([&] { return recorder->held() == 100; }));
  }
}

}  // namespace
}  // namespace holdfast::discovery
