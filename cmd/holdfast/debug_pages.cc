#include "debug_pages.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/resource.h"

namespace holdfast {
namespace {

/// Connections on a page of /debug/connections.
constexpr std::size_t kConnectionsDefault = 100;
constexpr std::size_t kConnectionsMost = 1000;

/// RFC 3986 section 2.1; what is no escape stays as it is.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

/// Appends a JSON array of what `append_one` makes of each item.
template <typename Items, typename AppendOne>
void append_array(std::string& out, const Items& items, AppendOne append_one) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    append_one(out, item);
  }
  out += ']';
}

void append_resources(std::string& out, const std::vector<model::ResourcePtr>& resources) {
  append_array(out, resources, [](std::string& text, const model::ResourcePtr& resource) {
    text += model::to_json(*resource);
  });
}

void append_problem(std::string& out, const controller::Problem& problem) {
  out += "{\"kind\":";
  base::append_json_string(out, problem.kind);
  const bool is_error = problem.severity == controller::Severity::kError;
  base::append_json_fields(out, {{"namespace", std::string_view(problem.object.namespace_name)},
                                 {"name", std::string_view(problem.object.name)},
                                 {"field", std::string_view(problem.field)},
                                 {"severity", std::string_view(is_error ? "error" : "warning")},
                                 {"message", std::string_view(problem.message)}});
  out += '}';
}

void append_refusal(std::string& out, const model::Refusal& refusal) {
  out += "{\"resource\":";
  base::append_json_string(out, model::to_string(refusal.key));
  base::append_json_fields(out, {{"reason", std::string_view(refusal.reason)}});
  out += '}';
}

void append_client(std::string& out, const discovery::ClientState& client) {
  out += "{\"node\":";
  base::append_json_string(out, client.node);
  base::append_json_fields(out, {{"version", std::string_view(client.version)},
                                 {"acknowledged_transaction", client.acknowledged_transaction},
                                 {"current", client.current}});
  out += ",\"refusals\":";
  append_array(out, client.refusals, append_refusal);
  out += '}';
}

/// False: the control thread does not answer.
bool append_control_plane(std::string& out, const ControlPlane& control) {
  const std::optional<ControlState> state = control.state();
  if (!state) return false;
  out += "\"control_plane\":{\"published\":";
  out += control.published() ? "true" : "false";
  out += ",\"data_planes\":";
  append_array(out, control.discovery().clients(), append_client);
  out += ",\"problems\":";
  append_array(out, state->problems, append_problem);
  out += ",\"resources\":";
  append_resources(out, state->resources);
  out += '}';
  return true;
}

void append_data_plane(std::string& out, const DataPlane& data) {
  out += "\"data_plane\":{\"ready\":";
  out += data.proxy().ready() ? "true" : "false";
  base::append_json_fields(out, {{"connected", data.client().connected()},
                                 {"applied_transactions", data.client().applied()}});
  out += ",\"resources\":";
  append_resources(out, data.proxy().resources());
  out += '}';
}

admin::Answer config_page(const ControlPlane* control, const DataPlane* data) {
  std::string body = "{";
  if (control != nullptr && !append_control_plane(body, *control)) {
    return {.status = 503, .body = "The control thread is busy; try again.\n"};
  }
  if (data != nullptr) {
    if (control != nullptr) body += ',';
    append_data_plane(body, *data);
  }
  body += "}\n";
  return {.content_type = "application/json", .body = std::move(body)};
}

void append_connection(std::string& out, const proxy::ConnectionInfo& info) {
  const auto up = proxy::index_of(proxy::Direction::kUpstreamward);
  const auto down = proxy::index_of(proxy::Direction::kDownstreamward);
  out += "{\"number\":" + std::to_string(info.number);
  base::append_json_fields(out, {{"kind", std::string_view(info.kind)},
                                 {"namespace", std::string_view(info.ingress_namespace)},
                                 {"ingress", std::string_view(info.ingress)},
                                 {"service", std::string_view(info.service)},
                                 {"endpoint", std::string_view(info.endpoint)},
                                 {"client", std::string_view(info.client)},
                                 {"request_id", std::string_view(info.request_id)},
                                 {"age_seconds", std::chrono::duration<double>(info.age).count()},
                                 {"bytes_upstreamward", info.bytes[up]},
                                 {"bytes_downstreamward", info.bytes[down]},
                                 {"messages_upstreamward", info.messages[up]},
                                 {"messages_downstreamward", info.messages[down]}});
  out += '}';
}

/// What a parameter of /debug/connections asks for; the error says which is wrong.
base::Status set_parameter(proxy::ConnectionQuery& query, const std::string& name,
                           const std::string& value) {
  const std::map<std::string_view, std::string*> texts = {
      {"kind", &query.kind},       {"namespace", &query.ingress_namespace},
      {"ingress", &query.ingress}, {"service", &query.service},
      {"client", &query.client},   {"endpoint", &query.endpoint}};
  if (const auto text = texts.find(name); text != texts.end()) {
    *text->second = value;
    return {};
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool is_number = error == std::errc() && end == value.data() + value.size();
  if (name == "before" && is_number) {
    query.before = number;
  } else if (name == "limit" && is_number && number >= 1 && number <= kConnectionsMost) {
    query.most = number;
  } else {
    return absl::InvalidArgumentError(
        "The parameters are kind, namespace, ingress, service, endpoint, client, before=NUMBER and "
        "limit=1 to " +
        std::to_string(kConnectionsMost) + ".\n");
  }
  return {};
}

base::StatusOr<proxy::ConnectionQuery> parse_query(std::string_view text) {
  proxy::ConnectionQuery query;
  query.most = kConnectionsDefault;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    const base::Status set = set_parameter(query, std::string(pair.substr(0, equals)), value);
    if (!set.ok()) return set;
  }
  return query;
}

admin::Answer connections_page(const DataPlane& data, const std::string& text) {
  const base::StatusOr<proxy::ConnectionQuery> query = parse_query(text);
  if (!query.ok()) return {.status = 400, .body = std::string(query.status().message())};
  const auto connections = data.proxy().connections(*query);
  if (!connections) return {.status = 503, .body = "A worker is busy; try again.\n"};
  std::string body = "{\"connections\":";
  append_array(body, *connections, append_connection);
  const bool is_full = connections->size() == query->most;
  body += ",\"next_before\":";
  body += is_full ? std::to_string(connections->back().number) : "null";
  body += "}\n";
  return {.content_type = "application/json", .body = std::move(body)};
}

admin::Answer ready_page(const ControlPlane* control, const DataPlane* data) {
  if (control != nullptr && !control->published()) {
    return {.status = 503, .body = "Not ready: the first list of every kind is not in yet.\n"};
  }
  if (data != nullptr && !data->proxy().ready()) {
    return {.status = 503, .body = "Not ready: no configuration is in force yet.\n"};
  }
  return {.body = "ready\n"};
}

}  // namespace

void add_debug_pages(admin::Server& server, const ControlPlane* control, const DataPlane* data) {
  server.handle("/readyz", [=](const std::string&) { return ready_page(control, data); });
  if (data != nullptr) {
    server.handle("/debug/connections",
                  [=](const std::string& query) { return connections_page(*data, query); });
  }
  server.handle("/debug/config", [=](const std::string&) { return config_page(control, data); });
}

}  // namespace holdfast
