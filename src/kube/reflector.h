#pragma once

// Decides how one kind is followed: when to list, when to watch, from which resource version, and
// how long to wait before. It is told what came of each step and does no I/O, so that every answer
// an API server can give is a line in a test. One thread; owned by its KindWatcher.
//
// The rules are client-go's reflector's. Resource versions are opaque. The short of it:
//   a watch that ends is renewed from the last version seen; a list is made only when a watch
//   cannot go on (410, garbage, unknown errors); an unreachable or overloaded API server costs
//   waits, never lists; nothing is retried at once twice.
// One is ours: after a lost connection the API server may be one whose etcd was restored from an
// older snapshot. A watch from a version that is still to come is silent there, without an error,
// until the versions have caught up. So a probe asks first whether the version is there.

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <variant>

#include "base/backoff.h"
#include "base/clock.h"
#include "kube/api_message.h"
#include "kube/limits.h"

namespace holdfast::kube {

enum class FailureKind {
  kConnect,     // name resolution, TCP, TLS
  kTimeout,     // a deadline of ours
  kLost,        // the connection broke
  kStatus,      // an HTTP status other than 200
  kErrorEvent,  // an ERROR event in a watch
  kMalformed,   // bytes that make no sense
  kTooLarge,    // more than a limit of ours
  kShort,       // a watch that ended at once
};

/// Why a list or a watch came to nothing.
struct Failure {
  FailureKind kind = FailureKind::kLost;
  /// With kStatus and kErrorEvent.
  ApiStatus status;
  /// One sentence for the log.
  std::string detail;

  [[nodiscard]] bool expired() const {
    const bool told = kind == FailureKind::kStatus || kind == FailureKind::kErrorEvent;
    return told && status.expired();
  }
  /// A label: "connect", "timeout", "expired", "unauthorized", "throttled", ...
  [[nodiscard]] const char* reason() const;
};

enum class ListReason {
  kStart,               // nothing is known yet
  kExpired,             // the watch's version is gone
  kContinueExpired,     // the list's version went while it was being paged
  kVersionUnavailable,  // the version asked for is gone, or the API server has not reached it
  kWatchFailed,         // the watch cannot go on from where it was
  kSilentWatch,         // see kSilentWatchAge in limits.h
};
const char* to_string(ListReason reason);

/// GET one page of the collection.
struct ListRequest {
  /// Empty: the newest state. Otherwise: a state not older than this. Not sent with a continue
  /// token.
  std::string resource_version;
  std::string continue_token;
  /// 0: everything in one page.
  std::uint32_t limit = kListLimit;
  ListReason reason = ListReason::kStart;
};

/// GET the events after this version, with bookmarks.
struct WatchRequest {
  std::string resource_version;
  std::chrono::seconds timeout{0};
  /// A streamed list (WatchList): begin with all that exists, not older than the version, or the
  /// newest state where that is empty; a bookmark marks its end, and the watch goes on.
  std::optional<ListReason> streamed_list = std::nullopt;
};

/// GET one object by a name that nobody gives, not older than this version: the API server says
/// that it does not exist (404), or that it has not reached the version (504).
struct ProbeRequest {
  std::string resource_version;
};

struct Step {
  /// Wait first.
  base::Duration wait{0};
  std::variant<ListRequest, WatchRequest, ProbeRequest> request;
};

struct ReflectorOptions {
  base::Duration backoff_first = kBackoffFirst;
  base::Duration backoff_most = kBackoffMost;
  base::Duration healthy_after = kHealthyAfter;
  base::Duration short_watch = kShortWatch;
  base::Duration silent_watch = kSilentWatchAge;
  base::Duration start_jitter = kStartJitter;
  /// timeoutSeconds is drawn from [least, most).
  std::chrono::seconds watch_timeout_least = kWatchTimeoutLeast;
  std::chrono::seconds watch_timeout_most = kWatchTimeoutMost;
  /// Lists are streamed, unless the API server does not know how.
  bool watch_list = false;
  std::uint64_t seed = 0;
};

class Reflector {
 public:
  Reflector(const ReflectorOptions& options, const base::Clock& clock);

  /// What to do now. Exactly one of the outcomes below is reported before the next call.
  Step next();

  /// Outcomes of a list. After the last page (no continue token) the next step is a watch.
  void page_received(const std::string& resource_version, const std::string& continue_token);
  /// Also of a streamed list that ended before it was complete.
  void list_failed(const Failure& failure);
  /// The whole of a streamed list is in; the watch that it is goes on from this version, as one
  /// that was started.
  void streamed_list_received(const std::string& resource_version);

  /// Outcomes of a probe. A failure that says nothing about the version, such as 404, ends it too.
  void probe_passed();
  void probe_failed(const Failure& failure);

  /// The watch was answered with 200; events follow, then one of the two ends.
  void watch_started();
  /// REQUIRES: not an ERROR event; that is a watch_failed().
  void event_received(const WatchEvent& event);
  /// The API server ended the stream as it should. Returns the failure when that came too soon.
  std::optional<Failure> watch_ended();
  void watch_failed(const Failure& failure);

  /// The version that a watch would resume from; empty before the first list.
  [[nodiscard]] const std::string& resource_version() const { return version_; }

 private:
  [[nodiscard]] std::chrono::seconds draw_timeout();
  /// The watch that next() has given out has not begun.
  void forget_watch();
  /// True when the API server does not know streamed lists, or cannot make them.
  bool gives_up_streaming(const Failure& failure);
  void list(std::string version, ListReason reason, base::Duration wait);
  void watch(base::Duration wait);
  /// Goes on after a useful watch.
  void renew_watch();
  void relist_expired(const Failure& failure);
  void failed_error_event(const Failure& failure);
  /// True when the watch that just ended brought something new or lived long enough.
  [[nodiscard]] bool watch_was_useful() const;
  [[nodiscard]] bool healthy_for_long() const;
  void note_health();
  base::Duration back_off(const Failure& failure);

  // Fixed after construction.
  const ReflectorOptions options_;
  const base::Clock& clock_;

  base::Backoff backoff_;
  std::mt19937_64 random_;
  /// Since when nothing failed; absent after a failure, until something succeeds.
  std::optional<base::Instant> healthy_since_;
  /// The first 410 in a while is followed by a list at once, the next ones by a wait.
  bool free_relist_ = true;
  int error_events_ = 0;
  /// The next watch is preceded by a probe.
  bool probing_ = false;
  int behind_answers_ = 0;
  bool streaming_;
  int failed_streams_ = 0;

  // The next step.
  bool listing_ = true;
  base::Duration wait_{0};
  ListRequest list_;
  std::string first_page_version_;

  // The watch.
  std::string version_;
  /// False while events may be the unordered replay that follows a watch from "0".
  bool version_follows_events_ = true;
  base::Instant watch_started_at_;
  bool watch_running_ = false;
  bool watch_received_ = false;
  bool watch_progressed_ = false;
};

}  // namespace holdfast::kube
