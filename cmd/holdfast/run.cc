#include "run.h"

#include <memory>
#include <string>
#include <utility>

#include "admin/process_metrics.h"
#include "admin/server.h"
#include "base/host_port.h"
#include "base/startup_pages.h"
#include "command.h"
#include "data_plane.h"
#include "debug_pages.h"
#include "discovery/client.h"
#include "discovery_flags.h"
#include "program.h"

namespace holdfast {
namespace {

std::string host_of(const std::string& address) {
  const auto parsed = base::parse_host_port(address);
  return parsed.ok() ? parsed->host : address;
}

/// Everything that runs between bind and stop. Declared in the order in which it is made.
class Running {
 public:
  Running(const Options& options, const Program& program)
      : options_(options), program_(program), admin_(program.log()) {}

  base::Status bind(std::optional<ControlPlaneOptions> control, bool with_data_plane) {
    base::Status status;
    if (control) status = bind_control_plane(*std::move(control));
    if (status.ok() && with_data_plane) status = bind_data_plane();
    if (status.ok()) status = bind_admin();
    return status;
  }

  base::Status bind(model::Transaction configuration) {
    base::Status status = bind_data_plane(std::move(configuration));
    if (status.ok()) status = bind_admin();
    return status;
  }

  void say_where() const {
    if (data_) {
      const proxy::Proxy::Ports ports = data_->proxy().ports();
      say_where("http", options_.http_listen, ports.http);
      say_where("http-proxy", options_.http_proxy_listen, ports.http_proxy);
      say_where("https", options_.https_listen, ports.https);
      say_where("https-proxy", options_.https_proxy_listen, ports.https_proxy);
    }
    if (control_ && !options_.discovery_listen.empty()) {
      program_.log_listening("discovery", host_of(options_.discovery_listen),
                             control_->discovery().port());
    }
    program_.log_listening("admin", host_of(options_.admin_listen), admin_.port());
  }

  void say_where(const char* what, const std::vector<std::string>& addresses,
                 const std::vector<int>& ports) const {
    for (std::size_t i = 0; i < ports.size(); ++i) {
      program_.log_listening(what, host_of(addresses[i]), ports[i]);
    }
  }

  base::Status start() {
    if (control_) control_->start();
    return data_ ? data_->start() : base::Status();
  }

  /// Pages first, which look at the rest; then whoever is fed before whoever feeds.
  void stop() {
    admin_.stop();
    if (data_) data_->stop();
    if (control_) control_->stop();
  }

 private:
  base::Status bind_control_plane(ControlPlaneOptions control) {
    control_ = std::make_unique<ControlPlane>(std::move(control), program_.clock(), program_.log());
    return control_->bind();
  }

  base::Status bind_data_plane() {
    std::shared_ptr<grpc::Channel> channel;
    if (control_) {
      channel = control_->in_process_channel();
    } else {
      auto made = discovery::make_channel(options_.discovery, channel_security(options_));
      if (!made.ok()) return made.status();
      channel = *std::move(made);
    }
    return bind_data_plane(std::move(channel));
  }

  base::Status bind_data_plane(ConfigurationSource source) {
    data_ = std::make_unique<DataPlane>(options_, std::move(source), program_.clock(),
                                        program_.log(), program_.access_log());
    return data_->bind();
  }

  base::Status bind_admin() {
    admin_.add_metrics(process_);
    admin_.add_metrics(program_);
    if (control_) admin_.add_metrics(*control_);
    if (data_) admin_.add_metrics(*data_);
    add_debug_pages(admin_, control_.get(), data_.get());
    return admin_.start(options_.admin_listen);
  }

  const Options& options_;
  const Program& program_;
  const admin::ProcessMetrics process_{HOLDFAST_VERSION};
  std::unique_ptr<ControlPlane> control_;
  std::unique_ptr<DataPlane> data_;
  admin::Server admin_;
};

template <class... What>
int bind_and_run(const Options& options, bool lean, What... what) {
  const Program program(options);
  Running running(options, program);
  base::Status status = running.bind(std::move(what)...);
  if (status.ok()) {
    running.say_where();
    status = running.start();
  }
  if (!status.ok()) {
    running.stop();
    return program.failed(status);
  }
  if (lean) base::unmap_startup_pages();
  program.wait_for_stop();
  running.stop();
  return 0;
}

}  // namespace

int run(const Options& options, std::optional<ControlPlaneOptions> control, bool with_data_plane) {
  return bind_and_run(options, false, std::move(control), with_data_plane);
}

int run_with(const Options& options, model::Transaction configuration) {
  return bind_and_run(options, true, std::move(configuration));
}

}  // namespace holdfast
