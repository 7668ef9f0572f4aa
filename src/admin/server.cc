#include "admin/server.h"

#include <pthread.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <exception>
#include <map>
#include <thread>
#include <utility>

#include "admin/connection.h"
#include "admin/exposition.h"
#include "base/host_port.h"

namespace holdfast::admin {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::beast::tcp_stream;

class Server::State {
 public:
  State(const base::Log& log, Options options) : log_(log), options_(options) {
    handlers_["/healthz"] = [](const std::string&) { return Answer{.body = "ok\n"}; };
    handlers_["/metrics"] = [this](const std::string&) {
      return Answer{.content_type = kExpositionType, .body = exposition(sources_)};
    };
  }

  void add_metrics(const base::MetricSource& source) { sources_.push_back(&source); }
  void handle(std::string path, Handler handler) {
    handlers_[std::move(path)] = std::move(handler);
  }
  base::Status start(const std::string& address);
  [[nodiscard]] int port() const { return port_; }
  void stop();

 private:
  base::Status bind(const base::HostPort& address);
  void run();
  void accept_on();
  asio::awaitable<void> accept_loop();
  void adopt(tcp::socket socket);
  Answer dispatch(const std::string& path, const std::string& query);

  // Fixed after start().
  const base::Log& log_;
  const Options options_;
  std::vector<const base::MetricSource*> sources_;
  std::map<std::string, Handler> handlers_;
  const Dispatch dispatch_ = [this](const std::string& path, const std::string& query) {
    return dispatch(path, query);
  };
  int port_ = 0;

  // Touched on the admin thread only, once it runs. The oldest connection has the lowest number.
  std::map<std::uint64_t, std::shared_ptr<tcp_stream>> connections_;
  std::uint64_t accepted_ = 0;
  // Destroys what is left of the coroutines, which use the members above.
  asio::io_context context_{1};
  tcp::acceptor acceptor_{context_};

  std::thread thread_;
};

base::Status Server::State::bind(const base::HostPort& address) {
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address.host, error);
  const tcp::endpoint endpoint(ip, address.port);
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error) return absl::UnavailableError(error.message());
  port_ = acceptor_.local_endpoint(error).port();
  return error ? absl::UnavailableError(error.message()) : base::Status();
}

base::Status Server::State::start(const std::string& address) {
  const base::StatusOr<base::HostPort> parsed = base::parse_host_port(address);
  if (!parsed.ok()) return parsed.status();
  const base::Status bound = bind(*parsed);
  if (!bound.ok()) {
    return absl::UnavailableError("the admin address " + address +
                                  " cannot be bound: " + std::string(bound.message()));
  }
  accept_on();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "admin");
    run();
  });
  return {};
}

void Server::State::run() {
  // What operators look at must not end what they look after: only the connection at hand is lost.
  while (true) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      log_.error("admin request failed", {{"reason", std::string_view(error.what())}});
    }
  }
}

void Server::State::accept_on() {
  asio::co_spawn(context_, accept_loop(), [this](const std::exception_ptr& error) {
    // Out of memory, at worst: the next connection may fare better.
    accept_on();
    if (error) std::rethrow_exception(error);
  });
}

asio::awaitable<void> Server::State::accept_loop() {
  asio::steady_timer pause(context_);
  while (true) {
    auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (error == asio::error::connection_aborted) continue;
    if (error) {
      const std::string reason = error.message();
      log_.warn("admin connection not accepted", {{"reason", std::string_view(reason)}});
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    adopt(std::move(socket));
  }
}

void Server::State::adopt(tcp::socket socket) {
  if (connections_.size() >= options_.connections_most) {
    const auto oldest = connections_.begin();
    oldest->second->close();
    connections_.erase(oldest);
  }
  auto stream = std::make_shared<tcp_stream>(std::move(socket));
  const std::uint64_t number = ++accepted_;
  connections_.emplace(number, stream);
  asio::co_spawn(context_, serve_connection(std::move(stream), dispatch_, options_),
                 [this, number](const std::exception_ptr& error) {
                   connections_.erase(number);
                   if (error) std::rethrow_exception(error);
                 });
}

Answer Server::State::dispatch(const std::string& path, const std::string& query) {
  const auto handler = handlers_.find(path);
  if (handler == handlers_.end()) return {.status = 404, .body = "There is no such page.\n"};
  try {
    return handler->second(query);
  } catch (const std::exception& error) {
    log_.error("admin handler failed",
               {{"path", std::string_view(path)}, {"reason", std::string_view(error.what())}});
    return {.status = 500, .body = "The page could not be made; the log says why.\n"};
  }
}

void Server::State::stop() {
  if (!thread_.joinable()) return;
  context_.stop();
  thread_.join();
  boost::system::error_code ignored;  // nothing is left to be done about it
  acceptor_.close(ignored);
  connections_.clear();
}

Server::Server(const base::Log& log, Options options)
    : state_(std::make_unique<State>(log, options)) {}

Server::~Server() { stop(); }

void Server::add_metrics(const base::MetricSource& source) { state_->add_metrics(source); }

void Server::handle(std::string path, Handler handler) {
  state_->handle(std::move(path), std::move(handler));
}

base::Status Server::start(const std::string& address) { return state_->start(address); }

int Server::port() const { return state_->port(); }

void Server::stop() { state_->stop(); }

}  // namespace holdfast::admin
