#include "kube/api_connection.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/unit/kube/recording.h"
#include "tests/unit/kube/scripted_api_server.h"

namespace holdfast::kube {
namespace {

namespace asio = boost::asio;

class ApiConnectionTest : public testing::Test {
 protected:
  /// What comes of a GET that is answered so.
  std::optional<Failure> get(Reply reply) {
    server.on_request(std::move(reply));
    ClusterConfig config;
    config.host = "127.0.0.1";
    config.port = server.port();
    config.plain_http = true;
    config.base_path = "/prefix";
    const auto connection = std::make_shared<ApiConnection>(
        context,
        std::make_shared<ApiServer>(config, ApiServerOptions(), recording.clock, recording.log));
    std::optional<Failure> outcome;
    bool done = false;
    asio::co_spawn(context, get_once(*connection, outcome, done), asio::detached);
    while (!done && context.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    EXPECT_TRUE(done);
    connection->cancel();
    return outcome;
  }

  static asio::awaitable<void> get_once(ApiConnection& connection, std::optional<Failure>& outcome,
                                        bool& done) {
    outcome = co_await connection.get("/api/v1/services");
    done = true;
  }

  Recording recording;
  asio::io_context context;
  ScriptedApiServer server{context};
};

TEST_F(ApiConnectionTest, PutsTheServersPathInFront) {
  EXPECT_FALSE(get(answer(200, "")));
  EXPECT_EQ(server.targets.at(0), "/prefix/api/v1/services");
}

TEST_F(ApiConnectionTest, ReadsRetryAfterFromHeaderAndBody) {
  const std::string body = R"({"kind":"Status","message":"slow down",)"
                           R"("details":{"retryAfterSeconds":3}})";
  std::optional<Failure> failure = get(answer(429, body));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->kind, FailureKind::kStatus);
  EXPECT_EQ(failure->status.code, 429);
  EXPECT_EQ(failure->status.retry_after, std::chrono::seconds(3));
  EXPECT_EQ(failure->detail, "HTTP 429: slow down");
  failure = get(answer(503, body, "Retry-After: 7\r\n"));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->status.retry_after, std::chrono::seconds(7));
  for (const char* value : {"soon", "-1", "7s", "99999999999999999999"}) {
    failure = get(answer(503, "", std::string("Retry-After: ") + value + "\r\n"));
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->status.retry_after, std::nullopt) << value;
  }
}

TEST_F(ApiConnectionTest, KeepsTheStatusWhenItsBodyIsCut) {
  Reply reply = answer(410, R"({"reason":"Expired"})");
  reply.bytes.resize(reply.bytes.size() - 5);
  const std::optional<Failure> failure = get(std::move(reply).closing());
  ASSERT_TRUE(failure);
  EXPECT_TRUE(failure->expired());
}

}  // namespace
}  // namespace holdfast::kube
