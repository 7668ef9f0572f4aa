#include "kube/api_server_source.h"

#include <random>
#include <utility>
#include <vector>

#include "kube/kind_watcher.h"
#include "kube/watch_metrics.h"

namespace holdfast::kube {
namespace {

/// One KindWatcher a scope, each on a connection of its own.
class ApiServerSource final : public Source {
 public:
  ApiServerSource(boost::asio::io_context& context, ClusterConfig config, ApiServerOptions options,
                  const ClusterView& view, ObjectSink& sink, const base::Clock& clock,
                  const base::Log& log)
      : metrics_(std::make_shared<WatchMetrics>(view.scopes)) {
    options.reflector.watch_list = view.watch_list;
    const auto server = std::make_shared<ApiServer>(std::move(config), options, clock, log);
    for (const Scope& scope : view.scopes) {
      std::string selector;
      if (scope.kind == Kind::kIngress) selector = view.ingress_selector;
      watchers_.push_back(std::make_shared<KindWatcher>(context, server, scope, selector, sink,
                                                        metrics_, clock, log));
    }
  }

  ~ApiServerSource() override { stop_all(); }

  void start() override {
    for (const auto& watcher : watchers_) watcher->start();
  }

  void stop() override { stop_all(); }

  void collect(std::vector<base::MetricFamily>& out) const override { metrics_->collect(out); }

 private:
  void stop_all() {
    for (const auto& watcher : watchers_) watcher->stop();
  }

  const std::shared_ptr<WatchMetrics> metrics_;
  std::vector<std::shared_ptr<KindWatcher>> watchers_;
};

}  // namespace

std::unique_ptr<Source> make_api_server_source(boost::asio::io_context& context,
                                               ClusterConfig config, ApiServerOptions options,
                                               const ClusterView& view, ObjectSink& sink,
                                               const base::Clock& clock, const base::Log& log) {
  return std::make_unique<ApiServerSource>(context, std::move(config), options, view, sink, clock,
                                           log);
}

std::unique_ptr<Source> make_api_server_source(boost::asio::io_context& context,
                                               ClusterConfig config, const ClusterView& view,
                                               ObjectSink& sink, const base::Clock& clock,
                                               const base::Log& log) {
  ApiServerOptions options;
  options.reflector.seed = std::random_device()();
  return make_api_server_source(context, std::move(config), options, view, sink, clock, log);
}

}  // namespace holdfast::kube
