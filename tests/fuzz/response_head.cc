// parse_response_head says the same whatever the pieces; what it accepts goes out, by
// append_response_head, as a head that it accepts again, with the framing that was chosen. The
// first byte of an input is a digit of options: 1: the request was HEAD, 2: it was HTTP/1.0, 4: the
// connection is closed.

#include "http/serialize.h"
#include "tests/fuzz/heads.h"

namespace holdfast::fuzz {
namespace {

using http::Framing;
using http::ParseState;
using http::ResponseHead;

struct Options {
  bool request_is_head = false;
  bool old_client = false;
  bool close = false;
};

void require_same(const ResponseHead& a, const ResponseHead& b) {
  require_same_head(a, b);
  require(a.status == b.status && a.reason == b.reason, "the same status line");
}

void require_sane(const ResponseHead& head) {
  require(head.status >= 100 && head.status <= 599, "the status has three digits");
  const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304;
  require(!bodiless || head.framing == Framing::kNone, "no body where there is none");
  require(head.framing != Framing::kUntilClose || !head.keep_alive,
          "a connection that ends a body is not used again");
  require(head.count("Transfer-Encoding") == 0 || head.count("Content-Length") == 0,
          "one framing is kept");
}

template <class Parse>
void check_forwarded(const ResponseHead& head, const Options& options, const Parse& parse) {
  const bool re_framed = head.framing == Framing::kChunked || head.framing == Framing::kUntilClose;
  const Framing framing = !re_framed           ? head.framing
                          : options.old_client ? Framing::kUntilClose
                                               : Framing::kChunked;
  http::ResponseForwarding forwarding;
  forwarding.framing = framing;
  forwarding.close = options.close || options.old_client;
  forwarding.websocket_upgrade = head.status == 101;
  forwarding.date = "Tue, 24 Nov 2026 00:12:00 GMT";
  std::string out;
  http::append_response_head(out, head, forwarding);

  const std::vector<std::string_view> lines = lines_of(out);
  require_one_framing(lines, framing, head.status >= 200 && head.has_content_length);
  require_forwarded_lines(lines, head,
                          {"Date", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade"});
  const Parsed<ResponseHead> again = parse_in_pieces<ResponseHead>(out, {}, parse);
  if (again.result.state == ParseState::kError) {
    require(out.size() + 1000 > http::kFieldBytesMost || lines.size() > http::kFieldCountMost,
            "what goes out is accepted", http::to_string(again.result.error));
    return;
  }
  require(again.result.state == ParseState::kDone && again.result.head_bytes == out.size(),
          "what goes out is one whole head");
  require(again.head.status == head.status && again.head.reason == head.reason,
          "it has the same status line");
  require(again.head.framing == framing, "it has the framing that was chosen");
  require(framing != Framing::kLength || again.head.content_length == head.content_length,
          "it has the same length");
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto bits = static_cast<unsigned char>(input.front());
  const Options options{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
  const auto parse = [&](std::string_view bytes, std::size_t& scanned, ResponseHead& head) {
    return http::parse_response_head(bytes, scanned, options.request_is_head, head);
  };
  const std::string bytes = expand(input.substr(1), kExpandedBytesMost);
  const auto whole = parse_every_way<ResponseHead>(bytes, parse, require_same);
  if (whole.result.state == ParseState::kDone) {
    require_sane(whole.head);
    check_forwarded(whole.head, options, parse);
  }
  if (whole.result.state == ParseState::kError) {
    require(whole.result.status == 502, "a bad response is 502");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
