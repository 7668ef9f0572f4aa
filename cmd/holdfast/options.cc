#include "options.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

#include "base/host_port.h"
#include "base/ip_address.h"
#include "base/machine.h"
#include "base/text_list.h"
#include "controller/annotations.h"
#include "controller/defaults.h"
#include "controller/names.h"
#include "discovery_flags.h"
#include "dns/limits.h"
#include "kube/limits.h"
#include "model/field_rules.h"
#include "page_json.h"

namespace holdfast {
namespace {

/// More threads than any machine has CPUs today; a larger number is a typing error.
constexpr unsigned kWorkersMost = 1024;

/// "--admin-listen" -> "HOLDFAST_ADMIN_LISTEN"
std::string environment_name(std::string_view flag) {
  std::string name = "HOLDFAST_";
  for (const char c : flag.substr(2)) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

/// `flag` may have a short form in front: "-o,--output".
template <typename Value>
CLI::Option* add(CLI::App& app, const std::string& flag, Value& value, const std::string& help) {
  const std::string name = environment_name(std::string_view(flag).substr(flag.find("--")));
  return app.add_option(flag, value, help)->envname(name)->capture_default_str();
}

base::Status check_listen(const std::string& flag, const std::string& text) {
  const auto address = base::parse_host_port(text);
  if (!address.ok()) return bad_flag(flag, std::string(address.status().message()));
  if (!address->is_numeric()) {
    return bad_flag(flag, "\"" + address->host + "\" is not an IP address");
  }
  return {};
}

/// What the API server demands of it.
bool is_namespace_name(const std::string& name) {
  constexpr std::size_t kBytesMost = 63;
  return model::is_dns_label(name) && name.size() <= kBytesMost;
}

/// Several values a flag, by repetition or with commas and spaces between them.
void add_list(CLI::App& app, const std::string& flag, std::vector<std::string>& values,
              const std::string& help, const std::string& type_name) {
  const auto set = [&values, flag](const std::vector<std::string>& texts) {
    values.clear();
    for (const std::string& text : texts) {
      const std::vector<std::string_view> pieces = base::split_list(text, ',');
      if (pieces.empty()) throw CLI::ValidationError(flag, "\"" + text + "\" names nothing");
      values.insert(values.end(), pieces.begin(), pieces.end());
    }
  };
  std::string defaults;
  for (const std::string& value : values) defaults += defaults.empty() ? value : "," + value;
  // One value a flag: without this the next positional would be taken for another.
  app.add_option_function<std::vector<std::string>>(flag, set, help)
      ->envname(environment_name(flag))
      ->type_name(type_name)
      ->default_str(defaults)
      ->allow_extra_args(false);
}

/// Who the client is.
void add_identity_flags(CLI::App& app, Options& options) {
  add_list(app, "--http-proxy-listen", options.http_proxy_listen,
           "Where every connection begins with a PROXY header (v1 or v2); repeatable", "ADDR:PORT");
  add_list(app, "--trusted-proxies", options.trusted_proxies,
           "Whose X-Forwarded-* and PROXY headers are believed; repeatable", "CIDR");
}

/// --workers and --access-log.
void add_worker_flags(CLI::App& app, Options& options) {
  options.workers = base::usable_cpus();
  add(app, "--workers", options.workers, "Worker threads; by default what the CPU quota allows")
      ->type_name("N")
      ->check(CLI::Range(1U, kWorkersMost));
  add(app, "--access-log", options.access_log, "Requests and WebSockets on standard output")
      ->type_name("off|json")
      ->check(CLI::IsMember({"off", "json"}));
}

void add_output_flag(CLI::App& app, std::string& output) {
  add(app, "-o,--output", output, "Tables, or the same as JSON")
      ->type_name("table|json")
      ->check(CLI::IsMember({"table", "json"}));
}

void add_setting_flag(CLI::App& app, Options& options, const controller::Annotation& annotation) {
  const std::string name(annotation.name);
  const std::string flag = "--" + name;
  CLI::Option* option = app.add_option_function<std::string>(
      flag,
      [&options, name](const std::string& value) { options.settings.emplace_back(name, value); },
      std::string(annotation.summary));
  const std::string type = annotation.type();
  option->envname(environment_name(flag))
      ->type_name(annotation.range())
      ->default_str(std::string(annotation.default_text))
      ->allow_extra_args(false);
  if (type == "list") option->join(',');
  if (type == "lines") option->join('\n');
}

/// CLI11 takes a variable that is set but empty for one that is not set. An allow list that came
/// out empty would then let everybody in; here it is what an empty flag is.
void read_empty_settings(const CLI::App& app, Options& options) {
  for (const controller::Annotation& annotation : controller::annotations()) {
    if (annotation.scope != controller::Scope::kEverywhere) continue;
    const std::string flag = "--" + std::string(annotation.name);
    const char* text = std::getenv(environment_name(flag).c_str());
    if (text == nullptr || *text != '\0' || app.count(flag) > 0) continue;
    options.settings.emplace_back(annotation.name, "");
  }
}

}  // namespace

base::Status bad_flag(const std::string& flag, const std::string& reason) {
  return absl::InvalidArgumentError(flag + ": " + reason);
}

void add_common_flags(CLI::App& app, Options& options) {
  add(app, "--admin-listen", options.admin_listen,
      "Where /metrics, /healthz, /readyz and /debug/... are served")
      ->type_name("ADDR:PORT");
  add(app, "--log-level", options.log_level, "What the program says about itself")
      ->type_name("LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--core-dumps", options.core_dumps,
               "Core dumps may be written: they hold the private keys of certificates")
      ->envname(environment_name("--core-dumps"));
}

void add_data_plane_flags(CLI::App& app, Options& options) {
  add_list(app, "--http-listen", options.http_listen, "Where HTTP is served; repeatable",
           "ADDR:PORT");
  add_list(app, "--https-listen", options.https_listen,
           "Where HTTP is served over TLS; repeatable; \"off\": nowhere", "ADDR:PORT");
  add_list(app, "--https-proxy-listen", options.https_proxy_listen,
           "Likewise, where every connection begins with a PROXY header (v1 or v2), in the clear; "
           "repeatable",
           "ADDR:PORT");
  add(app, "--tls-profile", options.tls_profile,
      "Versions and ciphers: TLS 1.2 and 1.3, or 1.3 alone")
      ->type_name("intermediate|modern")
      ->check(CLI::IsMember({"intermediate", "modern"}));
  add(app, "--tls-ticket-secret", options.tls_ticket_secret,
      "What session tickets' keys are derived from: 32 bytes at least, the same for all replicas")
      ->type_name("FILE");
  add_identity_flags(app, options);
  add_list(app, "--upstream-source", options.upstream_sources,
           "An address of this machine from which pods are connected to; repeatable", "ADDR");
  add(app, "--zone", options.zone,
      "The topology zone of this node: pods that are meant for it are chosen where they are enough")
      ->type_name("NAME");
  add_worker_flags(app, options);
}

void add_sidecar_flags(CLI::App& app, Options& options) {
  options.https_listen.clear();
  add_list(app, "--listen", options.listen, "Where HTTP is served; repeatable", "[ADDR]:PORT");
  add(app, "--upstream", options.upstream, "Where the application listens")
      ->type_name("ADDR:PORT|unix:/PATH")
      ->required();
  add_identity_flags(app, options);
  add_worker_flags(app, options);
  for (const controller::Annotation& annotation : controller::annotations()) {
    if (annotation.scope == controller::Scope::kEverywhere) {
      add_setting_flag(app, options, annotation);
    }
  }
  app.parse_complete_callback([&app, &options] { read_empty_settings(app, options); });
}

void add_class_flags(CLI::App& app, Options& options) {
  add(app, "--ingress-class", options.ingress_class, "The IngressClass that is served")
      ->type_name("NAME");
  app.add_flag("--watch-without-class", options.watch_without_class,
               "Ingresses that name no class are served too, whatever the default class is")
      ->envname(environment_name("--watch-without-class"));
  add(app, "--defaults-configmap", options.defaults_configmap,
      "A ConfigMap of defaults for every Ingress: annotations' names without the prefix, and "
      "values")
      ->type_name("NAMESPACE/NAME");
  app.add_flag("--allow-external-name", options.allow_external_name,
               "Services of type ExternalName are served: whoever may write one chooses what "
               "Holdfast connects to")
      ->envname(environment_name("--allow-external-name"));
}

void add_control_plane_flags(CLI::App& app, Options& options) {
  add_class_flags(app, options);
  add(app, "--default-backend", options.default_backend, "Gets what no Ingress serves")
      ->type_name("NAMESPACE/SERVICE:PORT");
  add(app, "--default-certificate", options.default_certificate,
      "The Secret of type kubernetes.io/tls that is shown for hosts without one of their own")
      ->type_name("NAMESPACE/NAME");
}

void add_dns_flag(CLI::App& app, Options& options) {
  add_list(app, "--dns-server", options.dns_servers,
           "Resolves the names of Services of type ExternalName, in place of those in "
           "/etc/resolv.conf; repeatable",
           "ADDR:PORT");
}

void add_cluster_flags(CLI::App& app, Options& options) {
  add(app, "--kubeconfig", options.kubeconfig,
      "How to reach the API server; by default as a pod does")
      ->type_name("FILE");
  add(app, "--endpoints-api", options.endpoints_api, "Which kind tells the endpoints of a Service")
      ->type_name("KIND")
      ->check(CLI::IsMember({"endpointslices", "endpoints"}));
  add(app, "--namespaces", options.namespaces,
      "Only these are listed and watched, each by itself; IngressClasses are the cluster's. By "
      "default all; repeatable")
      ->type_name("NAME")
      ->delimiter(',')
      ->allow_extra_args(false);
  add(app, "--label-selector", options.label_selector,
      "Only Ingresses with such labels are served; other kinds are read whatever their labels")
      ->type_name("SELECTOR");
  app.add_flag("--watch-list", options.watch_list,
               "Lists come as a stream of events, where the API server knows how (WatchList)")
      ->envname(environment_name("--watch-list"));
  add(app, "--publish-service", options.publish_service,
      "Where this Service can be reached is written into the status of every Ingress served")
      ->type_name("NAMESPACE/NAME");
  add_list(app, "--publish-address", options.publish_addresses,
           "The same of an address, whatever there is of Services; repeatable", "IP|NAME");
  add(app, "--events", options.events, "Problems are written as Events on their objects")
      ->type_name("on|off")
      ->check(CLI::IsMember({"on", "off"}));
  add(app, "--leader-lease", options.leader_lease,
      "The Lease by which one of several is chosen to write status and Events; by default "
      "holdfast-CLASS in our own namespace; \"off\": there is but one")
      ->type_name("NAMESPACE/NAME|off");
}

void add_manifests_flag(CLI::App& app, Options& options, bool required) {
  add(app, "--manifests", options.manifests,
      "A watched folder of manifests, of the kinds that are read at an API server")
      ->type_name("DIR")
      ->required(required);
}

void add_discovery_files_flags(CLI::App& app, Options& options) {
  add(app, "--discovery-certificate", options.discovery_certificate,
      "What the other end is shown; PEM, read again when it changes")
      ->type_name("FILE");
  add(app, "--discovery-key", options.discovery_key, "The key of that certificate")
      ->type_name("FILE");
  add(app, "--discovery-ca", options.discovery_ca, "What the other end's certificate must lead to")
      ->type_name("FILE");
}

void add_discovery_listen_flag(CLI::App& app, Options& options) {
  add(app, "--discovery-listen", options.discovery_listen, "Where data planes connect")
      ->type_name("unix:PATH|HOST:PORT")
      ->required();
  add_discovery_files_flags(app, options);
  // A comma stands between namespaces.
  app.add_option("--discovery-allow", options.discovery_allow,
                 "Who may connect, by a DNS name or URI of its certificate, and what it sees: all, "
                 "or some namespaces; repeatable")
      ->type_name("IDENTITY[=NAMESPACE,...]")
      ->envname(environment_name("--discovery-allow"));
}

void add_discovery_flag(CLI::App& app, Options& options) {
  add(app, "--discovery", options.discovery, "Where the controller listens")
      ->type_name("unix:PATH|HOST:PORT")
      ->required();
  add_discovery_files_flags(app, options);
  add(app, "--discovery-server-name", options.discovery_server_name,
      "The name that the controller's certificate must have; by default the host of --discovery")
      ->type_name("NAME");
}

void add_state_flag(CLI::App& app, Options& options) {
  add(app, "--state-folder", options.state_folder,
      "Where what is served is kept, to begin with at the next start; of one process at a time")
      ->type_name("DIR");
}

void add_status_flags(CLI::App& app, Options& options) {
  StatusFlags& flags = options.status;
  add(app, "--admin", flags.admin, "Where its --admin-listen is")->type_name("ADDR:PORT");
  add_output_flag(app, flags.output);
  for (const proxy::ConnectionFilterPart& part : proxy::kConnectionFilterParts) {
    add(app, "--" + std::string(part.name), flags.filter.*part.text,
        "Only connections " + std::string(part.whose))
        ->type_name("TEXT");
  }
  add(app, "--limit", flags.limit, "So many connections, the newest")
      ->type_name("N")
      ->check(CLI::Range(1U, unsigned{kConnectionsMost}));
}

base::StatusOr<std::optional<kube::ObjectName>> defaults_config_map(const Options& options) {
  if (options.defaults_configmap.empty()) return std::nullopt;
  const auto name = controller::parse_object_name(options.defaults_configmap);
  if (!name.ok()) return bad_flag("--defaults-configmap", std::string(name.status().message()));
  return *name;
}

base::Status check_cluster_view(const Options& options) {
  if (options.namespaces.size() > kube::kNamespacesMost) {
    return bad_flag("--namespaces", "more than " + std::to_string(kube::kNamespacesMost));
  }
  for (const std::string& name : options.namespaces) {
    if (!is_namespace_name(name)) {
      return bad_flag("--namespaces", "\"" + name + "\" is not the name of a namespace");
    }
  }
  const bool plain =
      std::all_of(options.label_selector.begin(), options.label_selector.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("-_./,=!() ").find(c) != std::string_view::npos;
      });
  if (!plain) {
    return bad_flag("--label-selector",
                    "\"" + options.label_selector + "\" is not a label selector");
  }
  const bool narrowed = !options.namespaces.empty() || !options.label_selector.empty();
  if (narrowed && !options.manifests.empty()) {
    return absl::InvalidArgumentError(
        "--namespaces and --label-selector are for an API server, not for --manifests");
  }
  return {};
}

void add_check_flags(CLI::App& app, Options& options) {
  CheckFlags& flags = options.check;
  app.add_option("FILE", flags.files, "Manifests: files, folders of them, or - for standard input")
      ->type_name("")
      ->required();
  add_output_flag(app, flags.output);
  app.add_flag("--strict", flags.strict, "Exit status 1 for warnings too")
      ->envname(environment_name("--strict"));
}

base::Status check_addresses(const Options& options) {
  base::Status status = check_listen("--admin-listen", options.admin_listen);
  status.Update(check_listen("--admin", options.status.admin));
  for (const std::string& address : options.http_listen) {
    status.Update(check_listen("--http-listen", address));
  }
  for (const std::string& address : options.http_proxy_listen) {
    status.Update(check_listen("--http-proxy-listen", address));
  }
  for (const std::string& address : tls_addresses(options)) {
    status.Update(check_listen("--https-listen", address));
  }
  for (const std::string& address : options.https_proxy_listen) {
    status.Update(check_listen("--https-proxy-listen", address));
  }
  for (const std::string& block : options.trusted_proxies) {
    if (!base::parse_cidr(block)) {
      status.Update(bad_flag("--trusted-proxies", "\"" + block +
                                                      "\" is neither an IP address nor a block of "
                                                      "them such as 10.0.0.0/8"));
    }
  }
  for (const auto& [flag, addresses] :
       {std::pair("--http-proxy-listen", &options.http_proxy_listen),
        std::pair("--https-proxy-listen", &options.https_proxy_listen)}) {
    if (addresses->empty() || !options.trusted_proxies.empty()) continue;
    status.Update(
        bad_flag(flag, "needs --trusted-proxies, or nobody's PROXY header would be believed"));
  }
  for (const std::string& address : listen_addresses(options)) {
    status.Update(check_listen("--listen", address));
  }
  for (const std::string& address : options.dns_servers) {
    status.Update(check_listen("--dns-server", address));
  }
  if (options.dns_servers.size() > dns::kServersMost) {
    status.Update(bad_flag("--dns-server", "more than " + std::to_string(dns::kServersMost)));
  }
  for (const std::string& address : options.upstream_sources) {
    if (!base::parse_ip(address)) {
      status.Update(bad_flag("--upstream-source", "\"" + address + "\" is not an IP address"));
    }
  }
  status.Update(check_discovery_flags(options));
  return status;
}

std::vector<std::string> listen_addresses(const Options& options) {
  std::vector<std::string> addresses = options.listen;
  for (std::string& address : addresses) {
    if (address.starts_with(':')) address.insert(0, "0.0.0.0");
  }
  return addresses;
}

std::vector<std::string> tls_addresses(const Options& options) {
  if (options.https_listen == std::vector<std::string>{"off"}) return {};
  return options.https_listen;
}

base::LogLevel log_level_of(const Options& options) {
  if (options.log_level == "debug") return base::LogLevel::kDebug;
  if (options.log_level == "warn") return base::LogLevel::kWarn;
  if (options.log_level == "error") return base::LogLevel::kError;
  return base::LogLevel::kInfo;
}

}  // namespace holdfast
