#include "page_json.h"

#include <algorithm>
#include <charconv>

#include "base/log.h"

namespace holdfast {
namespace {

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

/// What a parameter of the query asks for; the error says which is wrong.
base::Status set_parameter(proxy::ConnectionQuery& query, const std::string& name,
                           const std::string& value) {
  for (const proxy::ConnectionFilterPart& part : proxy::kConnectionFilterParts) {
    if (part.name != name) continue;
    query.filter.*part.text = value;
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

}  // namespace

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

void append_connections(std::string& out, const std::vector<proxy::ConnectionInfo>& connections,
                        std::size_t asked_for) {
  out += "\"connections\":";
  append_array(out, connections, append_connection);
  out += ",\"next_before\":";
  const bool is_full = !connections.empty() && connections.size() == asked_for;
  out += is_full ? std::to_string(connections.back().number) : "null";
}

base::StatusOr<proxy::ConnectionQuery> parse_connection_query(std::string_view text) {
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

}  // namespace holdfast
