#include "kube/api_message.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "kube/json.h"

namespace holdfast::kube {
namespace {

constexpr char kInitialEventsEnd[] = "k8s.io/initial-events-end";

ApiStatus read_status(const Json& value, int http_code) {
  base::Status ignored;  // A Status that is half garbage still says what the rest of it says.
  const Fields fields(value, ignored);
  ApiStatus status;
  status.code = fields.number("code").value_or(http_code);
  status.reason = fields.text("reason");
  status.message = fields.text("message");
  const Fields details = fields.object("details");
  if (const auto seconds = details.number("retryAfterSeconds"); seconds && *seconds > 0) {
    status.retry_after = std::chrono::seconds(*seconds);
  }
  for (const Fields& cause : details.objects("causes")) {
    if (cause.text("reason") == "ResourceVersionTooLarge") status.version_too_large = true;
  }
  // API servers before 1.17 name no cause.
  if (status.reason == "Timeout" &&
      status.message.find("Too large resource version") != std::string::npos) {
    status.version_too_large = true;
  }
  return status;
}

WatchEventType type_of(const std::string& name) {
  if (name == "ADDED") return WatchEventType::kAdded;
  if (name == "MODIFIED") return WatchEventType::kModified;
  if (name == "DELETED") return WatchEventType::kDeleted;
  if (name == "BOOKMARK") return WatchEventType::kBookmark;
  if (name == "ERROR") return WatchEventType::kError;
  return WatchEventType::kUnknown;
}

bool is_of_kind(const Fields& object, Kind kind) {
  return object.text("kind") == to_string(kind) &&
         object.text("apiVersion") == api_version_of(kind);
}

}  // namespace

bool ApiStatus::expired() const { return code == 410 || reason == "Expired" || reason == "Gone"; }

base::StatusOr<ListPage> parse_list_page(Kind kind, std::string_view body) {
  ListPage page;
  const auto take = [&](Json& item) {
    page.objects.push_back(parse_object(kind, item));
    return base::Status();
  };
  const base::StatusOr<Json> list = parse_json(body, take);
  if (!list.ok()) return list.status();
  base::Status complaint;
  const Fields fields(*list, complaint);
  if (fields.text("kind") != std::string(to_string(kind)) + "List") {
    fields.complain("kind", std::string("expected ") + to_string(kind) + "List");
  }
  // What is left of `items` is an empty array, null, or something that has no business there.
  (void)fields.objects("items");
  if (complaint.ok() && !list->contains("items")) fields.complain("items", "missing");
  const Fields metadata = fields.object("metadata");
  page.resource_version = metadata.text("resourceVersion");
  page.continue_token = metadata.text("continue");
  if (page.resource_version.empty()) fields.complain("metadata.resourceVersion", "missing");
  if (!complaint.ok()) return complaint;
  return page;
}

base::StatusOr<WatchEvent> parse_watch_event(Kind kind, std::string_view line) {
  const base::StatusOr<Json> json = parse_json(line);
  if (!json.ok()) return json.status();
  base::Status complaint;
  const Fields fields(*json, complaint);
  WatchEvent event;
  event.type = type_of(fields.text("type"));
  const Fields object = fields.object("object");
  if (!complaint.ok()) return complaint;
  if (event.type == WatchEventType::kUnknown) return event;
  if (event.type == WatchEventType::kError) {
    event.status = read_status(object.present() ? (*json)["object"] : Json(), 0);
    return event;
  }
  if (!object.present() || !is_of_kind(object, kind)) {
    event.type = WatchEventType::kUnknown;
    return event;
  }
  const Fields metadata = object.object("metadata");
  event.resource_version = metadata.text("resourceVersion");
  if (event.type == WatchEventType::kBookmark) {
    const auto annotations = metadata.text_map("annotations");
    const auto mark = annotations.find(kInitialEventsEnd);
    event.initial_events_end = mark != annotations.end() && mark->second == "true";
  } else {
    event.object = parse_object(kind, (*json)["object"]);
  }
  return event;
}

ApiStatus parse_api_status(int code, std::string_view body) {
  const base::StatusOr<Json> json = parse_json(body);
  ApiStatus status = read_status(json.ok() ? *json : Json(), code);
  status.code = code;
  return status;
}

}  // namespace holdfast::kube
