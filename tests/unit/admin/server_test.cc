#include "admin/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"

namespace holdfast::admin {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A blocking socket that speaks bytes.
class Peer {
 public:
  explicit Peer(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(socket_); }

  Peer& say(const std::string& text) {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return *this;
  }
  /// Until the other side closes.
  std::string hear_all() {
    while (hear_some()) {
    }
    return heard_;
  }
  /// Until `end` was heard; what was heard since the last call.
  std::string hear_until(const std::string& end) {
    while (heard_.find(end) == std::string::npos && hear_some()) {
    }
    return std::exchange(heard_, {});
  }
  bool hear_some() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    heard_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

 private:
  const int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string heard_;
};

class ServerTest : public testing::Test {
 protected:
  Server& start(Options options = {}) {
    server_ = std::make_unique<Server>(log_, options);
    server_->handle("/page", [](const std::string& query) {
      return Answer{.content_type = "application/json", .body = "{\"q\":\"" + query + "\"}"};
    });
    server_->handle("/broken",
                    [](const std::string&) -> Answer { throw std::runtime_error("no such luck"); });
    const base::Status started = server_->start("127.0.0.1:0");
    EXPECT_TRUE(started.ok()) << started;
    EXPECT_GT(server_->port(), 0);
    return *server_;
  }
  std::string ask(const std::string& request) {
    return Peer(server_->port()).say(request).hear_all();
  }

  base::LineSink sink_;
  base::FakeClock clock_;
  base::Log log_{sink_, clock_};
  std::unique_ptr<Server> server_;
};

const std::string kClose = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const std::string kStay = " HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerTest, AnswersHealthAndPages) {
  start();
  EXPECT_THAT(ask("GET /healthz" + kClose), StartsWith("HTTP/1.1 200 OK\r\n"));
  const std::string page = ask("GET /page?a=b%20c" + kClose);
  EXPECT_THAT(page, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(page, HasSubstr("\r\n\r\n{\"q\":\"a=b%20c\"}"));
}

TEST_F(ServerTest, AnswersHeadWithoutABody) {
  start();
  const std::string answer = ask("HEAD /healthz" + kClose);
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST_F(ServerTest, KnowsWhatItDoesNotHave) {
  start();
  EXPECT_THAT(ask("GET /nothing" + kClose), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(ask("GET /page/" + kClose), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(ServerTest, RefusesOtherMethods) {
  start();
  const std::string answer = ask("DELETE /healthz" + kClose);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
}

TEST_F(ServerTest, ClosesAfterARequestWithABody) {
  start();
  const std::string smuggled = "GET /page" + kStay;
  Peer peer(server_->port());
  peer.say("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: " +
           std::to_string(smuggled.size()) + "\r\n\r\n" + smuggled);
  const std::string heard = peer.hear_until("\r\n\r\n") + peer.hear_until("GET");
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(heard, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(heard, Not(HasSubstr("{\"q\"")));
}

TEST_F(ServerTest, RefusesWhatIsNotHttp) {
  start();
  Peer peer(server_->port());
  peer.say("\x16\x03\x01 hello\r\n\r\n");
  EXPECT_THAT(peer.hear_until("\r\n\r\n"), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
}

TEST_F(ServerTest, RefusesAHeadThatIsTooLarge) {
  start();
  Peer peer(server_->port());
  peer.say("GET /healthz HTTP/1.1\r\nX: " + std::string(2 * kHeadBytesMost, 'x') + "\r\n\r\n");
  EXPECT_THAT(peer.hear_until("\r\n\r\n"),
              StartsWith("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
}

TEST_F(ServerTest, AnswersSeveralRequestsOfOneConnection) {
  start();
  Peer peer(server_->port());
  for (const char* query : {"1", "2", "3"}) {
    peer.say(std::string("GET /page?") + query + kStay);
    EXPECT_THAT(peer.hear_until("\"}"), HasSubstr(std::string("{\"q\":\"") + query));
  }
  // Two in one segment.
  peer.say("GET /page?4" + kStay + "GET /page?5" + kClose);
  EXPECT_THAT(peer.hear_all(), testing::AllOf(HasSubstr("{\"q\":\"4"), HasSubstr("{\"q\":\"5")));
}

TEST_F(ServerTest, ServesSeveralConnectionsAtOnce) {
  start();
  Peer half(server_->port());
  half.say("GET /page?half");
  Peer whole(server_->port());
  whole.say("GET /page?whole" + kClose);
  EXPECT_THAT(whole.hear_all(), HasSubstr("whole"));
  half.say(kClose);
  EXPECT_THAT(half.hear_all(), HasSubstr("half"));
}

TEST_F(ServerTest, ClosesASlowHead) {
  start({.request_timeout = std::chrono::milliseconds(20)});
  Peer peer(server_->port());
  peer.say("GET /healthz HTTP/1.1\r\n");
  EXPECT_EQ(peer.hear_all(), "");
}

TEST_F(ServerTest, ClosesASilentConnection) {
  start({.request_timeout = std::chrono::milliseconds(20)});
  EXPECT_EQ(Peer(server_->port()).hear_all(), "");
}

TEST_F(ServerTest, ClosesAnIdleConnection) {
  start({.idle_timeout = std::chrono::milliseconds(20)});
  Peer peer(server_->port());
  peer.say("GET /page?1" + kStay);
  EXPECT_THAT(peer.hear_until("\"}"), HasSubstr("200 OK"));
  EXPECT_FALSE(peer.hear_some());
}

TEST_F(ServerTest, ClosesTheOldestOfTooManyConnections) {
  start({.connections_most = 2});
  Peer first(server_->port());
  first.say("GET /page?1" + kStay).hear_until("\"}");
  Peer second(server_->port());
  second.say("GET /page?2" + kStay).hear_until("\"}");
  Peer third(server_->port());
  EXPECT_THAT(third.say("GET /page?3" + kStay).hear_until("\"}"), HasSubstr("200 OK"));
  EXPECT_FALSE(first.hear_some());
  EXPECT_THAT(second.say("GET /page?4" + kStay).hear_until("\"}"), HasSubstr("200 OK"));
}

TEST_F(ServerTest, SurvivesAHandlerThatThrows) {
  start();
  EXPECT_THAT(ask("GET /broken" + kClose), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(ask("GET /healthz" + kClose), StartsWith("HTTP/1.1 200 OK\r\n"));
  server_->stop();
  ASSERT_EQ(sink_.lines.size(), 1U);
  EXPECT_THAT(sink_.lines[0], HasSubstr("no such luck"));
}

TEST_F(ServerTest, StopsWithConnectionsOpen) {
  start();
  Peer idle(server_->port());
  idle.say("GET /page?1" + kStay).hear_until("\"}");
  Peer half(server_->port());
  half.say("GET /pa");
  server_.reset();
  EXPECT_EQ(idle.hear_all(), "");
  EXPECT_EQ(half.hear_all(), "");
}

TEST_F(ServerTest, SaysWhyItCannotBind) {
  start();
  Server second(log_);
  const std::string taken = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_THAT(std::string(second.start(taken).message()), HasSubstr(taken));
  EXPECT_FALSE(Server(log_).start("nonsense").ok());
  EXPECT_FALSE(Server(log_).start("not-an-address:0").ok());
}

class Sized final : public base::MetricSource {
 public:
  void collect(std::vector<base::MetricFamily>& out) const override {
    out.push_back({"holdfast_size",
                   "Size, in bytes.",
                   base::MetricType::kGauge,
                   {{.labels = {{"of", "a\"b"}}, .value = 5}}});
  }
};

TEST_F(ServerTest, ShowsMetrics) {
  const Sized source;
  server_ = std::make_unique<Server>(log_);
  server_->add_metrics(source);
  ASSERT_TRUE(server_->start("127.0.0.1:0").ok());
  const std::string answer = ask("GET /metrics" + kClose);
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, HasSubstr("holdfast_size{of=\"a\\\"b\"} 5\n"));
}

}  // namespace
}  // namespace holdfast::admin
