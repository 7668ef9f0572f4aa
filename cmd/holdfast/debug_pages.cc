#include "debug_pages.h"

#include <string>
#include <string_view>
#include <vector>

#include "model/resource.h"

namespace holdfast {
namespace {

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
  server.handle("/debug/config", [=](const std::string&) { return config_page(control, data); });
}

}  // namespace holdfast
