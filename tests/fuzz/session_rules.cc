#include "tests/fuzz/session_rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "proxy/limits.h"
#include "tests/fuzz/naive_http.h"
#include "tests/fuzz/target.h"
#include "websocket/handshake.h"

namespace holdfast::fuzz {
namespace {

/// A line of the access log.
struct Line {
  std::string type;
  std::string id;
  std::string client;
  std::string method;
  std::string reason;
  int status = 0;
  bool has_endpoint = false;
};

/// A request as a backend got it.
struct Forwarded {
  Message request;
  const Peer* backend = nullptr;
  /// Where the response to it begins in what the backend sent, where that can be told.
  std::optional<std::size_t> response_begin;
};

/// The text behind `key` up to a quote or a comma. Our own keys come before or (searched
/// `from_end`) behind everything that a peer has chosen.
std::string text_behind(const std::string& line, std::string_view key, bool from_end) {
  const std::size_t at = from_end ? line.rfind(key) : line.find(key);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + key.size();
  return line.substr(begin, line.find_first_of(",\"}", begin) - begin);
}

Line read_line(const std::string& text) {
  for (const char c : text) {
    require(static_cast<unsigned char>(c) >= ' ', "a log line has no control bytes", text);
  }
  Line line;
  line.type = text_behind(text, "\"type\":\"", false);
  line.id = text_behind(text, "\"request_id\":\"", false);
  line.client = text_behind(text, "\"client\":\"", false);
  line.method = text_behind(text, "\"client\":\"" + line.client + "\",\"method\":\"", false);
  line.reason = text_behind(text, "\"reason\":\"", true);
  line.status = std::atoi(text_behind(text, "\"status\":", true).c_str());
  line.has_endpoint = text.find(",\"endpoint\":\"198.51.100.") != std::string::npos;
  require(!line.id.empty() && !line.reason.empty() && line.reason != "none",
          "every end has a reason", text);
  return line;
}

bool is_idempotent(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

bool asks_for_websocket(const Message& request) {
  return http::equal_ignoring_case(request.field("upgrade"), "websocket");
}

/// The backend has sent a 101 with the right key in answer to `forwarded`.
bool has_agreed(const Forwarded& forwarded) {
  if (!forwarded.response_begin) return false;
  const auto response =
      read_final_response(forwarded.backend->sent(), *forwarded.response_begin, false, false);
  if (!response || response->status() != 101) return false;
  const auto wanted = websocket::accept_value(forwarded.request.field("sec-websocket-key"));
  return response->field("sec-websocket-accept") == std::string_view(wanted.data(), wanted.size());
}

/// What was asked for, whatever the form of the target.
std::string origin_form(std::string_view method, std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return std::string(target);
  target.remove_prefix(scheme + 3);
  const std::size_t path = target.find_first_of("/?");
  if (path == std::string_view::npos) return method == "OPTIONS" ? "*" : "/";
  return (target[path] == '?' ? "/" : "") + std::string(target.substr(path));
}

class Rules {
 public:
  explicit Rules(const World& world) : world_(world) {
    for (const std::string& text : world.access_log.lines) add(read_line(text));
    for (const auto& backend : world.backends) read_backend(*backend);
  }

  void check() const {
    std::size_t requests = 0;
    for (std::size_t i = 0; i < world_.clients.size(); ++i) {
      const auto lines = lines_.find(World::ip_of_client(i));
      if (lines == lines_.end()) continue;
      requests += lines->second.size();
      check_client(*world_.clients[i], lines->second);
    }
    require(requests == ids_.size(), "every line is of a client");
    for (const auto& [id, forwarded] : forwarded_) {
      require(ids_.contains(id), "every forwarded request has its line in the log", id);
    }
  }

 private:
  void add(const Line& line) {
    if (line.type == "websocket_close") {
      require(closes_.insert({line.id, line.reason}).second, "a WebSocket is closed once", line.id);
      return;
    }
    require(ids_.insert(line.id).second, "a request has one line in the log", line.id);
    lines_[line.client].push_back(line);
  }

  void read_backend(const Peer& backend) {
    const std::string_view received = backend.received();
    std::size_t from = 0;
    std::optional<std::size_t> response = 0;
    std::size_t number = 0;
    while (from < received.size()) {
      std::optional<Message> request = read_request(received, from);
      if (!request) break;
      from = request->end;
      const std::string id(request->field("x-request-id"));
      require(request->count("x-request-id") == 1 && request->count("x-forwarded-for") == 1,
              "our fields are there once", received);
      Forwarded forwarded{*request, &backend, response};
      // On a connection used before, only what comes behind a request may be its answer.
      if (response && number++ > 0) {
        require(*response >= backend.sent_before(request->head_end),
                "nobody gets an answer that was there before");
      }
      if (response) {
        const auto answer = read_final_response(backend.sent(), *response,
                                                request->words[0] == "HEAD", backend.ended());
        response = answer && answer->complete ? std::optional(answer->end) : std::nullopt;
      }
      const bool is_last = !request->complete || asks_for_websocket(*request);
      forwarded_[id].push_back(std::move(forwarded));
      if (is_last) {
        const bool is_tunnel = asks_for_websocket(*request) && request->complete;
        require(is_tunnel || from == received.size(), "nothing follows half a body", received);
        break;
      }
    }
    if (forwarded_.empty() && !received.empty()) {
      // Half of one head may have gone out, no more.
      require(received.size() < 2 * proxy::kHeadBufferBytesMost, "one head at most", received);
    }
  }

  void check_client(const Peer& client, const std::vector<Line>& lines) const {
    const std::vector<Message> requests = read_requests(client.sent());
    const bool whole = requests.empty() || requests.back().complete;
    const bool more = client.sent().size() > (requests.empty() ? 0 : requests.back().end);
    require(lines.size() <= requests.size() + (whole && more ? 1 : 0),
            "no more lines than requests");
    std::size_t from = 0;
    bool goes_on = true;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const Line& line = lines[i];
      const auto found = forwarded_.find(line.id);
      const bool was_forwarded = found != forwarded_.end();
      if (was_forwarded) {
        require(i < requests.size(), "what is forwarded was a request", line.id);
        for (const Forwarded& forwarded : found->second) check_same(requests[i], forwarded);
        require(!has_dot_segment(found->second.front().request.words[1]),
                "no path points elsewhere", line.id);
        check_tries(found->second);
      }
      if (line.reason == "bad_path") {
        require(i < requests.size() && has_dot_segment(requests[i].words[1]),
                "a path is refused for a dot segment", line.id);
      }
      const Forwarded* last = was_forwarded ? &found->second.back() : nullptr;
      if (line.type == "websocket_open") {
        require(i + 1 == lines.size() && last != nullptr, "a WebSocket is a connection's last");
        check_tunnel(client, requests[i], *last, from, line);
        return;
      }
      if (last != nullptr && asks_for_websocket(last->request)) {
        require(last->request.end == last->backend->received().size(),
                "no byte of a tunnel passes before a valid 101");
      }
      if (goes_on) goes_on = check_response(client, line, last, from);
    }
    if (goes_on) {
      require(!read_final_response(client.received(), from, false, true),
              "no response without a request", client.received());
    }
  }

  static void check_same(const Message& request, const Forwarded& forwarded) {
    const Message& there = forwarded.request;
    require(there.words[0] == request.words[0] &&
                there.words[1] == origin_form(request.words[0], request.words[1]),
            "what is forwarded is what was asked for", there.words[1]);
    require(request.body.starts_with(there.body), "the body is the client's", there.body);
    require(!there.complete || (request.complete && request.body == there.body),
            "a body that ends is whole", there.body);
  }

  void check_tries(const std::vector<Forwarded>& tries) const {
    require(tries.size() <= static_cast<std::size_t>(proxy::kTriesMost),
            "no more than three tries");
    if (tries.size() == 1) return;
    const Message& request = tries.front().request;
    const bool has_body =
        request.count("transfer-encoding") > 0 || !request.body.empty() || !request.complete;
    require(is_idempotent(request.words[0]) && !has_body, "only what may be repeated is");
    for (std::size_t i = 0; i + 1 < tries.size(); ++i) {
      // An answer that nobody had asked for may still lie there.
      require(!asks_for_websocket(tries[i].request) || !has_agreed(tries[i]) || world_.lossy,
              "what was agreed to is not asked again");
    }
  }

  void check_tunnel(const Peer& client, const Message& request, const Forwarded& forwarded,
                    std::size_t from, const Line& line) const {
    require(has_agreed(forwarded), "a WebSocket opens after a valid 101");
    require(closes_.contains(line.id), "every WebSocket is closed", line.id);
    const std::string_view upward =
        std::string_view(forwarded.backend->received()).substr(forwarded.request.end);
    require(client.sent().compare(request.end, upward.size(), upward) == 0,
            "the backend gets what the client sends");
    const auto there =
        read_final_response(forwarded.backend->sent(), *forwarded.response_begin, false, false);
    const auto here = read_final_response(client.received(), from, false, false);
    if (!here) return;
    require(here->status() == 101, "the client gets the 101");
    const std::string_view downward = std::string_view(client.received()).substr(here->end);
    require(forwarded.backend->sent().compare(there->end, downward.size(), downward) == 0,
            "the client gets what the backend sends");
    const Peer& backend = *forwarded.backend;
    const bool calm = !world_.hurried && !world_.lossy && closes_.at(line.id) != "shutdown" &&
                      !client.broke_off() && !client.has_held() && !backend.broke_off() &&
                      !backend.has_held();
    require(!calm || (request.end + upward.size() == client.sent().size() &&
                      there->end + downward.size() == backend.sent().size()),
            "everything arrives");
  }

  /// False: nothing more can be said of this client.
  static bool check_response(const Peer& client, const Line& line, const Forwarded* forwarded,
                             std::size_t& from) {
    const bool is_head = line.method == "HEAD";
    const auto here = read_final_response(client.received(), from, is_head, true);
    const bool completed = line.reason == "completed" || line.reason == "upgrade_declined";
    if (!here) {
      require(line.status == 0 || client.broke_off() || !completed, "an answer arrives", line.id);
      return false;
    }
    from = here->end;
    require(here->status() == line.status, "the log tells the status", line.reason);
    if (!completed) return here->complete && !line.has_endpoint;
    require(forwarded != nullptr && forwarded->response_begin, "an answer was given", line.id);
    const auto there = read_final_response(forwarded->backend->sent(), *forwarded->response_begin,
                                           is_head, forwarded->backend->ended());
    require(there && there->complete && there->status() == line.status, "it is the backend's");
    require(client.broke_off() || here->complete, "it arrives in whole", line.id);
    require(here->complete ? there->body == here->body : there->body.starts_with(here->body),
            "its body is the backend's", here->body);
    return here->complete;
  }

  const World& world_;
  /// By client, in order.
  std::map<std::string, std::vector<Line>> lines_;
  std::set<std::string> ids_;
  /// Of WebSockets, the reasons by id.
  std::map<std::string, std::string> closes_;
  std::map<std::string, std::vector<Forwarded>> forwarded_;
};

}  // namespace

void require_rules(const World& world) { Rules(world).check(); }

}  // namespace holdfast::fuzz
