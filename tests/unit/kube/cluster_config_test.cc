#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kube/source.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

class KubeconfigTest : public testing::Test {
 protected:
  base::StatusOr<ClusterConfig> load(const std::string& cluster, const std::string& user) {
    folder.write("config",
                 "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
                 "contexts: [{name: other, context: {cluster: x, user: y}},\n"
                 "           {name: c, context: {cluster: k, user: u}}]\n"
                 "clusters: [{name: k, cluster: {" +
                     cluster +
                     "}}]\n"
                     "users: [{name: u, user: {" +
                     user + "}}]\n");
    return load_kubeconfig(folder.path("config"));
  }
  std::string complaint(const std::string& cluster, const std::string& user) {
    const std::string text(load(cluster, user).status().message());
    const std::string prefix = "kubeconfig " + folder.path("config") + ": ";
    EXPECT_TRUE(text.starts_with(prefix)) << text;
    return text.substr(std::min(prefix.size(), text.size()));
  }

  TemporaryFolder folder;
};

TEST_F(KubeconfigTest, ReadsTheCurrentContext) {
  folder.write("ca.pem", "CA");
  const auto config = load(
      "server: 'https://api.example:6443/prefix/', certificate-authority: ca.pem, "
      "tls-server-name: kubernetes.default.svc",
      "client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: t1, tokenFile: t.txt");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->host, "api.example");
  EXPECT_EQ(config->port, "6443");
  EXPECT_EQ(config->base_path, "/prefix");
  EXPECT_FALSE(config->plain_http);
  EXPECT_EQ(config->ca_pem, "CA");
  EXPECT_EQ(config->ca_file, folder.path("ca.pem"));
  EXPECT_EQ(config->client_certificate_pem, "CERT");
  EXPECT_EQ(config->client_key_pem, "KEY");
  EXPECT_EQ(config->token, "t1");
  EXPECT_EQ(config->token_file, folder.path("t.txt"));
  EXPECT_EQ(config->tls_server_name, "kubernetes.default.svc");
  EXPECT_FALSE(config->insecure_skip_tls_verify);
  EXPECT_EQ(config->client_certificate_file, "");
}

TEST_F(KubeconfigTest, RemembersWhereTheClientCertificateIs) {
  folder.write("client.pem", "CERT");
  folder.write("client.key", "KEY");
  const auto config =
      load("server: 'https://a'", "client-certificate: client.pem, client-key: client.key");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->client_certificate_pem, "CERT");
  EXPECT_EQ(config->client_certificate_file, folder.path("client.pem"));
  EXPECT_EQ(config->client_key_file, folder.path("client.key"));
}

TEST_F(KubeconfigTest, ReadsEveryShapeOfServer) {
  const struct {
    const char* server;
    const char* host;
    const char* port;
    bool plain;
  } cases[] = {{"https://a", "a", "443", false},
               {"http://127.0.0.1:8080", "127.0.0.1", "8080", true},
               {"http://a/", "a", "80", true},
               {"https://[fd00::1]:6443", "fd00::1", "6443", false},
               {"https://[fd00::1]", "fd00::1", "443", false}};
  for (const auto& c : cases) {
    const auto config = load(std::string("server: '") + c.server + "'", "");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->host, c.host);
    EXPECT_EQ(config->port, c.port);
    EXPECT_EQ(config->plain_http, c.plain);
    EXPECT_EQ(config->base_path, "");
  }
  for (const char* server : {"", "a:6443", "ftp://a", "https://", "https://a:x", "https://[::1",
                             "https://a:123456", "https://u:p@a", "https://[::1]x"}) {
    EXPECT_FALSE(load(std::string("server: '") + server + "'", "").ok()) << server;
  }
}

TEST_F(KubeconfigTest, PrefersDataToFiles) {
  const auto config = load(
      "server: 'https://a', certificate-authority: missing, "
      "certificate-authority-data: Q0E=, insecure-skip-tls-verify: true",
      "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ca_pem, "CA");
  EXPECT_EQ(config->ca_file, "");
  EXPECT_TRUE(config->insecure_skip_tls_verify);
}

TEST_F(KubeconfigTest, SaysWhatItCannotUse) {
  const std::string server = "server: 'https://a'";
  EXPECT_EQ(complaint(server, "exec: {command: aws}"),
            "user.exec: credential plugins are not supported");
  EXPECT_EQ(complaint(server, "auth-provider: {name: gcp}"),
            "user.auth-provider: credential plugins are not supported");
  EXPECT_EQ(complaint(server, "username: u, password: p"),
            "user.username: basic authentication is not supported");
  EXPECT_EQ(complaint(server + ", proxy-url: 'http://p'", ""),
            "cluster.proxy-url: proxies are not supported");
  EXPECT_EQ(complaint(server + ", certificate-authority-data: '!!!!'", ""),
            "certificate-authority: not base64");
  EXPECT_EQ(complaint(server, "client-certificate-data: Q0VSVA=="),
            "user: client-certificate and client-key belong together");
  EXPECT_EQ(complaint(server, "token: 5"),
            "users[0].user.token: expected a string, found a number");
}

TEST_F(KubeconfigTest, SaysWhatIsMissing) {
  EXPECT_FALSE(load_kubeconfig(folder.path("absent")).ok());
  folder.write("config", "kind: Config\n");
  EXPECT_FALSE(load_kubeconfig(folder.path("config")).ok());
  folder.write("config", "current-context: c\ncontexts: []\n");
  EXPECT_FALSE(load_kubeconfig(folder.path("config")).ok());
  folder.write("config", "current-context: [\n");
  EXPECT_FALSE(load_kubeconfig(folder.path("config")).ok());
}

TEST(InClusterConfig, ReadsTheServiceAccount) {
  TemporaryFolder folder;
  ASSERT_EQ(::unsetenv("KUBERNETES_SERVICE_HOST"), 0);
  EXPECT_FALSE(load_in_cluster_config(folder.path("")).ok());
  ASSERT_EQ(::setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1), 0);
  ASSERT_EQ(::setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
  EXPECT_FALSE(load_in_cluster_config(folder.path("")).ok());
  folder.write("token", "secret\n");
  folder.write("ca.crt", "CA");
  const auto config = load_in_cluster_config(folder.path(""));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->host, "10.96.0.1");
  EXPECT_EQ(config->port, "443");
  EXPECT_EQ(config->ca_pem, "CA");
  EXPECT_FALSE(config->token_file.empty());
  EXPECT_FALSE(config->ca_file.empty());
}

}  // namespace
}  // namespace holdfast::kube
