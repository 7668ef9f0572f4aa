#include "http/serialize.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <initializer_list>

#include "http/chars.h"
#include "http/hop_by_hop.h"

namespace holdfast::http {
namespace {

/// Room for everything that a head gets besides its own start line and fields.
constexpr std::size_t kExtraBytes = 256;

/// Writes behind the end of a string whose room is made once. REQUIRES: no more than `room` bytes.
class Writer {
 public:
  Writer(std::string& out, std::size_t room) : out_(out) {
    const std::size_t size = out.size();
    out.resize(size + room);
    at_ = out.data() + size;
  }
  ~Writer() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void add(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void add(std::initializer_list<std::string_view> texts) {
    for (const std::string_view text : texts) add(text);
  }
  void add_number(std::uint64_t value) { at_ = std::to_chars(at_, at_ + 20, value).ptr; }
  void add_field(const Field& field) { add({field.name, ": ", field.value, "\r\n"}); }

 private:
  std::string& out_;
  char* at_;
};

std::size_t bytes_of(std::span<const Field> fields) {
  std::size_t bytes = 0;
  for (const Field& field : fields) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

void add_length(Writer& writer, std::uint64_t length) {
  writer.add("Content-Length: ");
  writer.add_number(length);
  writer.add("\r\n");
}

void add_status_line(Writer& writer, int status, std::string_view reason) {
  writer.add("HTTP/1.1 ");
  writer.add_number(static_cast<std::uint64_t>(status));
  writer.add({" ", reason, "\r\n"});
}

/// One Connection field for all options; none without options.
void add_connection(Writer& writer, bool close, bool upgrade) {
  if (close && upgrade) {
    writer.add("Connection: close, Upgrade\r\n");
  } else if (close) {
    writer.add("Connection: close\r\n");
  } else if (upgrade) {
    writer.add("Connection: Upgrade\r\n");
  }
  if (upgrade) writer.add("Upgrade: websocket\r\n");
}

void add_response_framing(Writer& writer, const ResponseHead& head, Framing framing) {
  // RFC 9110 section 8.6, RFC 9112 section 6.1: neither field in a 1xx or 204.
  if (head.status < 200 || head.status == 204) return;
  switch (framing) {
    case Framing::kLength:
      add_length(writer, head.content_length);
      break;
    case Framing::kChunked:
      writer.add("Transfer-Encoding: chunked\r\n");
      break;
    case Framing::kNone:
      if (head.has_content_length) add_length(writer, head.content_length);
      break;
    case Framing::kUntilClose:
      break;
  }
}

/// Our name in Via.
constexpr std::string_view kPseudonym = "holdfast";

}  // namespace

std::size_t own_hops(const RequestHead& head) {
  std::size_t hops = 0;
  for (const Field& field : head.fields) {
    if (!equal_ignoring_case(field.name, "via")) continue;
    for (std::string_view list = field.value; !list.empty();) {
      const std::string_view hop = take_element(list);
      const std::string_view received_by = trim(hop.substr(std::min(hop.find(' '), hop.size())));
      hops += received_by == kPseudonym ? 1 : 0;
    }
  }
  return hops;
}

std::optional<std::uint64_t> hops_left(const RequestHead& head) {
  if (head.method != "OPTIONS" && head.method != "TRACE") return std::nullopt;
  const Field* field = head.find("max-forwards");
  if (field == nullptr) return std::nullopt;
  std::uint64_t hops = 0;
  const char* end = field->value.data() + field->value.size();
  const auto [last, error] = std::from_chars(field->value.data(), end, hops);
  return error == std::errc() && last == end ? std::optional(hops) : std::nullopt;
}

void append_request_head(std::string& out, const RequestHead& head,
                         const RequestForwarding& forwarding) {
  const std::string_view target = forwarding.target.empty() ? head.target : forwarding.target;
  const std::string_view host = forwarding.host.empty() ? head.authority : forwarding.host;
  const std::size_t room = head.method.size() + target.size() + host.size() +
                           bytes_of(head.fields) + bytes_of(forwarding.set) + kExtraBytes;
  Writer writer(out, room);
  // RFC 9112 section 3.2.1: an empty path is sent as "/".
  const std::string_view slash = target.starts_with('?') ? "/" : "";
  writer.add({head.method, " ", slash, target, " HTTP/1.1\r\n"});
  // RFC 9112 section 3.2: present, though empty, for an HTTP/1.0 request that named none.
  writer.add({"Host: ", host, "\r\n"});
  const ForwardFilter filter(head, forwarding.set);
  for (const Field& field : head.fields) {
    if (equal_ignoring_case(field.name, "host") || filter.drops(field.name)) continue;
    writer.add_field(field);
  }
  for (const Field& field : forwarding.set) {
    if (!field.value.empty()) writer.add_field(field);
  }
  // RFC 9110 section 7.6.3: the version is that of the message as received.
  writer.add({head.minor_version == 0 ? "Via: 1.0 " : "Via: 1.1 ", kPseudonym, "\r\n"});
  if (forwarding.framing == Framing::kLength) add_length(writer, head.content_length);
  if (forwarding.framing == Framing::kChunked) writer.add("Transfer-Encoding: chunked\r\n");
  add_connection(writer, false, forwarding.websocket_upgrade);
  writer.add("\r\n");
}

void append_response_head(std::string& out, const ResponseHead& head,
                          const ResponseForwarding& forwarding) {
  Writer writer(out, head.reason.size() + bytes_of(head.fields) + bytes_of(forwarding.set) +
                         bytes_of(forwarding.add) + forwarding.date.size() + kExtraBytes);
  add_status_line(writer, head.status, head.reason);
  const ForwardFilter filter(head, forwarding.set);
  bool has_date = false;
  for (const Field& field : head.fields) {
    if (filter.drops(field.name)) continue;
    has_date |= equal_ignoring_case(field.name, "date");
    writer.add_field(field);
  }
  for (const Field& field : forwarding.set) {
    if (!field.value.empty()) writer.add_field(field);
  }
  for (const Field& field : forwarding.add) writer.add_field(field);
  const bool is_final = head.status >= 200;
  if (is_final && !has_date && !forwarding.date.empty()) {
    writer.add({"Date: ", forwarding.date, "\r\n"});
  }
  add_response_framing(writer, head, forwarding.framing);
  // RFC 9110 section 15.5.22: a 426 says what to upgrade to.
  const bool upgrade = forwarding.websocket_upgrade ||
                       (head.status == 426 && head.has_token("upgrade", "websocket"));
  const bool close = forwarding.close || forwarding.framing == Framing::kUntilClose;
  add_connection(writer, close && is_final, upgrade);
  writer.add("\r\n");
}

}  // namespace holdfast::http
