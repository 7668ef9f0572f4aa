#include "kube/api_server_source.h"

#include <map>
#include <random>
#include <utility>
#include <vector>

#include "kube/kind_watcher.h"
#include "kube/watch_metrics.h"

namespace holdfast::kube {
namespace {

/// One KindWatcher a scope, each on a connection of its own; a single object is a scope as well.
class ApiServerSource final : public Source {
 public:
  ApiServerSource(boost::asio::io_context& context, ClusterConfig config, ApiServerOptions options,
                  const ClusterView& view, ObjectSink& sink, const base::Clock& clock,
                  const base::Log& log)
      : context_(context),
        sink_(sink),
        clock_(clock),
        log_(log),
        metrics_(std::make_shared<WatchMetrics>(view.scopes)) {
    options.reflector.watch_list = view.watch_list;
    server_ = std::make_shared<ApiServer>(std::move(config), options, clock, log);
    for (const Scope& scope : view.scopes) {
      std::string selector;
      if (scope.kind == Kind::kIngress) selector = view.ingress_selector;
      watchers_.push_back(watcher_of(scope, selector));
    }
  }

  ~ApiServerSource() override { stop_all(); }

  void start() override {
    running_ = true;
    for (const auto& watcher : watchers_) watcher->start();
    for (const auto& [scope, watcher] : singles_) watcher->start();
  }

  void stop() override { stop_all(); }

  void want(const std::set<Scope>& objects) override {
    for (auto held = singles_.begin(); held != singles_.end();) {
      if (objects.contains(held->first)) {
        ++held;
        continue;
      }
      held->second->stop();
      metrics_->given_up(held->first.kind);
      held = singles_.erase(held);
    }
    for (const Scope& object : objects) {
      const auto [place, fresh] = singles_.try_emplace(object);
      if (!fresh) continue;
      place->second = watcher_of(object, "");
      metrics_->followed(object.kind);
      if (running_) place->second->start();
    }
  }

  void collect(std::vector<base::MetricFamily>& out) const override { metrics_->collect(out); }

 private:
  std::shared_ptr<KindWatcher> watcher_of(const Scope& scope, const std::string& selector) {
    return std::make_shared<KindWatcher>(context_, server_, scope, selector, sink_, metrics_,
                                         clock_, log_);
  }

  void stop_all() {
    running_ = false;
    for (const auto& watcher : watchers_) watcher->stop();
    for (const auto& [scope, watcher] : singles_) watcher->stop();
  }

  // Fixed after construction.
  boost::asio::io_context& context_;
  ObjectSink& sink_;
  const base::Clock& clock_;
  const base::Log& log_;
  const std::shared_ptr<WatchMetrics> metrics_;
  std::shared_ptr<ApiServer> server_;
  std::vector<std::shared_ptr<KindWatcher>> watchers_;

  std::map<Scope, std::shared_ptr<KindWatcher>> singles_;
  bool running_ = false;
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
