#pragma once

// An API server that says what a test tells it to, on 127.0.0.1 over plain HTTP, on the test's own
// io_context. Requests on all connections are answered by one script, in order.

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace holdfast::kube {

/// What to answer to one request, byte for byte.
struct Reply {
  std::string bytes;
  /// Sent in writes of this size.
  std::size_t piece = std::string::npos;
  /// Afterwards: close the connection, leave it open without another word, or read the next
  /// request.
  enum class Then { kClose, kHang, kNext } then = Then::kNext;

  Reply&& closing() && {
    then = Then::kClose;
    return std::move(*this);
  }
  Reply&& hanging() && {
    then = Then::kHang;
    return std::move(*this);
  }
  Reply&& in_pieces(std::size_t size) && {
    piece = size;
    return std::move(*this);
  }
};

/// A response with Content-Length. `headers` are whole lines.
Reply answer(int status, const std::string& body, const std::string& headers = "");
/// A watch response with these events, a chunk each, and its proper end.
Reply events(const std::vector<std::string>& lines);
/// The same without the end.
Reply open_events(const std::vector<std::string>& lines);

class ScriptedApiServer {
 public:
  explicit ScriptedApiServer(boost::asio::io_context& context);
  ~ScriptedApiServer();

  void on_request(Reply reply) { script_.push_back(std::move(reply)); }
  /// Once, to a request whose target starts with `prefix`, whatever the script says.
  void on_request_for(std::string prefix, Reply reply) {
    for_targets_.emplace_back(std::move(prefix), std::move(reply));
  }
  [[nodiscard]] std::string port() const;
  /// Stops listening: connections are refused.
  void close();
  /// Listens again, where it did before.
  void reopen();
  /// More bytes on the connection that was left hanging last.
  void push(const std::string& bytes);
  [[nodiscard]] bool script_is_over() const { return script_.empty(); }

  /// Request targets, and heads, in order of arrival.
  std::vector<std::string> targets;
  std::vector<std::string> heads;
  int connections = 0;

 private:
  using Socket = boost::asio::ip::tcp::socket;

  boost::asio::awaitable<void> accept_all();
  boost::asio::awaitable<void> serve(std::shared_ptr<Socket> socket);
  boost::asio::awaitable<bool> send(Socket& socket, const Reply& reply);
  /// Without a word of the test's: hang.
  Reply take_reply(const std::string& target);

  boost::asio::io_context& context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  const boost::asio::ip::tcp::endpoint endpoint_;
  std::deque<Reply> script_;
  std::vector<std::pair<std::string, Reply>> for_targets_;
  std::vector<std::weak_ptr<Socket>> sockets_;
  std::weak_ptr<Socket> hanging_;
};

/// One watch event as a chunk.
inline std::string chunk(const std::string& line) {
  char size[32];
  std::snprintf(size, sizeof(size), "%zx\r\n", line.size() + 1);
  return size + line + "\n\r\n";
}

inline Reply answer(int status, const std::string& body, const std::string& headers) {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " +
          std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body};
}

inline Reply open_events(const std::vector<std::string>& lines) {
  std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& line : lines) bytes += chunk(line);
  return Reply{bytes}.hanging();
}

inline Reply events(const std::vector<std::string>& lines) {
  Reply reply = open_events(lines);
  reply.bytes += "0\r\n\r\n";
  reply.then = Reply::Then::kNext;
  return reply;
}

inline ScriptedApiServer::ScriptedApiServer(boost::asio::io_context& context)
    : context_(context),
      acceptor_(context,
                boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
      endpoint_(acceptor_.local_endpoint()) {
  boost::asio::co_spawn(context_, accept_all(), boost::asio::detached);
}

inline ScriptedApiServer::~ScriptedApiServer() { close(); }

inline std::string ScriptedApiServer::port() const { return std::to_string(endpoint_.port()); }

inline void ScriptedApiServer::close() {
  boost::system::error_code ignored;  // Closed already.
  acceptor_.close(ignored);
  for (const auto& weak : sockets_) {
    if (const auto socket = weak.lock()) socket->close(ignored);
  }
}

inline void ScriptedApiServer::reopen() {
  acceptor_ = boost::asio::ip::tcp::acceptor(context_, endpoint_);
  boost::asio::co_spawn(context_, accept_all(), boost::asio::detached);
}

inline void ScriptedApiServer::push(const std::string& bytes) {
  const auto socket = hanging_.lock();
  if (socket == nullptr) throw std::logic_error("no connection was left hanging");
  boost::asio::write(*socket, boost::asio::buffer(bytes));
}

inline boost::asio::awaitable<void> ScriptedApiServer::accept_all() {
  for (;;) {
    auto socket = std::make_shared<Socket>(context_);
    boost::system::error_code error;
    co_await acceptor_.async_accept(*socket,
                                    boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (error) co_return;
    ++connections;
    sockets_.push_back(socket);
    boost::asio::co_spawn(context_, serve(socket), boost::asio::detached);
  }
}

inline boost::asio::awaitable<void> ScriptedApiServer::serve(std::shared_ptr<Socket> socket) {
  std::string buffer;
  boost::system::error_code error;
  for (;;) {
    const std::size_t length = co_await boost::asio::async_read_until(
        *socket, boost::asio::dynamic_buffer(buffer), "\r\n\r\n",
        boost::asio::redirect_error(boost::asio::use_awaitable, error));
    if (error) co_return;
    heads.push_back(buffer.substr(0, length));
    buffer.erase(0, length);
    const std::string& head = heads.back();
    targets.push_back(head.substr(4, head.find(' ', 4) - 4));
    const Reply reply = take_reply(targets.back());
    if (!co_await send(*socket, reply)) co_return;
    if (reply.then == Reply::Then::kClose) socket->close(error);
    if (reply.then == Reply::Then::kClose) co_return;
    if (reply.then == Reply::Then::kHang) {
      hanging_ = socket;
      co_await socket->async_wait(Socket::wait_read,
                                  boost::asio::redirect_error(boost::asio::use_awaitable, error));
      co_return;
    }
  }
}

inline Reply ScriptedApiServer::take_reply(const std::string& target) {
  const auto own = std::find_if(for_targets_.begin(), for_targets_.end(),
                                [&](const auto& entry) { return target.starts_with(entry.first); });
  Reply reply = Reply{}.hanging();
  if (own != for_targets_.end()) {
    reply = std::move(own->second);
    for_targets_.erase(own);
  } else if (!script_.empty()) {
    reply = std::move(script_.front());
    script_.pop_front();
  }
  return reply;
}

inline boost::asio::awaitable<bool> ScriptedApiServer::send(Socket& socket, const Reply& reply) {
  boost::system::error_code error;
  for (std::size_t at = 0; at < reply.bytes.size() && !error;) {
    const std::size_t size = std::min(reply.piece, reply.bytes.size() - at);
    co_await boost::asio::async_write(
        socket, boost::asio::buffer(reply.bytes.data() + at, size),
        boost::asio::redirect_error(boost::asio::use_awaitable, error));
    at += size;
  }
  co_return !error;
}

}  // namespace holdfast::kube
