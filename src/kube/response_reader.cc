#include "kube/response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {

namespace http = boost::beast::http;

struct ResponseReader::Parser {
  http::response_parser<http::string_body> response;
  /// Bytes that the parser wants to see again together with more.
  std::string unparsed;
};

ResponseReader::ResponseReader() : parser_(std::make_unique<Parser>()) {
  parser_->response.header_limit(kHeadBytes);
  // Bodies are bounded by who takes them; a watch has no end.
  parser_->response.body_limit(boost::none);
}

ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

base::Status ResponseReader::feed(std::string_view bytes) {
  std::string& unparsed = parser_->unparsed;
  unparsed += bytes;
  std::size_t taken = 0;
  while (!done() && taken < unparsed.size()) {
    boost::system::error_code error;
    const std::size_t count = parser_->response.put(
        boost::asio::buffer(unparsed.data() + taken, unparsed.size() - taken), error);
    taken += count;
    if (error == http::error::need_more) break;
    if (error) return absl::InvalidArgumentError("not HTTP: " + error.message());
    // The parser makes room for the whole of it in advance.
    if (head_done() && parser_->response.content_length().value_or(0) > kListBodyBytes) {
      return absl::ResourceExhaustedError("Content-Length is beyond the limit");
    }
  }
  unparsed.erase(0, taken);
  if (unparsed.size() > kHeadBytes && !done()) {
    return absl::InvalidArgumentError("not HTTP: a chunk header without end");
  }
  return {};
}

base::Status ResponseReader::feed_end() {
  boost::system::error_code error;
  if (head_done() && !done()) parser_->response.put_eof(error);
  if (error || !done()) return absl::DataLossError("the response was cut short");
  return {};
}

bool ResponseReader::head_done() const { return parser_->response.is_header_done(); }

bool ResponseReader::done() const { return parser_->response.is_done(); }

int ResponseReader::status() const {
  return static_cast<int>(parser_->response.get().result_int());
}

std::string ResponseReader::header(std::string_view name) const {
  const auto value = parser_->response.get()[boost::beast::string_view(name.data(), name.size())];
  return {value.data(), value.size()};
}

bool ResponseReader::reusable() const {
  return done() && parser_->response.keep_alive() && parser_->unparsed.empty();
}

std::string ResponseReader::take_body() {
  return std::exchange(parser_->response.get().body(), std::string());
}

}  // namespace holdfast::kube
