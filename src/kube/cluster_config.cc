#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/port.h"
#include "kube/base64.h"
#include "kube/credentials.h"
#include "kube/json.h"
#include "kube/source.h"
#include "kube/yaml.h"

namespace holdfast::kube {
namespace {

base::Status invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

/// https://HOST[:PORT][/PATH], with [..] around an IPv6 address.
base::Status read_server(const std::string& url, ClusterConfig& config) {
  const base::Status bad = invalid("cluster.server: expected http(s)://HOST[:PORT][/PATH]");
  const bool http = url.starts_with("http://");
  if (!http && !url.starts_with("https://")) return bad;
  std::string rest = url.substr(http ? 7 : 8);
  if (rest.find_first_of(" \t\r\n?#@") != std::string::npos) return bad;
  const std::size_t slash = rest.find('/');
  if (slash != std::string::npos) config.base_path = rest.substr(slash);
  while (config.base_path.ends_with('/')) config.base_path.pop_back();
  rest = rest.substr(0, slash);
  std::size_t host_end = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string::npos) return bad;
    config.host = rest.substr(1, bracket - 1);
    host_end = bracket + 1;
  } else {
    config.host = rest.substr(0, host_end);
  }
  config.port = base::default_port(http ? "http" : "https");
  if (host_end < rest.size()) {
    config.port = rest.substr(host_end + 1);
    const bool digits = !config.port.empty() && config.port.size() <= 5 &&
                        config.port.find_first_not_of("0123456789") == std::string::npos;
    if (rest[host_end] != ':' || !digits) return bad;
  }
  config.plain_http = http;
  return config.host.empty() ? bad : absl::OkStatus();
}

/// One kubeconfig file on its way to a ClusterConfig.
class Kubeconfig {
 public:
  explicit Kubeconfig(const std::string& path) : path_(path) {}

  base::StatusOr<ClusterConfig> read() {
    const base::StatusOr<std::string> text = read_credential_file(path_);
    if (!text.ok()) return text.status();
    base::StatusOr<std::vector<Json>> documents = parse_yaml(*text);
    if (!documents.ok()) return documents.status();
    if (documents->size() != 1) return invalid("expected one YAML document");
    base::Status complaint;
    const Fields root(documents->front(), complaint);
    base::Status status = read_context(root);
    if (!complaint.ok()) return complaint;
    if (!status.ok()) return status;
    return config_;
  }

 private:
  base::Status read_context(const Fields& root) {
    const std::string current = root.text("current-context");
    if (current.empty()) return invalid("current-context: not set");
    const std::optional<Fields> context = find(root, "contexts", current, "context");
    if (!context) return invalid("current-context: no context is called " + current);
    const std::string cluster_name = context->text("cluster");
    const std::optional<Fields> cluster = find(root, "clusters", cluster_name, "cluster");
    if (!cluster) return invalid("context.cluster: no cluster is called " + cluster_name);
    if (base::Status status = read_cluster(*cluster); !status.ok()) return status;
    const std::string user_name = context->text("user");
    if (user_name.empty()) return {};
    const std::optional<Fields> user = find(root, "users", user_name, "user");
    if (!user) return invalid("context.user: no user is called " + user_name);
    return read_user(*user);
  }

  static std::optional<Fields> find(const Fields& root, const char* list, const std::string& name,
                                    const char* member) {
    for (const Fields& entry : root.objects(list)) {
      if (entry.text("name") == name) return entry.object(member);
    }
    return std::nullopt;
  }

  base::Status read_cluster(const Fields& cluster) {
    if (!cluster.text("proxy-url").empty()) {
      return invalid("cluster.proxy-url: proxies are not supported");
    }
    if (base::Status status = read_server(cluster.text("server"), config_); !status.ok()) {
      return status;
    }
    config_.tls_server_name = cluster.text("tls-server-name");
    config_.insecure_skip_tls_verify = cluster.flag("insecure-skip-tls-verify").value_or(false);
    return read_pem(cluster, "certificate-authority", config_.ca_pem, config_.ca_file);
  }

  base::Status read_user(const Fields& user) {
    for (const char* plugin : {"exec", "auth-provider"}) {
      if (user.object(plugin).present()) {
        return invalid(std::string("user.") + plugin + ": credential plugins are not supported");
      }
    }
    if (!user.text("username").empty()) {
      return invalid("user.username: basic authentication is not supported");
    }
    config_.token = user.text("token");
    const std::string token_file = user.text("tokenFile");
    if (!token_file.empty()) config_.token_file = resolve(token_file);
    base::Status status = read_pem(user, "client-certificate", config_.client_certificate_pem,
                                   config_.client_certificate_file);
    if (status.ok()) {
      status = read_pem(user, "client-key", config_.client_key_pem, config_.client_key_file);
    }
    if (status.ok() && config_.client_certificate_pem.empty() != config_.client_key_pem.empty()) {
      status = invalid("user: client-certificate and client-key belong together");
    }
    return status;
  }

  /// KEY-data in base64 wins over KEY, a file.
  base::Status read_pem(const Fields& fields, const std::string& key, std::string& pem,
                        std::string& pem_file) {
    const std::string data = fields.text((key + "-data").c_str());
    const std::string file = fields.text(key.c_str());
    if (data.empty() && file.empty()) return {};
    if (data.empty()) pem_file = resolve(file);
    base::StatusOr<std::string> text =
        data.empty() ? read_credential_file(pem_file) : decode_base64(data);
    if (!text.ok()) return invalid(key + ": " + std::string(text.status().message()));
    if (text->empty()) return invalid(key + ": empty");
    pem = *std::move(text);
    return {};
  }

  /// Paths are relative to the kubeconfig, not to where we were started.
  [[nodiscard]] std::string resolve(const std::string& file) const {
    return (std::filesystem::path(path_).parent_path() / file).string();
  }

  const std::string path_;
  ClusterConfig config_;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

}  // namespace

base::StatusOr<ClusterConfig> load_kubeconfig(const std::string& path) {
  base::StatusOr<ClusterConfig> config = Kubeconfig(path).read();
  if (config.ok()) return config;
  return base::Status(config.status().code(),
                      "kubeconfig " + path + ": " + std::string(config.status().message()));
}

base::StatusOr<ClusterConfig> load_in_cluster_config(const std::string& service_account_folder) {
  ClusterConfig config;
  config.host = environment("KUBERNETES_SERVICE_HOST");
  config.port = environment("KUBERNETES_SERVICE_PORT");
  if (config.host.empty() || config.port.empty()) {
    return absl::FailedPreconditionError(
        "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  }
  config.token_file = service_account_folder + "/token";
  config.ca_file = service_account_folder + "/ca.crt";
  base::StatusOr<std::string> token = read_credential_file(config.token_file);
  if (!token.ok()) return token.status();
  config.token = *std::move(token);
  base::StatusOr<std::string> ca = read_credential_file(config.ca_file);
  if (!ca.ok()) return ca.status();
  if (ca->empty()) return invalid(config.ca_file + ": empty");
  config.ca_pem = *std::move(ca);
  // Older clusters have none; whoever needs it says so then.
  config.pod_namespace = read_credential_file(service_account_folder + "/namespace").value_or("");
  return config;
}

}  // namespace holdfast::kube
