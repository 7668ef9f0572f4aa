#include "kube/reflector.h"

#include <algorithm>
#include <utility>

namespace holdfast::kube {

const char* Failure::reason() const {
  if (expired()) return "expired";
  switch (kind) {
    case FailureKind::kConnect:
      return "connect";
    case FailureKind::kTimeout:
      return "timeout";
    case FailureKind::kLost:
      return "lost";
    case FailureKind::kErrorEvent:
      return "error_event";
    case FailureKind::kMalformed:
      return "malformed";
    case FailureKind::kTooLarge:
      return "too_large";
    case FailureKind::kShort:
      return "short_watch";
    case FailureKind::kStatus:
      break;
  }
  if (status.code == 401) return "unauthorized";
  if (status.code == 403) return "forbidden";
  if (status.code == 429) return "throttled";
  if (status.version_too_large) return "version_too_large";
  return status.code >= 500 ? "server_error" : "refused";
}

const char* to_string(ListReason reason) {
  switch (reason) {
    case ListReason::kStart:
      return "start";
    case ListReason::kExpired:
      return "expired";
    case ListReason::kContinueExpired:
      return "continue_expired";
    case ListReason::kVersionUnavailable:
      return "version_unavailable";
    case ListReason::kWatchFailed:
      return "watch_failed";
    case ListReason::kSilentWatch:
      return "silent_watch";
  }
  return "?";
}

Reflector::Reflector(const ReflectorOptions& options, const base::Clock& clock)
    : options_(options),
      clock_(clock),
      backoff_(options.backoff_first, options.backoff_most, options.seed),
      random_(options.seed + 1),
      streaming_(options.watch_list) {
  std::uniform_int_distribution<base::Duration::rep> jitter(0, options.start_jitter.count());
  wait_ = base::Duration(jitter(random_));
}

Step Reflector::next() {
  Step step;
  step.wait = std::exchange(wait_, base::Duration{0});
  if (listing_ && streaming_) {
    step.request = WatchRequest{list_.resource_version, draw_timeout(), list_.reason};
    forget_watch();
    return step;
  }
  if (listing_) {
    step.request = list_;
    return step;
  }
  if (probing_) {
    step.request = ProbeRequest{version_};
    return step;
  }
  step.request = WatchRequest{version_, draw_timeout()};
  forget_watch();
  version_follows_events_ = version_ != "0";
  return step;
}

std::chrono::seconds Reflector::draw_timeout() {
  std::uniform_int_distribution<std::int64_t> timeout(options_.watch_timeout_least.count(),
                                                      options_.watch_timeout_most.count() - 1);
  return std::chrono::seconds(timeout(random_));
}

void Reflector::forget_watch() { watch_running_ = watch_received_ = watch_progressed_ = false; }

void Reflector::list(std::string version, ListReason reason, base::Duration wait) {
  listing_ = true;
  wait_ = wait;
  list_ = ListRequest{std::move(version), "", kListLimit, reason};
}

void Reflector::watch(base::Duration wait) {
  listing_ = false;
  wait_ = wait;
}

void Reflector::page_received(const std::string& resource_version,
                              const std::string& continue_token) {
  note_health();
  // Every page carries the version of the first; should one not, the first is what was listed.
  if (list_.continue_token.empty()) first_page_version_ = resource_version;
  list_.continue_token = continue_token;
  if (!continue_token.empty()) return;
  version_ = first_page_version_;
  probing_ = false;
  watch(base::Duration{0});
}

void Reflector::streamed_list_received(const std::string& resource_version) {
  version_ = resource_version;
  version_follows_events_ = true;
  watch_received_ = watch_progressed_ = true;
  probing_ = false;
  failed_streams_ = 0;
  watch(base::Duration{0});
}

bool Reflector::gives_up_streaming(const Failure& failure) {
  if (!streaming_) return false;
  const int code = failure.status.code;
  // Invalid: "sendInitialEvents is forbidden", or what an older API server makes of the rest.
  if (failure.kind == FailureKind::kStatus) return code == 400 || code == 422;
  const bool cannot = failure.kind == FailureKind::kErrorEvent && !failure.expired() &&
                      !failure.status.version_too_large && code != 429;
  return cannot && ++failed_streams_ >= kStreamedListTries;
}

void Reflector::list_failed(const Failure& failure) {
  if (gives_up_streaming(failure)) {
    streaming_ = false;
    return list(list_.resource_version, list_.reason, base::Duration{0});
  }
  const bool paging = !list_.continue_token.empty();
  if (failure.expired() && paging) {
    list(list_.resource_version, ListReason::kContinueExpired, base::Duration{0});
    list_.limit = 0;
    return;
  }
  const bool unavailable = failure.expired() || failure.status.version_too_large;
  if (unavailable && !list_.resource_version.empty()) {
    list("", ListReason::kVersionUnavailable, base::Duration{0});
    return;
  }
  // An unavailable version stays unavailable: what is tried again is this list, from its first
  // page.
  list(list_.resource_version, list_.reason, back_off(failure));
}

void Reflector::probe_passed() {
  note_health();
  probing_ = false;
  behind_answers_ = 0;
  watch(base::Duration{0});
}

void Reflector::probe_failed(const Failure& failure) {
  if (failure.status.version_too_large) {
    if (++behind_answers_ < kBehindAnswers) return watch(back_off(failure));
    behind_answers_ = 0;
    return list("", ListReason::kVersionUnavailable, base::Duration{0});
  }
  const int code = failure.status.code;
  const bool answered = failure.kind == FailureKind::kStatus && code != 401 && code != 408 &&
                        code != 429 && code < 500;
  // Not found: that is the answer. Forbidden: then the watch must do without.
  if (answered) return probe_passed();
  watch(back_off(failure));
}

void Reflector::watch_started() {
  note_health();
  watch_running_ = true;
  watch_started_at_ = clock_.now();
}

void Reflector::event_received(const WatchEvent& event) {
  watch_received_ = true;
  if (event.type == WatchEventType::kUnknown || event.resource_version.empty()) return;
  if (event.type != WatchEventType::kAdded) version_follows_events_ = true;
  if (!version_follows_events_ || event.resource_version == version_) return;
  version_ = event.resource_version;
  watch_progressed_ = true;
  error_events_ = 0;
}

bool Reflector::watch_was_useful() const {
  if (!watch_running_) return false;
  return watch_progressed_ || clock_.now() - watch_started_at_ >= options_.short_watch;
}

std::optional<Failure> Reflector::watch_ended() {
  if (!watch_was_useful()) {
    Failure failure{FailureKind::kShort, {}, "the watch ended at once and brought nothing new"};
    watch(back_off(failure));
    return failure;
  }
  renew_watch();
  return std::nullopt;
}

void Reflector::renew_watch() {
  const base::Duration life = clock_.now() - watch_started_at_;
  if (!watch_received_ && life >= options_.silent_watch) {
    list(version_, ListReason::kSilentWatch, base::Duration{0});
  } else {
    watch(base::Duration{0});
  }
}

void Reflector::watch_failed(const Failure& failure) {
  if (failure.expired()) return relist_expired(failure);
  switch (failure.kind) {
    case FailureKind::kLost:
    case FailureKind::kTimeout:
      probing_ = true;
      if (watch_was_useful()) return renew_watch();
      return watch(back_off(failure));
    case FailureKind::kConnect:
      probing_ = true;
      return watch(back_off(failure));
    case FailureKind::kShort:
      return watch(back_off(failure));
    case FailureKind::kStatus: {
      const int code = failure.status.code;
      if (failure.status.version_too_large) {
        return list("", ListReason::kVersionUnavailable, back_off(failure));
      }
      // Who may not watch now will not be helped by a list, and an overloaded server harmed.
      const bool retriable =
          code == 401 || code == 403 || code == 408 || code == 429 || code >= 500;
      const base::Duration wait = back_off(failure);
      probing_ = probing_ || code >= 500;
      return retriable ? watch(wait) : list(version_, ListReason::kWatchFailed, wait);
    }
    case FailureKind::kErrorEvent:
      return failed_error_event(failure);
    case FailureKind::kMalformed:
    case FailureKind::kTooLarge:
      return list(version_, ListReason::kWatchFailed, back_off(failure));
  }
}

void Reflector::relist_expired(const Failure& failure) {
  const bool at_once = free_relist_ || healthy_for_long();
  const base::Duration wait = back_off(failure);
  list(version_, ListReason::kExpired, at_once ? base::Duration{0} : wait);
  free_relist_ = false;
}

void Reflector::failed_error_event(const Failure& failure) {
  const int code = failure.status.code;
  const base::Duration wait = back_off(failure);
  if (code == 429) return watch(wait);
  if (code == 500 && ++error_events_ <= kErrorEventRetries) return watch(wait);
  error_events_ = 0;
  list(version_, ListReason::kWatchFailed, wait);
}

bool Reflector::healthy_for_long() const {
  return healthy_since_ && clock_.now() - *healthy_since_ >= options_.healthy_after;
}

void Reflector::note_health() {
  if (!healthy_since_) healthy_since_ = clock_.now();
}

base::Duration Reflector::back_off(const Failure& failure) {
  if (healthy_for_long()) {
    backoff_.reset();
    free_relist_ = true;
    error_events_ = 0;
  }
  healthy_since_.reset();
  base::Duration wait = backoff_.next();
  if (failure.status.retry_after) {
    wait = std::max<base::Duration>(
        wait, std::min<base::Duration>(*failure.status.retry_after, kRetryAfterMost));
  }
  return wait;
}

}  // namespace holdfast::kube
