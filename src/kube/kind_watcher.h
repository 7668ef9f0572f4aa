#pragma once

// Follows the objects of one scope at an API server, until it is stopped: does what its Reflector
// decides, on one connection, and tells the sink through an ObjectCache.
//
// Control thread only. Held by a shared_ptr, which its own coroutine keeps while it runs. Sink,
// clock and log outlive stop(); after it none of them is touched. Failures are logged, counted and
// retried.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/api_connection.h"
#include "kube/object_cache.h"
#include "kube/reflector.h"
#include "kube/watch_framer.h"
#include "kube/watch_metrics.h"

namespace holdfast::kube {

class KindWatcher : public std::enable_shared_from_this<KindWatcher> {
 public:
  /// Follows those objects that `label_selector` asks for; empty: all.
  KindWatcher(boost::asio::io_context& context, std::shared_ptr<ApiServer> server, Scope scope,
              std::string label_selector, ObjectSink& sink, std::shared_ptr<WatchMetrics> metrics,
              const base::Clock& clock, const base::Log& log);

  void start();
  /// Ends for good; may be called again.
  void stop();

 private:
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> list(ListRequest request);
  boost::asio::awaitable<std::optional<Failure>> fetch_page(ListRequest request, ListPage& page);
  /// Adds a page to the list under way, within its limits.
  std::optional<Failure> take_page(ListPage& page);
  boost::asio::awaitable<void> probe(ProbeRequest request);
  boost::asio::awaitable<void> watch(WatchRequest request);
  boost::asio::awaitable<std::optional<Failure>> read_events();
  /// Everything the framer has. A failure ends the watch.
  std::optional<Failure> apply_events();
  void apply(WatchEvent event);
  /// Takes an event of a streamed list that is not complete.
  std::optional<Failure> gather(WatchEvent event, std::size_t bytes);
  void set_connected(bool connected);
  void list_begun(ListReason reason);
  void list_complete();
  /// After stop() there are none.
  void count_objects();
  void note(const Failure& failure, std::string_view doing);
  /// The collection, and what every list and watch of it asks for.
  [[nodiscard]] std::string target_with(
      const std::vector<std::pair<const char*, std::string>>& query) const;
  [[nodiscard]] std::string list_target(const ListRequest& request) const;
  [[nodiscard]] std::string probe_target(const ProbeRequest& request) const;
  [[nodiscard]] std::string watch_target(const WatchRequest& request) const;

  // Fixed after construction.
  boost::asio::io_context& context_;
  const std::shared_ptr<ApiServer> server_;
  const Scope scope_;
  const std::string label_selector_;
  const std::shared_ptr<WatchMetrics> metrics_;
  const base::Clock& clock_;
  const base::Log& log_;

  Reflector reflector_;
  ObjectCache cache_;
  const std::shared_ptr<ApiConnection> connection_;
  boost::asio::steady_timer wait_;
  bool stopped_ = false;
  /// The pages of the list under way, and the bytes that they came in.
  std::vector<ParsedObject> pages_;
  std::size_t list_bytes_ = 0;
  /// The same of a streamed list; absent otherwise.
  std::optional<std::map<ObjectName, ParsedObject>> gathered_;
  /// timeoutSeconds of the watch under way.
  std::chrono::seconds watch_timeout_{0};
  bool connected_ = false;
  /// What the metrics have of this scope.
  std::size_t counted_ = 0;
  WatchFramer framer_;
};

}  // namespace holdfast::kube
