#include "admin/connection.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <array>
#include <utility>

#include "admin/no_throw.h"

namespace holdfast::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

using Parser = http::request_parser<http::empty_body>;
using Response = http::response<http::string_body>;

bool is_too_large(error_code error) {
  return error == http::error::header_limit || error == http::error::buffer_overflow;
}

/// The peer sent something that is not HTTP, rather than nothing.
bool is_bad_request(error_code error) {
  return error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

Answer refuse(int status, std::string sentence) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(sentence) + "\n";
  return answer;
}

Response response_to(Answer answer, unsigned version, bool keep_alive) {
  Response response(static_cast<http::status>(answer.status), version);
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  if (answer.status == 405) response.set(http::field::allow, "GET, HEAD");
  response.keep_alive(keep_alive);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  return response;
}

/// False: the connection is of no more use.
asio::awaitable<bool> send(boost::beast::tcp_stream& stream, const Response& response,
                           bool head_only, std::chrono::milliseconds timeout) {
  stream.expires_after(timeout);
  http::response_serializer<http::string_body> serializer(response);
  if (head_only) {
    const auto [error, size] = co_await http::async_write_header(stream, serializer, kNoThrow);
    co_return !error && response.keep_alive();
  }
  const auto [error, size] = co_await http::async_write(stream, serializer, kNoThrow);
  co_return !error && response.keep_alive();
}

/// Closing a socket with unread bytes resets the connection, and the peer may never see the answer
/// (RFC 9112, section 9.6).
asio::awaitable<void> close_politely(boost::beast::tcp_stream& stream,
                                     std::chrono::milliseconds timeout) {
  error_code error;
  stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) co_return;
  stream.expires_after(timeout);
  std::array<char, 4096> discarded;
  for (std::size_t total = 0; total < kDiscardBytesMost;) {
    const auto [read_error, size] =
        co_await stream.async_read_some(asio::buffer(discarded), kNoThrow);
    if (read_error) co_return;
    total += size;
  }
}

Answer answer_to(const Parser::value_type& request, const Dispatch& dispatch) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    return refuse(405, "Only GET and HEAD are served here.");
  }
  const std::string target(request.target());
  const std::size_t mark = target.find('?');
  return dispatch(target.substr(0, mark),
                  mark == std::string::npos ? std::string() : target.substr(mark + 1));
}

}  // namespace

asio::awaitable<void> serve_connection(std::shared_ptr<boost::beast::tcp_stream> stream,
                                       const Dispatch& dispatch, const Options& options) {
  boost::beast::flat_buffer buffer(kHeadBytesMost);
  bool first = true;
  bool keep_alive = true;
  while (keep_alive) {
    if (buffer.size() == 0) {
      stream->expires_after(first ? options.request_timeout : options.idle_timeout);
      const auto [error, size] =
          co_await stream->async_read_some(buffer.prepare(kHeadBytesMost), kNoThrow);
      if (error) co_return;
      buffer.commit(size);
    }
    first = false;
    Parser parser;
    parser.header_limit(kHeadBytesMost);
    parser.eager(false);
    stream->expires_after(options.request_timeout);
    const auto [error, size] = co_await http::async_read_header(*stream, buffer, parser, kNoThrow);
    if (error) {
      if (!is_too_large(error) && !is_bad_request(error)) co_return;
      const int status = is_too_large(error) ? 431 : 400;
      const Response response =
          response_to(refuse(status, is_too_large(error) ? "The request head is too large."
                                                         : "This is not an HTTP/1.1 request."),
                      11, false);
      co_await send(*stream, response, false, options.request_timeout);
      break;
    }
    const auto& request = parser.get();
    // A body would be taken for the next request.
    const bool has_body = parser.chunked() || parser.content_length().value_or(0) != 0;
    const bool may_stay = request.keep_alive() && !has_body;
    const Response response =
        response_to(answer_to(request, dispatch), request.version(), may_stay);
    keep_alive = co_await send(*stream, response, request.method() == http::verb::head,
                               options.request_timeout);
  }
  co_await close_politely(*stream, options.request_timeout);
}

}  // namespace holdfast::admin
