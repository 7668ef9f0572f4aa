#include "check_report.h"

#include <string_view>
#include <utility>
#include <vector>

#include "admin/status_report.h"
#include "base/log.h"
#include "base/utf8.h"
#include "page_json.h"

namespace holdfast {
namespace {

using controller::CheckedIngress;
using controller::CheckedRoute;
using controller::CheckReport;
using controller::Problem;
using controller::Severity;
using Rows = std::vector<std::vector<std::string>>;

std::string text_of(const kube::ObjectName& name) {
  return name.namespace_name.empty() ? name.name : name.namespace_name + "/" + name.name;
}

void append_routes(std::string& out, const std::vector<CheckedRoute>& routes) {
  Rows rows;
  for (const CheckedRoute& route : routes) {
    std::string to = route.service;
    if (!route.websocket_service.empty()) to += ", WebSockets " + route.websocket_service;
    rows.push_back({route.host, route.path.empty() ? "(everything else)" : route.path, route.match,
                    std::move(to)});
  }
  if (!rows.empty()) out += admin::table({"HOST", "PATH", "MATCH", "SERVICE"}, rows);
}

void append_annotations(std::string& out,
                        const std::vector<std::pair<std::string, std::string>>& annotations) {
  Rows rows;
  for (const auto& [name, value] : annotations) rows.push_back({name, value});
  if (!rows.empty()) out += admin::table({"ANNOTATION", "VALUE"}, rows);
}

std::string severity_text(const Problem& problem) {
  return problem.severity == Severity::kError ? "error" : "warning";
}

void append_ingress(std::string& out, const CheckedIngress& ingress) {
  out += "Ingress " + base::one_line(text_of(ingress.name)) + "\n";
  append_routes(out, ingress.routes);
  append_annotations(out, ingress.annotations);
  Rows rows;
  for (const Problem& problem : ingress.problems) {
    rows.push_back({severity_text(problem), problem.field, problem.message});
  }
  if (!rows.empty()) out += admin::table({"SEVERITY", "FIELD", "WHAT"}, rows);
  for (const std::string& note : ingress.notes) out += "Note: " + base::one_line(note) + "\n";
  out += "\n";
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void append_json_route(std::string& out, const CheckedRoute& route) {
  out += "{\"host\":";
  base::append_json_string(out, route.host);
  base::append_json_fields(out, {{"match", std::string_view(route.match)},
                                 {"path", std::string_view(route.path)},
                                 {"service", std::string_view(route.service)},
                                 {"websocket_service", std::string_view(route.websocket_service)}});
  out += '}';
}

void append_json_ingress(std::string& out, const CheckedIngress& ingress) {
  out += "{\"namespace\":";
  base::append_json_string(out, ingress.name.namespace_name);
  base::append_json_fields(out, {{"name", std::string_view(ingress.name.name)}});
  out += ",\"routes\":";
  append_array(out, ingress.routes, append_json_route);
  out += ",\"annotations\":";
  append_array(out, ingress.annotations, [](std::string& to, const auto& annotation) {
    to += "{\"name\":";
    base::append_json_string(to, annotation.first);
    base::append_json_fields(to, {{"value", std::string_view(annotation.second)}});
    to += '}';
  });
  out += ",\"notes\":";
  append_array(out, ingress.notes, [](std::string& to, const std::string& note) {
    base::append_json_string(to, note);
  });
  out += ",\"problems\":";
  append_array(out, ingress.problems, append_problem);
  out += '}';
}

}  // namespace

std::string check_text(const CheckReport& report) {
  std::string out;
  for (const CheckedIngress& ingress : report.ingresses) append_ingress(out, ingress);
  Rows rows;
  for (const Problem& problem : report.others) {
    rows.push_back({severity_text(problem), problem.kind + " " + text_of(problem.object),
                    problem.field, problem.message});
  }
  if (!rows.empty()) {
    out += "Other objects\n" + admin::table({"SEVERITY", "OBJECT", "FIELD", "WHAT"}, rows) + "\n";
  }
  std::string ingresses = std::to_string(report.ingresses.size()) + " Ingress";
  if (report.ingresses.size() != 1) ingresses += "es";
  return out + ingresses + ", " + counted(report.count(Severity::kError), "error") + ", " +
         counted(report.count(Severity::kWarning), "warning") + ".\n";
}

std::string check_json(const CheckReport& report) {
  std::string out = "{\"ingresses\":";
  append_array(out, report.ingresses, append_json_ingress);
  out += ",\"problems\":";
  append_array(out, report.others, append_problem);
  base::append_json_fields(out, {{"errors", std::uint64_t{report.count(Severity::kError)}},
                                 {"warnings", std::uint64_t{report.count(Severity::kWarning)}}});
  return out + "}\n";
}

}  // namespace holdfast
