#include "http/own_answer.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "http/chars.h"
#include "http/serialize.h"

namespace holdfast::http {

namespace {

/// A weight in thousandths (RFC 9110 section 12.4.2); what is not one counts as 1000.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    parameters.remove_prefix(1);
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = trim(parameters.substr(0, end));
    parameters.remove_prefix(end);
    if (parameter.size() < 3 || to_lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    int weight = parameter[2] == '0' ? 0 : 1000;
    int unit = 100;
    for (const char digit : parameter.substr(std::min<std::size_t>(4, parameter.size()))) {
      if (!is_digit(digit)) return 1000;
      weight += (digit - '0') * unit;
      unit /= 10;
    }
    return std::min(weight, 1000);
  }
  return 1000;
}

/// How much `request` likes `type`: the weight of the most exact of the ranges that match it.
int weight_of(const Head& request, std::string_view type) {
  const std::string family = std::string(type.substr(0, type.find('/'))) + "/*";
  const std::array<std::string_view, 3> ranges = {"*/*", family, type};
  std::size_t exactness = 0;
  int weight = 0;
  for (const Field& field : request.fields) {
    if (!equal_ignoring_case(field.name, "accept")) continue;
    for (std::string_view list = field.value; !list.empty();) {
      const std::string_view element = take_element(list);
      const std::size_t name_end = std::min(element.find(';'), element.size());
      const std::string_view name = trim(element.substr(0, name_end));
      for (std::size_t i = exactness; i < ranges.size(); ++i) {
        if (!equal_ignoring_case(name, ranges[i])) continue;
        exactness = i;
        weight = weight_of(element.substr(name_end));
      }
    }
  }
  return weight;
}

std::string json_page(const OwnAnswer& answer) {
  std::string page = "{\"status\":" + std::to_string(answer.status);
  base::append_json_fields(page, {{"error", reason_phrase(answer.status)},
                                  {"message", answer.sentence},
                                  {"request_id", answer.request_id}});
  return page += "}\n";
}

std::string html_page(const OwnAnswer& answer) {
  const std::string title =
      std::to_string(answer.status) + " " + std::string(reason_phrase(answer.status));
  std::string page = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>";
  page.append(title).append("</title>\n<h1>").append(title).append("</h1>\n<p>");
  page.append(answer.sentence).append("</p>\n<p>Request ID: <code>");
  return page.append(answer.request_id).append("</code></p>\n</html>\n");
}

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

AnswerFormat preferred_format(const Head& request) {
  return weight_of(request, "text/html") > weight_of(request, "application/json")
             ? AnswerFormat::kHtml
             : AnswerFormat::kJson;
}

void append_own_answer(std::string& out, const OwnAnswer& answer) {
  const bool html = answer.format == AnswerFormat::kHtml;
  const std::string page = html ? html_page(answer) : json_page(answer);
  out.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ");
  out.append(reason_phrase(answer.status)).append("\r\n");
  add_field(out, "Date", answer.date);
  add_field(out, "X-Request-ID", answer.request_id);
  for (const Field& field : answer.set) add_field(out, field.name, field.value);
  if (answer.status == 405) add_field(out, "Allow", kAllowedMethods);
  add_field(out, "Content-Type", html ? "text/html; charset=utf-8" : "application/json");
  // Ours are states of a moment; a cache may keep a 404 otherwise (RFC 9110 section 15.1).
  add_field(out, "Cache-Control", "no-store");
  add_field(out, "Content-Length", std::to_string(page.size()));
  if (answer.status == 426) {
    add_field(out, "Connection", answer.close ? "close, Upgrade" : "Upgrade");
    add_field(out, "Upgrade", "websocket");
  } else if (answer.close) {
    add_field(out, "Connection", "close");
  }
  out += "\r\n";
  if (!answer.request_is_head) out += page;
}

}  // namespace holdfast::http
