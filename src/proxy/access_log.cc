#include "proxy/access_log.h"

#include "base/log.h"

namespace holdfast::proxy {

namespace {

std::string begin_line(base::WallTime now, std::string_view type, std::string_view id) {
  std::string line = "{\"time\":\"";
  base::append_timestamp(line, now);
  line += "\"";
  base::append_json_fields(line, {{"type", type}, {"request_id", id}});
  return line;
}

void append_route(std::string& line, const RoutePolicy* policy, std::string_view endpoint) {
  if (policy == nullptr) return;
  base::append_json_fields(line, {{"namespace", std::string_view(policy->names.ingress_namespace)},
                                  {"ingress", std::string_view(policy->names.ingress)},
                                  {"service", std::string_view(policy->names.service)}});
  if (!endpoint.empty()) base::append_json_fields(line, {{"endpoint", endpoint}});
}

double seconds(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string to_line(const RequestLine& request, base::WallTime now) {
  std::string line =
      begin_line(now, request.websocket_opened ? "websocket_open" : "request", request.id);
  base::append_json_fields(line, {{"client", std::string_view(request.client)}});
  if (!request.method.empty()) {
    base::append_json_fields(
        line, {{"method", request.method},
               {"host", request.host},
               {"path", request.target},
               {"protocol", std::string_view(request.minor_version == 0 ? "HTTP/1.0" : "HTTP/1.1")},
               {"user_agent", request.user_agent}});
  }
  if (!request.trace_id.empty()) base::append_json_fields(line, {{"trace_id", request.trace_id}});
  append_route(line, request.policy, request.endpoint);
  base::append_json_fields(
      line, {{"status", static_cast<std::int64_t>(request.status)},
             {"reason", facts_of(request.reason).label},
             {"duration", seconds(request.duration)},
             {"bytes_upstreamward", request.bytes[index_of(Direction::kUpstreamward)]},
             {"bytes_downstreamward", request.bytes[index_of(Direction::kDownstreamward)]}});
  if (!request.detail.empty()) base::append_json_fields(line, {{"detail", request.detail}});
  line += '}';
  return line;
}

std::string to_line(const WebSocketClose& closed, base::WallTime now) {
  std::string line = begin_line(now, "websocket_close", closed.id);
  base::append_json_fields(line, {{"client", std::string_view(closed.client)}});
  append_route(line, closed.policy, closed.endpoint);
  base::append_json_fields(
      line, {{"reason", facts_of(closed.reason).label},
             {"code", static_cast<std::int64_t>(closed.code)},
             {"duration", seconds(closed.open_for)},
             {"bytes_upstreamward", closed.bytes[index_of(Direction::kUpstreamward)]},
             {"bytes_downstreamward", closed.bytes[index_of(Direction::kDownstreamward)]},
             {"messages_upstreamward", closed.messages[index_of(Direction::kUpstreamward)]},
             {"messages_downstreamward", closed.messages[index_of(Direction::kDownstreamward)]}});
  line += '}';
  return line;
}

}  // namespace holdfast::proxy
