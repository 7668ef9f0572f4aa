#include <utility>

#include "admin/client.h"
#include "admin/status_report.h"
#include "command.h"

namespace holdfast {
namespace {

std::string target_of(const StatusFlags& flags) {
  std::string target = "/debug/status?limit=" + std::to_string(flags.limit);
  for (const proxy::ConnectionFilterPart& part : proxy::kConnectionFilterParts) {
    const std::string& value = flags.filter.*part.text;
    if (!value.empty()) target.append("&").append(part.name) += "=" + admin::percent_encoded(value);
  }
  return target;
}

base::StatusOr<std::string> status_text(const StatusFlags& flags) {
  base::StatusOr<std::string> page = admin::fetch(flags.admin, target_of(flags));
  return page.ok() && flags.output == "table" ? admin::status_tables(*page) : page;
}

int run_status(const Options& options) {
  const base::StatusOr<std::string> text = status_text(options.status);
  if (!text.ok()) {
    say(text.status());
    return kExitFailed;
  }
  return print(*text) ? 0 : kExitFailed;
}

}  // namespace

Command status_command() {
  return {"status", "what a running Holdfast serves, and its open connections", add_status_flags,
          run_status};
}

}  // namespace holdfast
