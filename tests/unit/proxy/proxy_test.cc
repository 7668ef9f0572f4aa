// Goal: the data plane as a whole, on real sockets: routing, an HTTP exchange, a WebSocket,
// refusals, and changes of the configuration under an open connection. Method: a Proxy with two
// workers in this process, blocking sockets with deadlines as client and backend. The scenario
// tests go into breadth.

#include "proxy/proxy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "model/resource.h"
#include "proxy/address.h"
#include "tests/support/line_sink.h"

namespace holdfast::proxy {
namespace {

namespace v1 = discovery::v1;

/// A blocking socket that gives up after five seconds.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {
    const timeval patience = {5, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(descriptor_); }

  static std::unique_ptr<Peer> connect(int port) {
    const auto address = *Address::from_ip("127.0.0.1", static_cast<std::uint32_t>(port));
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::connect(descriptor, address.data(), address.size()), 0);
    return std::make_unique<Peer>(descriptor);
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// Reads until `end` has come, and returns everything up to there.
  std::string read_until(std::string_view end) {
    while (buffer_.find(end) == std::string::npos) {
      if (!read_more()) return "(ended) " + buffer_;
    }
    const std::size_t size = buffer_.find(end) + end.size();
    std::string text = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return text;
  }
  bool at_end() {
    while (read_more()) {
    }
    return ended_;
  }

 private:
  bool read_more() {
    char bytes[4096];
    const ssize_t n = ::recv(descriptor_, bytes, sizeof bytes, 0);
    ended_ = n == 0;
    if (n > 0) buffer_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  const int descriptor_;
  std::string buffer_;
  bool ended_ = false;
};

class Backend {
 public:
  Backend() : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience = {5, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto any = *Address::from_ip("127.0.0.1", 0);
    EXPECT_EQ(::bind(descriptor_, any.data(), any.size()), 0);
    EXPECT_EQ(::listen(descriptor_, 16), 0);
    sockaddr_storage bound = {};
    socklen_t size = sizeof bound;
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = Address(bound).port();
  }
  ~Backend() { ::close(descriptor_); }
  std::unique_ptr<Peer> accept() {
    const int descriptor = ::accept(descriptor_, nullptr, nullptr);
    EXPECT_GE(descriptor, 0);
    return std::make_unique<Peer>(descriptor);
  }
  [[nodiscard]] std::uint32_t port() const { return port_; }

 private:
  const int descriptor_;
  std::uint32_t port_ = 0;
};

class ProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(proxy_.start().ok());
    EXPECT_FALSE(proxy_.ready());
    model::Transaction first;
    first.upserts = {host("chat.test"), endpoints({backend_.port()})};
    ASSERT_TRUE(proxy_.apply(first).empty());
    EXPECT_TRUE(proxy_.ready());
  }
  void TearDown() override { proxy_.stop(); }

  static model::ResourcePtr host(const std::string& name) {
    v1::Resource resource;
    resource.set_name(name);
    resource.mutable_virtual_host()->set_host(name);
    v1::Route& route = *resource.mutable_virtual_host()->add_routes();
    route.mutable_origin()->set_kind("Ingress");
    route.mutable_origin()->set_namespace_("default");
    route.mutable_origin()->set_name("chat");
    route.mutable_path()->set_prefix("/");
    route.set_cluster("default/rooms/80");
    v1::RoutePolicy& policy = *resource.mutable_virtual_host()->add_policies();
    policy.set_load_balance(v1::LOAD_BALANCE_LEAST_CONNECTIONS);
    policy.mutable_connect_timeout()->set_seconds(5);
    policy.mutable_idle_timeout()->set_seconds(3600);
    policy.mutable_request_timeout()->set_seconds(60);
    policy.mutable_upgrade_timeout()->set_seconds(10);
    return model::seal(resource);
  }
  static model::ResourcePtr endpoints(const std::vector<std::uint32_t>& ports) {
    v1::Resource resource;
    resource.set_name("default/rooms/80");
    resource.mutable_endpoint_set();
    for (const std::uint32_t port : ports) {
      v1::Endpoint& endpoint = *resource.mutable_endpoint_set()->add_endpoints();
      endpoint.set_address("127.0.0.1");
      endpoint.set_port(port);
    }
    return model::seal(resource);
  }
  std::unique_ptr<Peer> client() { return Peer::connect(proxy_.ports().http.front()); }
  double metric(const std::string& name) {
    std::vector<base::MetricFamily> families;
    proxy_.collect(families);
    for (const auto& family : families) {
      if (family.name == name) return family.samples.at(0).value;
    }
    return -1;
  }

  base::SystemClock clock_;
  base::LineSink sink_;
  base::Log log_{sink_, clock_};
  Backend backend_;
  Proxy proxy_{{.http_listen = {"127.0.0.1:0"}, .workers = 2}, clock_, log_, &sink_};
};

const std::string kHandshake =
    "GET /ws HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const std::string kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

TEST_F(ProxyTest, AWebSocketOutlivesItsRouteAndItsEndpoint) {
  auto user = client();
  user->send(kHandshake);
  auto pod = backend_.accept();
  const std::string head = pod->read_until("\r\n\r\n");
  EXPECT_NE(head.find("GET /ws HTTP/1.1\r\nHost: chat.test\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Forwarded-For: 127.0.0.1\r\n"), std::string::npos) << head;
  pod->send(kSwitch + "\x81\x02hi");
  EXPECT_NE(user->read_until("\x81\x02hi").find("HTTP/1.1 101 "), std::string::npos);

  model::Transaction removal;
  removal.removals = {{v1::KIND_VIRTUAL_HOST, "chat.test"},
                      {v1::KIND_ENDPOINT_SET, "default/rooms/80"}};
  ASSERT_TRUE(proxy_.apply(removal).empty());
  user->send(std::string("\x81\x82\0\0\0\0yo", 8));
  EXPECT_EQ(pod->read_until("yo").size(), 8U);
  EXPECT_EQ(metric("holdfast_websockets_open"), 1);

  auto other = client();
  other->send("GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n");
  EXPECT_NE(other->read_until("\r\n\r\n").find("HTTP/1.1 404 "), std::string::npos);
}

TEST_F(ProxyTest, AWrongAcceptIs502) {
  auto user = client();
  user->send(kHandshake);
  auto pod = backend_.accept();
  pod->read_until("\r\n\r\n");
  pod->send(
      "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n");
  EXPECT_NE(user->read_until("\r\n\r\n").find("HTTP/1.1 502 "), std::string::npos);
}

TEST_F(ProxyTest, RequestsKeepBothConnectionsAlive) {
  auto user = client();
  std::unique_ptr<Peer> pod;
  for (int i = 0; i < 3; ++i) {
    user->send("POST /a HTTP/1.1\r\nHost: chat.test\r\nContent-Length: 5\r\n\r\nhello");
    if (pod == nullptr) pod = backend_.accept();
    EXPECT_NE(pod->read_until("hello").find("Content-Length: 5"), std::string::npos);
    pod->send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
    EXPECT_NE(user->read_until("done").find("HTTP/1.1 200 OK"), std::string::npos);
  }
}

TEST_F(ProxyTest, ChunksPassBothWays) {
  auto user = client();
  user->send(
      "POST /a HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\nX: y\r\n\r\n");
  auto pod = backend_.accept();
  const std::string request = pod->read_until("0\r\n\r\n");
  EXPECT_NE(request.find("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), std::string::npos) << request;
  pod->send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_NE(user->read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  pod->send("2\r\nxy\r\n");
  EXPECT_EQ(user->read_until("xy\r\n"), "2\r\nxy\r\n");
  pod->send("0\r\n\r\n");
  EXPECT_EQ(user->read_until("0\r\n\r\n"), "0\r\n\r\n");
}

TEST_F(ProxyTest, NoEndpointIs503WithRetryAfter) {
  model::Transaction change;
  change.upserts = {endpoints({})};
  ASSERT_TRUE(proxy_.apply(change).empty());
  auto user = client();
  user->send(kHandshake);
  const std::string answer = user->read_until("\r\n\r\n");
  EXPECT_NE(answer.find("HTTP/1.1 503 "), std::string::npos);
  EXPECT_NE(answer.find("Retry-After: "), std::string::npos);
}

TEST_F(ProxyTest, MalformedIs400AndTheConnectionEnds) {
  auto user = client();
  user->send("GET / HTTP/1.1\r\nHost : x\r\n\r\n");
  EXPECT_NE(user->read_until("\r\n").find("HTTP/1.1 400 "), std::string::npos);
  EXPECT_TRUE(user->at_end());
}

TEST_F(ProxyTest, AnInvalidResourceIsRefusedAndNothingChanges) {
  v1::Resource resource;
  resource.set_name("default/rooms/80");
  resource.mutable_endpoint_set()->add_endpoints()->set_address("not an address");
  model::Transaction change;
  change.upserts = {model::seal(resource)};
  change.removals = {{v1::KIND_VIRTUAL_HOST, "chat.test"}};
  EXPECT_EQ(proxy_.apply(change).size(), 1U);
  EXPECT_EQ(proxy_.resources().size(), 2U);
  auto user = client();
  user->send("GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n");
  backend_.accept()->send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_NE(user->read_until("\r\n\r\n").find("HTTP/1.1 204 "), std::string::npos);
}

}  // namespace
}  // namespace holdfast::proxy
