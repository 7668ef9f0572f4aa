#pragma once

// What an API server says: pages of lists, watch events, and Status objects for what went wrong.
// Pure: texts in, values out; any thread; no exception leaves.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kube/object_parser.h"

namespace holdfast::kube {

/// meta/v1 Status, as far as it matters.
struct ApiStatus {
  /// The HTTP status code; 0 when there was none.
  int code = 0;
  std::string reason;
  std::string message;
  /// The cause ResourceVersionTooLarge: the API server has not reached the version asked for.
  bool version_too_large = false;
  /// details.retryAfterSeconds
  std::optional<std::chrono::seconds> retry_after;

  /// The resource version asked for is gone: HTTP 410, or the reasons Expired and Gone.
  [[nodiscard]] bool expired() const;
};

/// One page of a list.
struct ListPage {
  std::string resource_version;
  /// Asks for the next page; empty on the last.
  std::string continue_token;
  std::vector<ParsedObject> objects;
};

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark, kError, kUnknown };

/// One event of a watch (meta/v1 WatchEvent).
struct WatchEvent {
  WatchEventType type = WatchEventType::kUnknown;
  /// Of the object; a DELETED object carries that of its deletion. May be empty.
  std::string resource_version;
  /// With kBookmark: all that existed when a streamed list began has been said (WatchList).
  bool initial_events_end = false;
  /// With kAdded, kModified and kDeleted.
  std::optional<ParsedObject> object;
  /// With kError.
  ApiStatus status;
};

/// Anything but a whole list of this kind is an error: a body cut short, a Status, a list without a
/// resource version. An object that cannot be read is not: it is in the page, with its reason.
base::StatusOr<ListPage> parse_list_page(Kind kind, std::string_view body);

/// An error only when the line is not a JSON object with a type. An object of another kind, and a
/// type nobody knows, is kUnknown.
base::StatusOr<WatchEvent> parse_watch_event(Kind kind, std::string_view line);

/// As much as can be read from the body of an answer with the HTTP status `code`.
ApiStatus parse_api_status(int code, std::string_view body);

}  // namespace holdfast::kube
