#include "kube/api_caller.h"

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "kube/api_connection.h"
#include "kube/limits.h"

namespace holdfast::kube {
namespace {

namespace asio = boost::asio;

class ConnectionCaller final : public ApiCaller {
 public:
  ConnectionCaller(asio::io_context& context, std::shared_ptr<ApiServer> server)
      : context_(context), call_(std::make_shared<Call>(context, std::move(server))) {}
  ~ConnectionCaller() override { stop_now(); }

  void call(ApiRequest request, Done done) override {
    asio::co_spawn(
        context_,
        [call = call_, request = std::move(request), done = std::move(done)]() mutable {
          return run(std::move(call), std::move(request), std::move(done));
        },
        [](const std::exception_ptr& error) {
          if (error) std::rethrow_exception(error);
        });
  }

  void stop() override { stop_now(); }

 private:
  /// Outlives the caller for as long as a coroutine runs.
  struct Call {
    Call(asio::io_context& context, std::shared_ptr<ApiServer> api_server)
        : server(std::move(api_server)),
          connection(std::make_shared<ApiConnection>(context, server)) {}

    const std::shared_ptr<ApiServer> server;
    const std::shared_ptr<ApiConnection> connection;
    bool stopped = false;
  };

  static asio::awaitable<void> run(std::shared_ptr<Call> call, ApiRequest request, Done done) {
    ApiAnswer answer;
    answer.failure = co_await call->connection->send(std::move(request));
    if (!answer.failure) answer.failure = co_await read(*call, answer.body);
    if (!call->stopped) done(std::move(answer));
  }

  static asio::awaitable<std::optional<Failure>> read(Call& call, std::string& body) {
    call.connection->limit_body(call.server->options().body_timeout);
    do {
      std::optional<Failure> failure = co_await call.connection->read_body(body);
      if (!failure && body.size() > kAnswerBytes) {
        failure = Failure{FailureKind::kTooLarge, {}, "the answer is beyond the limit"};
      }
      if (failure) {
        call.connection->close();
        co_return failure;
      }
    } while (!call.connection->body_done());
    co_return std::nullopt;
  }

  void stop_now() {
    if (std::exchange(call_->stopped, true)) return;
    call_->connection->cancel();
  }

  asio::io_context& context_;
  const std::shared_ptr<Call> call_;
};

}  // namespace

std::unique_ptr<ApiCaller> make_api_caller(asio::io_context& context,
                                           std::shared_ptr<ApiServer> server) {
  return std::make_unique<ConnectionCaller>(context, std::move(server));
}

std::shared_ptr<ApiServer> make_api_server(ClusterConfig config, const base::Clock& clock,
                                           const base::Log& log) {
  ApiServerOptions options;
  options.head_timeout = kCallTimeout;
  options.body_timeout = kCallTimeout;
  options.connect_timeout = kCallTimeout;
  return std::make_shared<ApiServer>(std::move(config), options, clock, log);
}

}  // namespace holdfast::kube
