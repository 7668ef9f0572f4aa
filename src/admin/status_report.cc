#include "admin/status_report.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "base/utf8.h"

namespace holdfast::admin {
namespace {

using Json = nlohmann::json;
using Row = std::vector<std::string>;

std::string cell(const std::string& text) { return text.empty() ? "-" : base::one_line(text); }

void append_row(std::string& out, const Row& row, const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
  }
  out += line + "\n";
}

/// "default/chat/80" -> "default/chat:80".
std::string service_of(const std::string& cluster) {
  const std::size_t slash = cluster.rfind('/');
  if (slash == std::string::npos) return cluster;
  return cluster.substr(0, slash) + ":" + cluster.substr(slash + 1);
}

std::string text_of(const Json& object, const char* key) {
  return object.value(key, std::string());
}

std::string number_of(const Json& object, const char* key) {
  return std::to_string(object.value(key, std::uint64_t{0}));
}

/// "3d4h", "2h5m", "3m12s", "7s".
std::string age_of(double age_seconds) {
  const auto seconds = static_cast<std::uint64_t>(std::max(age_seconds, 0.0));
  const std::uint64_t days = seconds / 86400;
  const std::uint64_t hours = seconds / 3600 % 24;
  const std::uint64_t minutes = seconds / 60 % 60;
  const auto text = [](std::uint64_t number, char unit) { return std::to_string(number) + unit; };
  if (days > 0) return text(days, 'd') + text(hours, 'h');
  if (hours > 0) return text(hours, 'h') + text(minutes, 'm');
  if (minutes > 0) return text(minutes, 'm') + text(seconds % 60, 's');
  return text(seconds, 's');
}

std::string both_ways(const Json& object, const std::string& what) {
  return number_of(object, (what + "_upstreamward").c_str()) + "/" +
         number_of(object, (what + "_downstreamward").c_str());
}

Row route_row(const Json& route) {
  const std::string match = text_of(route, "match");
  const std::string path = text_of(route, "path");
  std::string to = service_of(text_of(route, "cluster"));
  if (const std::string websocket = text_of(route, "websocket_cluster"); !websocket.empty()) {
    to += ", WebSockets " + service_of(websocket);
  }
  return {text_of(route, "host"),
          match == "fallback" ? "(everything else)" : path,
          match,
          to,
          text_of(route, "namespace") + "/" + text_of(route, "ingress"),
          text_of(route, "since")};
}

Row endpoint_row(const Json& endpoint) {
  return {service_of(text_of(endpoint, "cluster")),
          text_of(endpoint, "endpoint"),
          text_of(endpoint, "zone"),
          text_of(endpoint, "state"),
          number_of(endpoint, "open"),
          age_of(endpoint.value("age_seconds", 0.0))};
}

Row connection_row(const Json& connection) {
  return {text_of(connection, "kind"),
          age_of(connection.value("age_seconds", 0.0)),
          text_of(connection, "client"),
          text_of(connection, "namespace") + "/" + text_of(connection, "service"),
          text_of(connection, "endpoint"),
          both_ways(connection, "messages"),
          both_ways(connection, "bytes"),
          text_of(connection, "request_id")};
}

Row problem_row(const Json& problem) {
  return {text_of(problem, "severity"),
          text_of(problem, "kind") + " " + text_of(problem, "namespace") + "/" +
              text_of(problem, "name"),
          text_of(problem, "field"), text_of(problem, "message")};
}

std::string configuration_lines(const Json& configuration) {
  const std::uint64_t version = configuration.value("version", std::uint64_t{0});
  std::string lines;
  if (version == 0) {
    lines = "No configuration is in force yet.\n";
  } else {
    lines = "Configuration " + std::to_string(version) + ", in force since " +
            base::one_line(text_of(configuration, "since")) + ".\n";
  }
  if (const std::uint64_t refused = configuration.value("refused", std::uint64_t{0}); refused > 0) {
    lines += "Refused as a whole: " + std::to_string(refused) + "; the log says why.\n";
  }
  if (!configuration.value("connected", true)) {
    lines += "The controller is not connected, since " +
             base::one_line(text_of(configuration, "connection_since")) + ".\n";
  }
  return lines;
}

/// A title, and the table of what page[key] lists; nothing where the page has no such list.
void append_section(std::string& out, const Json& page, const char* key, const char* title,
                    const Row& heading, Row (*row_of)(const Json&)) {
  if (!page.contains(key)) return;
  std::vector<Row> rows;
  for (const Json& item : page.at(key)) rows.push_back(row_of(item));
  out += "\n" + std::string(title) + ": " + std::to_string(rows.size()) + "\n";
  if (!rows.empty()) out += table(heading, rows);
}

std::string tables_of(const Json& page) {
  std::string out = "Holdfast " + base::one_line(text_of(page, "version")) + "\n";
  if (page.contains("configuration")) out += configuration_lines(page.at("configuration"));
  append_section(out, page, "routes", "Routes",
                 {"HOST", "PATH", "MATCH", "SERVICE", "INGRESS", "SINCE"}, route_row);
  append_section(out, page, "endpoints", "Endpoints",
                 {"SERVICE", "ENDPOINT", "ZONE", "STATE", "OPEN", "AGE"}, endpoint_row);
  append_section(
      out, page, "connections", "Connections",
      {"KIND", "AGE", "CLIENT", "SERVICE", "ENDPOINT", "MESSAGES", "BYTES", "REQUEST ID"},
      connection_row);
  if (page.contains("next_before") && !page.at("next_before").is_null()) {
    out += "Only the newest are shown; --limit shows more.\n";
  }
  append_section(out, page, "problems", "Problems", {"SEVERITY", "OBJECT", "FIELD", "WHAT"},
                 problem_row);
  return out;
}

}  // namespace

std::string table(const std::vector<std::string>& heading,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<Row> lines = {heading};
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(heading.size());
  for (Row& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i] = cell(line[i]);
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string out;
  for (const Row& line : lines) append_row(out, line, widths);
  return out;
}

base::StatusOr<std::string> status_tables(const std::string& page) {
  try {
    return tables_of(Json::parse(page));
  } catch (const Json::exception&) {
    return absl::InvalidArgumentError("the answer is not the status of a Holdfast");
  }
}

}  // namespace holdfast::admin
