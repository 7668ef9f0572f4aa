#include "admin/client.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <cctype>

#include "admin/limits.h"
#include "admin/no_throw.h"
#include "base/host_port.h"

namespace holdfast::admin {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

struct Fetched {
  error_code error;
  unsigned status = 0;
  std::string body;
};

asio::awaitable<void> fetch_on(boost::beast::tcp_stream& stream, asio::ip::tcp::endpoint where,
                               const std::string& host, const std::string& target, Fetched& out) {
  // One deadline for all of it.
  stream.expires_after(kFetchPatience);
  out.error = std::get<0>(co_await stream.async_connect(where, kNoThrow));
  if (out.error) co_return;
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host, host);
  request.set(http::field::connection, "close");
  out.error = std::get<0>(co_await http::async_write(stream, request, kNoThrow));
  if (out.error) co_return;
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kFetchBytesMost);
  out.error = std::get<0>(co_await http::async_read(stream, buffer, parser, kNoThrow));
  if (out.error) co_return;
  out.status = parser.get().result_int();
  out.body = std::move(parser.get().body());
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

base::StatusOr<std::string> fetch(const std::string& address, const std::string& target) {
  const base::StatusOr<base::HostPort> parsed = base::parse_host_port(address);
  if (!parsed.ok()) return parsed.status();
  error_code error;
  const auto ip = asio::ip::make_address(parsed->host, error);
  if (error) return absl::InvalidArgumentError("\"" + parsed->host + "\" is not an IP address");

  asio::io_context context(1);
  boost::beast::tcp_stream stream(context);
  Fetched fetched;
  asio::co_spawn(context, fetch_on(stream, {ip, parsed->port}, address, target, fetched),
                 asio::detached);
  context.run();
  if (fetched.error) {
    return absl::UnavailableError(address + " does not answer: " + fetched.error.message());
  }
  if (fetched.status == 404) return absl::NotFoundError(address + " has no such page");
  if (fetched.status != 200) {
    return absl::UnavailableError(address + " answers " + std::to_string(fetched.status) + ": " +
                                  first_line(fetched.body));
  }
  return std::move(fetched.body);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || kUnreserved.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[byte >> 4];
      encoded += kDigits[byte & 0xF];
    }
  }
  return encoded;
}

}  // namespace holdfast::admin
