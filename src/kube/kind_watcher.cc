#include "kube/kind_watcher.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <utility>

#include "kube/limits.h"

namespace holdfast::kube {

namespace asio = boost::asio;

namespace {

ReflectorOptions options_for(const ApiServerOptions& options, const Scope& scope) {
  ReflectorOptions result = options.reflector;
  // Scopes must not knock in lock-step either.
  result.seed += static_cast<std::uint64_t>(scope.kind) * 0x9e3779b97f4a7c15u;
  result.seed += std::hash<std::string>()(scope.namespace_name + "/" + scope.name);
  return result;
}

/// Nobody's object, see ProbeRequest.
constexpr char kProbeName[] = "holdfast-probe";

/// For the log: empty, a namespace, or NAMESPACE/NAME.
std::string place_of(const Scope& scope) {
  return scope.is_single() ? scope.namespace_name + "/" + scope.name : scope.namespace_name;
}

}  // namespace

KindWatcher::KindWatcher(asio::io_context& context, std::shared_ptr<ApiServer> server, Scope scope,
                         std::string label_selector, ObjectSink& sink,
                         std::shared_ptr<WatchMetrics> metrics, const base::Clock& clock,
                         const base::Log& log)
    : context_(context),
      server_(std::move(server)),
      scope_(std::move(scope)),
      label_selector_(std::move(label_selector)),
      metrics_(std::move(metrics)),
      clock_(clock),
      log_(log),
      reflector_(options_for(server_->options(), scope_), clock),
      cache_(scope_, sink),
      connection_(std::make_shared<ApiConnection>(context, server_)),
      wait_(context),
      framer_(server_->options().event_bytes) {}

void KindWatcher::start() {
  asio::co_spawn(
      context_, [self = shared_from_this()] { return self->run(); },
      [](const std::exception_ptr& error) {
        // A watch that ended unseen would serve old objects for ever.
        if (error) std::rethrow_exception(error);
      });
}

void KindWatcher::stop() {
  if (std::exchange(stopped_, true)) return;
  wait_.cancel();
  connection_->cancel();
  set_connected(false);
  count_objects();
}

asio::awaitable<void> KindWatcher::run() {
  const std::shared_ptr<KindWatcher> self = shared_from_this();
  while (!stopped_) {
    const Step step = reflector_.next();
    if (step.wait > base::Duration{0}) {
      boost::system::error_code cancelled;  // By stop(), which the loop sees.
      wait_.expires_after(step.wait);
      co_await wait_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
      if (stopped_) break;
    }
    if (const auto* request = std::get_if<ListRequest>(&step.request)) {
      co_await list(*request);
    } else if (const auto* question = std::get_if<ProbeRequest>(&step.request)) {
      co_await probe(*question);
    } else {
      co_await watch(std::get<WatchRequest>(step.request));
    }
  }
}

std::string KindWatcher::target_with(
    const std::vector<std::pair<const char*, std::string>>& query) const {
  std::string target = collection_path(scope_.kind, scope_.namespace_name);
  char separator = '?';
  const auto add = [&](const char* name, const std::string& value) {
    if (value.empty()) return;
    target += separator + (name + ("=" + percent_encoded(value)));
    separator = '&';
  };
  for (const auto& [name, value] : query) add(name, value);
  add("labelSelector", label_selector_);
  // Other Secrets, such as tokens and passwords, are none of ours: they are not even asked for.
  if (scope_.kind == Kind::kSecret) {
    add("fieldSelector", std::string("type=") + kTlsSecretType);
  }
  // Who may list and watch this name alone is let through by it.
  if (scope_.is_single()) add("fieldSelector", "metadata.name=" + scope_.name);
  return target;
}

std::string KindWatcher::list_target(const ListRequest& request) const {
  const std::string limit = request.limit > 0 ? std::to_string(request.limit) : "";
  if (!request.continue_token.empty() || request.resource_version.empty()) {
    return target_with({{"limit", limit}, {"continue", request.continue_token}});
  }
  // Without the match, limit makes the server answer from exactly that version, however old it is.
  return target_with({{"limit", limit},
                      {"resourceVersion", request.resource_version},
                      {"resourceVersionMatch", "NotOlderThan"}});
}

std::string KindWatcher::probe_target(const ProbeRequest& request) const {
  const std::string& in = scope_.namespace_name;
  const std::string name = scope_.is_single() ? scope_.name : kProbeName;
  return object_path(scope_.kind, {in.empty() ? "default" : in, name}) +
         "?resourceVersion=" + percent_encoded(request.resource_version);
}

std::string KindWatcher::watch_target(const WatchRequest& request) const {
  const bool streamed = request.streamed_list.has_value();
  return target_with({{"watch", "1"},
                      {"allowWatchBookmarks", "true"},
                      {"sendInitialEvents", streamed ? "true" : ""},
                      {"resourceVersionMatch", streamed ? "NotOlderThan" : ""},
                      {"resourceVersion", request.resource_version},
                      {"timeoutSeconds", std::to_string(request.timeout.count())}});
}

asio::awaitable<void> KindWatcher::list(ListRequest request) {
  if (request.continue_token.empty()) list_begun(request.reason);
  ListPage page;
  std::optional<Failure> failure = co_await fetch_page(request, page);
  if (stopped_) co_return;
  if (!failure) failure = take_page(page);
  if (failure) {
    // Half a list is no list: the old state stays.
    pages_ = {};
    note(*failure, "list");
    reflector_.list_failed(*failure);
    co_return;
  }
  reflector_.page_received(page.resource_version, page.continue_token);
  if (page.continue_token.empty()) list_complete();
}

std::optional<Failure> KindWatcher::take_page(ListPage& page) {
  if (list_bytes_ > server_->options().list_bytes ||
      pages_.size() + page.objects.size() > server_->options().list_objects) {
    return Failure{FailureKind::kTooLarge, {}, "the list is beyond the limit"};
  }
  pages_.insert(pages_.end(), std::make_move_iterator(page.objects.begin()),
                std::make_move_iterator(page.objects.end()));
  return std::nullopt;
}

asio::awaitable<std::optional<Failure>> KindWatcher::fetch_page(ListRequest request,
                                                                ListPage& page) {
  std::optional<Failure> failure = co_await connection_->get(list_target(request));
  if (failure) co_return failure;
  connection_->limit_body(server_->options().body_timeout);
  std::string body;
  do {
    failure = co_await connection_->read_body(body);
    if (!failure && body.size() > kListBodyBytes) {
      failure = Failure{FailureKind::kTooLarge, {}, "a page of the list is beyond the limit"};
    }
    if (failure) {
      connection_->close();
      co_return failure;
    }
  } while (!connection_->body_done());
  list_bytes_ += body.size();
  base::StatusOr<ListPage> parsed = parse_list_page(scope_.kind, body);
  if (!parsed.ok()) {
    co_return Failure{FailureKind::kMalformed, {}, std::string(parsed.status().message())};
  }
  page = *std::move(parsed);
  co_return std::nullopt;
}

void KindWatcher::list_begun(ListReason reason) {
  metrics_->list(scope_.kind, reason);
  pages_.clear();
  list_bytes_ = 0;
}

void KindWatcher::list_complete() {
  const std::size_t before = cache_.size();
  const std::size_t unreadable = cache_.replace(std::exchange(pages_, {}));
  metrics_->unreadable_objects(scope_.kind, unreadable);
  count_objects();
  const std::string place = place_of(scope_);
  log_.info("listed", {{"kind", to_string(scope_.kind)},
                       {"in", std::string_view(place)},
                       {"objects", static_cast<std::uint64_t>(cache_.size())},
                       {"unreadable", static_cast<std::uint64_t>(unreadable)},
                       {"resource_version", std::string_view(reflector_.resource_version())}});
  if (before > 0 && cache_.size() == 0) {
    log_.warn("the API server says that there are none any more",
              {{"kind", to_string(scope_.kind)},
               {"in", std::string_view(place)},
               {"before", static_cast<std::uint64_t>(before)}});
  }
}

asio::awaitable<void> KindWatcher::probe(ProbeRequest request) {
  const std::optional<Failure> failure = co_await connection_->get(probe_target(request));
  if (stopped_) co_return;
  if (!failure) {
    // There is such an object; its body is of no interest.
    connection_->close();
    reflector_.probe_passed();
    co_return;
  }
  reflector_.probe_failed(*failure);
  // Not found is the answer; who may not ask is told so by the watch, where it matters.
  const bool expected = failure->status.code == 404 || failure->status.code == 403;
  if (!expected) note(*failure, "probe");
}

asio::awaitable<void> KindWatcher::watch(WatchRequest request) {
  watch_timeout_ = request.timeout;
  gathered_.reset();
  if (request.streamed_list) {
    list_begun(*request.streamed_list);
    gathered_.emplace();
  }
  std::optional<Failure> failure = co_await connection_->get(watch_target(request));
  if (!failure && !stopped_) {
    reflector_.watch_started();
    if (gathered_) {
      connection_->limit_body(server_->options().body_timeout);
    } else {
      set_connected(true);
    }
    cache_.report_admitted();
    if (!stopped_) failure = co_await read_events();
  }
  if (stopped_) co_return;
  set_connected(false);
  if (!connection_->body_done()) connection_->close();
  if (gathered_) {
    // Half a list is no list: the old state stays.
    gathered_.reset();
    if (!failure)
      failure = Failure{FailureKind::kShort, {}, "the stream ended before all was said"};
    note(*failure, "streamed list");
    reflector_.list_failed(*failure);
    co_return;
  }
  if (failure) {
    reflector_.watch_failed(*failure);
  } else {
    failure = reflector_.watch_ended();
  }
  if (failure) note(*failure, "watch");
}

void KindWatcher::set_connected(bool connected) {
  if (std::exchange(connected_, connected) == connected) return;
  if (connected) {
    metrics_->connected(scope_.kind);
    connection_->limit_body(watch_timeout_ + server_->options().watch_slack);
  } else {
    metrics_->disconnected(scope_.kind);
  }
}

asio::awaitable<std::optional<Failure>> KindWatcher::read_events() {
  framer_ = WatchFramer(server_->options().event_bytes);
  std::optional<Failure> failure;
  std::string bytes;
  do {
    bytes.clear();
    failure = co_await connection_->read_body(bytes);
    if (stopped_) co_return failure;
    framer_.append(bytes);
    // What came before the failure is news all the same.
    std::optional<Failure> told = apply_events();
    if (told) co_return told;
  } while (!failure && !stopped_ && !connection_->body_done());
  co_return failure;
}

std::optional<Failure> KindWatcher::apply_events() {
  while (!stopped_) {
    const std::optional<std::string_view> line = framer_.next();
    if (!line) break;
    base::StatusOr<WatchEvent> event = parse_watch_event(scope_.kind, *line);
    if (!event.ok()) {
      return Failure{FailureKind::kMalformed, {}, std::string(event.status().message())};
    }
    metrics_->event(scope_.kind, event->type, clock_.wall_now());
    if (event->type == WatchEventType::kError) {
      return Failure{
          FailureKind::kErrorEvent, event->status,
          "ERROR event " + std::to_string(event->status.code) + ": " + event->status.message};
    }
    if (!gathered_) {
      apply(*std::move(event));
    } else if (std::optional<Failure> failure = gather(*std::move(event), line->size())) {
      return failure;
    }
  }
  if (framer_.overflowed()) {
    return Failure{FailureKind::kTooLarge, {}, "a watch event is beyond the limit"};
  }
  return std::nullopt;
}

std::optional<Failure> KindWatcher::gather(WatchEvent event, std::size_t bytes) {
  list_bytes_ += bytes;
  if (list_bytes_ > server_->options().list_bytes ||
      gathered_->size() > server_->options().list_objects) {
    return Failure{FailureKind::kTooLarge, {}, "the streamed list is beyond the limit"};
  }
  if (event.initial_events_end) {
    for (auto& [name, object] : *gathered_) pages_.push_back(std::move(object));
    gathered_.reset();
    reflector_.streamed_list_received(event.resource_version);
    set_connected(true);
    list_complete();
  } else if (event.type == WatchEventType::kDeleted) {
    gathered_->erase(event.object->name);
  } else if (event.object) {
    const ObjectName name = event.object->name;
    gathered_->insert_or_assign(name, *std::move(event.object));
  }
  return std::nullopt;
}

void KindWatcher::apply(WatchEvent event) {
  reflector_.event_received(event);
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified: {
      const ObjectName name = event.object->name;
      if (!cache_.upsert(*std::move(event.object))) {
        metrics_->unreadable_objects(scope_.kind, 1);
        log_.warn("object unreadable, keeping its last state",
                  {{"kind", to_string(scope_.kind)},
                   {"namespace", std::string_view(name.namespace_name)},
                   {"name", std::string_view(name.name)}});
      }
      break;
    }
    case WatchEventType::kDeleted:
      cache_.remove(event.object->name);
      break;
    case WatchEventType::kUnknown:
      log_.warn("watch event of an unknown type or kind, skipped",
                {{"kind", to_string(scope_.kind)}});
      break;
    case WatchEventType::kBookmark:
    case WatchEventType::kError:
      break;
  }
  count_objects();
}

void KindWatcher::count_objects() {
  const std::size_t now = stopped_ ? 0 : cache_.size();
  metrics_->objects(scope_.kind, std::exchange(counted_, now), now);
}

void KindWatcher::note(const Failure& failure, std::string_view doing) {
  metrics_->error(scope_.kind, failure);
  // Of many objects that is the operator's business; a single one was named by somebody.
  const bool forbidden = failure.kind == FailureKind::kStatus && failure.status.code == 403;
  if (forbidden && scope_.is_single()) cache_.report_refused(failure.detail);
  const std::string place = place_of(scope_);
  log_.warn("API server trouble", {{"kind", to_string(scope_.kind)},
                                   {"in", std::string_view(place)},
                                   {"doing", doing},
                                   {"reason", failure.reason()},
                                   {"detail", std::string_view(failure.detail)}});
}

}  // namespace holdfast::kube
