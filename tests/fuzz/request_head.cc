// parse_request_head says the same whatever the pieces; what it accepts goes out, by
// append_request_head, as a head that it accepts again, for the same place and with one framing.

#include "http/serialize.h"
#include "tests/fuzz/heads.h"
#include "websocket/handshake.h"

namespace holdfast::fuzz {
namespace {

using http::Framing;
using http::ParseState;
using http::RequestHead;

http::ParseResult parse(std::string_view bytes, std::size_t& scanned, RequestHead& head) {
  return http::parse_request_head(bytes, scanned, head);
}

void require_same(const RequestHead& a, const RequestHead& b) {
  require_same_head(a, b);
  require(a.method == b.method && a.target == b.target && a.path == b.path &&
              a.authority == b.authority && a.host == b.host &&
              a.expects_continue == b.expects_continue,
          "the same request");
}

void check_forwarded(const RequestHead& head) {
  const http::Field set[] = {{"X-Forwarded-For", "192.0.2.1"},
                             {"X-Forwarded-Host", head.authority},
                             {"X-Request-ID", "0123456789abcdef"}};
  http::RequestForwarding forwarding;
  forwarding.framing = head.framing;
  const websocket::UpgradeCheck upgrade = websocket::check_upgrade_request(head);
  forwarding.websocket_upgrade = upgrade == websocket::UpgradeCheck::kValid;
  forwarding.set = set;
  std::string out;
  http::append_request_head(out, head, forwarding);

  const std::vector<std::string_view> lines = lines_of(out);
  require_one_framing(lines, head.framing, false);
  require_forwarded_lines(lines, head,
                          {"Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Request-ID", "Via",
                           "Content-Length", "Transfer-Encoding", "Connection", "Upgrade"});
  for (const std::string_view one : {"Host", "X-Forwarded-For", "X-Request-ID"}) {
    require(count_named(lines, one) == 1, "once goes out", one);
  }

  const Parsed<RequestHead> again = parse_in_pieces<RequestHead>(out, {}, parse);
  if (again.result.state == ParseState::kError) {
    // What we add may pass a limit that the head itself had just kept to.
    const bool near_limit =
        is_limit(again.result.error) || again.result.error == http::HeadError::kTooManyFields;
    const bool nameless = head.minor_version == 0 && head.authority.empty();
    require(
        (near_limit && out.size() + 1000 > http::kFieldBytesMost) || lines.size() > 100 || nameless,
        "what goes out is accepted", http::to_string(again.result.error));
    return;
  }
  require(again.result.state == ParseState::kDone && again.result.head_bytes == out.size(),
          "what goes out is one whole head");
  const std::string slash = head.target.starts_with('?') ? "/" : "";
  require(again.head.method == head.method && again.head.path == head.path &&
              again.head.target == slash + std::string(head.target) &&
              again.head.authority == head.authority && again.head.host == head.host,
          "it asks for the same");
  require(again.head.framing == head.framing && again.head.content_length == head.content_length,
          "it has the same body");
  require((websocket::check_upgrade_request(again.head) == websocket::UpgradeCheck::kValid) ==
              forwarding.websocket_upgrade,
          "it is a handshake if it was one");
}

void run(std::string_view input) {
  const std::string bytes = expand(input, kExpandedBytesMost);
  const auto whole = parse_every_way<RequestHead>(bytes, parse, require_same);
  if (whole.result.state == ParseState::kDone) {
    require(whole.head.framing != Framing::kUntilClose, "no request lasts until the close");
    require(whole.head.count("Content-Length") + whole.head.count("Transfer-Encoding") <= 1,
            "a request states one framing");
    require(whole.head.count("Host") == 1 || whole.head.minor_version == 0,
            "a request names one host");
    check_forwarded(whole.head);
  }
  if (whole.result.state == ParseState::kError) {
    require(whole.result.status >= 400 && whole.result.error != http::HeadError::kNone,
            "an error has a status");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
