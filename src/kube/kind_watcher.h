#pragma once

// Follows the objects of one kind at an API server, for ever: does what its Reflector decides, on
// one connection, and tells the sink through an ObjectCache.
//
// Control thread only. Held by a shared_ptr, which its own coroutine keeps while it runs. Sink,
// clock and log outlive stop(); after it none of them is touched. Failures are logged, counted and
// retried.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <vector>

#include "kube/api_connection.h"
#include "kube/object_cache.h"
#include "kube/reflector.h"
#include "kube/watch_framer.h"
#include "kube/watch_metrics.h"

namespace holdfast::kube {

class KindWatcher : public std::enable_shared_from_this<KindWatcher> {
 public:
  KindWatcher(boost::asio::io_context& context, std::shared_ptr<ApiServer> server, Kind kind,
              ObjectSink& sink, std::shared_ptr<WatchMetrics> metrics, const base::Clock& clock,
              const base::Log& log);

  void start();
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
  void list_complete();
  void note(const Failure& failure, std::string_view doing);
  [[nodiscard]] std::string list_target(const ListRequest& request) const;
  [[nodiscard]] std::string probe_target(const ProbeRequest& request) const;
  [[nodiscard]] std::string watch_target(const WatchRequest& request) const;

  // Fixed after construction.
  boost::asio::io_context& context_;
  const std::shared_ptr<ApiServer> server_;
  const Kind kind_;
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
  WatchFramer framer_;
};

}  // namespace holdfast::kube
