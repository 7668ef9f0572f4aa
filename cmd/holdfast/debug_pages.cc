#include "debug_pages.h"

#include <string>
#include <string_view>
#include <vector>

#include "model/resource.h"
#include "page_json.h"
#include "status_page.h"

namespace holdfast {
namespace {

void append_resources(std::string& out, const std::vector<model::ResourcePtr>& resources) {
  append_array(out, resources, [](std::string& text, const model::ResourcePtr& resource) {
    text += model::to_json(*resource);
  });
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
  if (const discovery::Client* client = data.client()) {
    base::append_json_fields(out, {{"connected", client->connection().is_open},
                                   {"applied_transactions", client->applied()}});
  }
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

admin::Answer connections_page(const DataPlane& data, const std::string& text) {
  const base::StatusOr<proxy::ConnectionQuery> query = parse_connection_query(text);
  if (!query.ok()) return {.status = 400, .body = std::string(query.status().message())};
  const auto connections = data.proxy().connections(*query);
  if (!connections) return {.status = 503, .body = "A worker is busy; try again.\n"};
  std::string body = "{";
  append_connections(body, *connections, query->most);
  body += "}\n";
  return {.content_type = "application/json", .body = std::move(body)};
}

admin::Answer ready_page(const ControlPlane* control, const DataPlane* data) {
  // A data plane may have begun with its state folder before the control plane knows anything.
  const bool ready = data != nullptr ? data->proxy().ready() : control->published();
  if (ready) return {.body = "ready\n"};
  if (control != nullptr && !control->published()) {
    return {.status = 503,
            .body =
                "Not ready: the first list of some kind, or a ConfigMap that is named, is not in "
                "yet.\n"};
  }
  return {.status = 503, .body = "Not ready: no configuration is in force yet.\n"};
}

}  // namespace

void add_debug_pages(admin::Server& server, const ControlPlane* control, const DataPlane* data) {
  server.handle("/readyz", [=](const std::string&) { return ready_page(control, data); });
  if (data != nullptr) {
    server.handle("/debug/connections",
                  [=](const std::string& query) { return connections_page(*data, query); });
  }
  server.handle("/debug/status",
                [=](const std::string& query) { return status_page(control, data, query); });
  server.handle("/debug/config", [=](const std::string&) { return config_page(control, data); });
}

}  // namespace holdfast
