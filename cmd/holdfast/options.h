#pragma once

// What the flags and the environment say. Every flag --some-name can also be given as
// HOLDFAST_SOME_NAME; the flag wins. Nothing here binds a port or starts a thread.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "kube/objects.h"
#include "proxy/connection_filter.h"

namespace CLI {
class App;
}

namespace holdfast {

/// What `holdfast status` is asked for.
struct StatusFlags {
  std::string admin = "127.0.0.1:10254";
  /// "table" or "json".
  std::string output = "table";
  proxy::ConnectionFilter filter;
  /// Connections, the newest; 1 to 1000.
  unsigned limit = 20;
};

/// What `holdfast check` is asked for.
struct CheckFlags {
  /// Files and folders; "-" is standard input.
  std::vector<std::string> files;
  /// "table" or "json".
  std::string output = "table";
  /// Warnings count as errors do.
  bool strict = false;
};

struct Options {
  std::vector<std::string> http_listen = {"0.0.0.0:8080"};
  std::vector<std::string> http_proxy_listen;
  /// "off" alone: none.
  std::vector<std::string> https_listen = {"0.0.0.0:8443"};
  std::vector<std::string> https_proxy_listen;
  /// "intermediate" or "modern".
  std::string tls_profile = "intermediate";
  std::string tls_ticket_secret;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> upstream_sources;
  /// Empty: not known.
  std::string zone;
  std::string admin_listen = "127.0.0.1:10254";
  /// 0 until parsed: then what the cgroup's CPU quota allows.
  unsigned workers = 0;
  /// "off" or "json".
  std::string access_log = "json";
  /// A sidecar's; an empty ADDR is every IPv4 address.
  std::vector<std::string> listen = {":8080"};
  /// A sidecar's: ADDR:PORT or unix:/PATH.
  std::string upstream;
  /// A sidecar's: names and values of annotations.
  std::vector<std::pair<std::string, std::string>> settings;
  StatusFlags status;
  CheckFlags check;
  std::string manifests;
  std::string kubeconfig;
  std::string ingress_class = "holdfast";
  bool watch_without_class = false;
  bool allow_external_name = false;
  /// Empty: those of the system.
  std::vector<std::string> dns_servers;
  /// "NAMESPACE/SERVICE:PORT"; empty: none.
  std::string default_backend;
  std::string default_certificate;
  /// NAMESPACE/NAME; empty: none.
  std::string defaults_configmap;
  std::string discovery_listen;
  std::string discovery_certificate;
  std::string discovery_key;
  std::string discovery_ca;
  std::string discovery_server_name;
  std::vector<std::string> discovery_allow;
  std::string discovery;
  /// Empty: nothing is kept.
  std::string state_folder;
  /// "endpointslices" or "endpoints".
  std::string endpoints_api = "endpointslices";
  /// Empty: all.
  std::vector<std::string> namespaces;
  std::string label_selector;
  bool watch_list = false;
  /// NAMESPACE/NAME; empty: none.
  std::string publish_service;
  std::vector<std::string> publish_addresses;
  /// "on" or "off".
  std::string events = "on";
  /// NAMESPACE/NAME; empty: in our own namespace, by our class; "off": nobody is asked.
  std::string leader_lease;
  /// "debug", "info", "warn" or "error".
  std::string log_level = "info";
  bool core_dumps = false;
};

/// --admin-listen and --log-level.
void add_common_flags(CLI::App& app, Options& options);
/// --http-listen, --https-listen, both with -proxy-, --tls-profile, --trusted-proxies,
/// --upstream-source, --zone, --workers and --access-log.
void add_data_plane_flags(CLI::App& app, Options& options);
/// --listen, --upstream, --http-proxy-listen, --trusted-proxies, --workers, --access-log, and a
/// flag for each annotation that a sidecar has.
void add_sidecar_flags(CLI::App& app, Options& options);
/// --ingress-class, --watch-without-class, --defaults-configmap and --allow-external-name.
void add_class_flags(CLI::App& app, Options& options);
/// Those and --default-backend.
void add_control_plane_flags(CLI::App& app, Options& options);
/// --kubeconfig, --endpoints-api, --namespaces, --label-selector, --watch-list, --publish-service,
/// --publish-address, --events and --leader-lease.
void add_cluster_flags(CLI::App& app, Options& options);
/// --dns-server.
void add_dns_flag(CLI::App& app, Options& options);
void add_manifests_flag(CLI::App& app, Options& options, bool required);
void add_discovery_listen_flag(CLI::App& app, Options& options);
void add_discovery_flag(CLI::App& app, Options& options);
/// --state-folder.
void add_state_flag(CLI::App& app, Options& options);

/// --admin, --output and the filters.
void add_status_flags(CLI::App& app, Options& options);

/// FILE..., --output and --strict.
void add_check_flags(CLI::App& app, Options& options);

/// What the parser could not see: addresses that are none, those that would expose the discovery
/// stream, and PROXY headers of nobody. The error is one sentence that names the flag.
base::Status check_addresses(const Options& options);

/// What --defaults-configmap says; absent: nothing. The error is one sentence that names the flag.
base::StatusOr<std::optional<kube::ObjectName>> defaults_config_map(const Options& options);

/// What --namespaces and --label-selector say. The error is one sentence that names the flag.
base::Status check_cluster_view(const Options& options);

/// options.listen with an address in each: what http_listen takes.
std::vector<std::string> listen_addresses(const Options& options);

/// What https_listen says: no address where that is "off".
std::vector<std::string> tls_addresses(const Options& options);

/// "FLAG: REASON"
base::Status bad_flag(const std::string& flag, const std::string& reason);

base::LogLevel log_level_of(const Options& options);

}  // namespace holdfast
