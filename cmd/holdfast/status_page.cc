#include "status_page.h"

#include <optional>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "page_json.h"

namespace holdfast {
namespace {

std::string time_text(base::WallTime time) {
  std::string text;
  base::append_timestamp(text, time);
  return text;
}

void append_configuration(std::string& out, const DataPlane& data) {
  const proxy::ConfigurationInfo info = data.proxy().configuration();
  out += ",\"configuration\":{\"version\":" + std::to_string(info.version);
  if (info.version > 0) {
    base::append_json_fields(out, {{"since", std::string_view(time_text(info.since))}});
  }
  base::append_json_fields(out, {{"refused", info.refused}});
  if (const discovery::Client* client = data.client()) {
    const discovery::Connection connection = client->connection();
    const std::string since = time_text(connection.since);
    base::append_json_fields(
        out, {{"connected", connection.is_open}, {"connection_since", std::string_view(since)}});
  }
  out += '}';
}

void append_route(std::string& out, const proxy::RouteInfo& route) {
  out += "{\"host\":";
  base::append_json_string(out, route.host);
  const std::string since = time_text(route.since);
  base::append_json_fields(out, {{"match", std::string_view(route.match)},
                                 {"path", std::string_view(route.path)},
                                 {"namespace", std::string_view(route.ingress_namespace)},
                                 {"ingress", std::string_view(route.ingress)},
                                 {"cluster", std::string_view(route.cluster)},
                                 {"websocket_cluster", std::string_view(route.websocket_cluster)},
                                 {"since", std::string_view(since)}});
  out += '}';
}

void append_endpoint(std::string& out, const proxy::EndpointInfo& endpoint) {
  out += "{\"cluster\":";
  base::append_json_string(out, endpoint.cluster);
  const double age = std::chrono::duration<double>(endpoint.since).count();
  base::append_json_fields(out, {{"endpoint", std::string_view(endpoint.address)},
                                 {"zone", std::string_view(endpoint.zone)},
                                 {"state", std::string_view(endpoint.state)},
                                 {"open", std::uint64_t{endpoint.open}},
                                 {"age_seconds", age}});
  out += '}';
}

/// False: a worker is busy.
bool append_data_plane(std::string& out, const DataPlane& data,
                       const proxy::ConnectionQuery& query) {
  const auto connections = data.proxy().connections(query);
  if (!connections) return false;
  append_configuration(out, data);
  out += ",\"routes\":";
  append_array(out, data.proxy().routes(), append_route);
  out += ",\"endpoints\":";
  append_array(out, data.proxy().endpoints(), append_endpoint);
  out += ',';
  append_connections(out, *connections, query.most);
  return true;
}

}  // namespace

admin::Answer status_page(const ControlPlane* control, const DataPlane* data,
                          const std::string& text) {
  const base::StatusOr<proxy::ConnectionQuery> query = parse_connection_query(text);
  if (!query.ok()) return {.status = 400, .body = std::string(query.status().message())};
  std::string body = "{\"version\":\"" HOLDFAST_VERSION "\"";
  if (data != nullptr && !append_data_plane(body, *data, *query)) {
    return {.status = 503, .body = "A worker is busy; try again.\n"};
  }
  if (control != nullptr) {
    const std::optional<ControlState> state = control->state();
    if (!state) return {.status = 503, .body = "The control thread is busy; try again.\n"};
    body += ",\"problems\":";
    append_array(body, state->problems, append_problem);
  }
  body += "}\n";
  return {.content_type = "application/json", .body = std::move(body)};
}

}  // namespace holdfast
