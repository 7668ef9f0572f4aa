#pragma once

// What the flags and the environment say. Every flag --some-name can also be given as
// HOLDFAST_SOME_NAME; the flag wins. Nothing here binds a port or starts a thread.

#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"

namespace CLI {
class App;
}

namespace holdfast {

struct Options {
  std::vector<std::string> http_listen = {"0.0.0.0:8080"};
  std::vector<std::string> http_proxy_listen;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> upstream_sources;
  /// Empty: not known.
  std::string zone;
  std::string admin_listen = "127.0.0.1:10254";
  /// 0 until parsed: then what the cgroup's CPU quota allows.
  unsigned workers = 0;
  /// "off" or "json".
  std::string access_log = "json";
  std::string manifests;
  std::string kubeconfig;
  std::string ingress_class = "holdfast";
  std::string discovery_listen;
  std::string discovery;
  /// "endpointslices" or "endpoints".
  std::string endpoints_api = "endpointslices";
  /// "debug", "info", "warn" or "error".
  std::string log_level = "info";
};

/// --admin-listen and --log-level.
void add_common_flags(CLI::App& app, Options& options);
/// --http-listen, --http-proxy-listen, --trusted-proxies, --upstream-source, --zone, --workers and
/// --access-log.
void add_data_plane_flags(CLI::App& app, Options& options);
/// --ingress-class.
void add_control_plane_flags(CLI::App& app, Options& options);
/// --kubeconfig and --endpoints-api.
void add_cluster_flags(CLI::App& app, Options& options);
void add_manifests_flag(CLI::App& app, Options& options, bool required);
void add_discovery_listen_flag(CLI::App& app, Options& options);
void add_discovery_flag(CLI::App& app, Options& options);

/// What the parser could not see: addresses that are none, those that would expose the discovery
/// stream, and PROXY headers of nobody. The error is one sentence that names the flag.
base::Status check_addresses(const Options& options);

base::LogLevel log_level_of(const Options& options);

}  // namespace holdfast
