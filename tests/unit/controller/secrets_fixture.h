#pragma once

// A cluster with Secrets, and what is compiled of it.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/incremental_compiler.h"
#include "controller/world_builder.h"
#include "tests/support/certificates.h"

namespace holdfast::controller {

namespace v1 = model::v1;

class SecretsTest : public testing::Test {
 protected:
  kube::Object secret(const std::string& name, const tls::CertificateText& text) {
    auto object = std::make_shared<kube::Secret>();
    object->metadata.name = {"default", name};
    object->type = kube::kTlsSecretType;
    object->chain = text.chain;
    object->private_key = text.key;
    return std::shared_ptr<const kube::Secret>(std::move(object));
  }
  kube::Object secret(const std::string& name, const std::string& alternatives,
                      const std::string& key = "P-256") {
    return secret(name, authority_.issue({.name = name, .alternatives = alternatives, .key = key}));
  }
  /// An Ingress with a rule for each host, made on that day.
  static kube::Object ingress(const std::string& name, int day, std::vector<kube::IngressTls> tls,
                              const std::vector<std::string>& hosts,
                              std::map<std::string, std::string> annotations = {}) {
    auto object = std::make_shared<kube::Ingress>();
    object->metadata.name = {"default", name};
    object->metadata.creation_timestamp = "2026-01-0" + std::to_string(day) + "T00:00:00Z";
    object->metadata.annotations = std::move(annotations);
    object->ingress_class_name = "holdfast";
    object->tls = std::move(tls);
    for (const std::string& host : hosts) {
      kube::IngressRule rule{.host = host, .has_http = true, .paths = {}};
      kube::IngressPath path{.path = "/", .path_type = "Prefix", .backend = {}};
      path.backend.has_service = true;
      path.backend.service_name = "web";
      path.backend.port.number = 80;
      rule.paths.push_back(path);
      object->rules.push_back(rule);
    }
    return std::shared_ptr<const kube::Ingress>(std::move(object));
  }
  Update apply(const std::vector<kube::Object>& objects) {
    Change change;
    for (const kube::Object& object : objects) change.merge(builder_.upsert(object));
    return compiler_.update(builder_.world(), change);
  }
  [[nodiscard]] std::vector<std::string> certificates(const std::string& host) const {
    const auto resource = compiler_.find({v1::KIND_SERVER_NAME, host});
    if (resource == nullptr) return {"no such name"};
    const auto& names = resource->server_name().certificates();
    return {names.begin(), names.end()};
  }
  [[nodiscard]] bool redirects(const std::string& host) const {
    const auto resource = compiler_.find({v1::KIND_VIRTUAL_HOST, host});
    return resource->virtual_host().policies(0).https_redirect();
  }
  /// About TLS.
  [[nodiscard]] std::vector<std::string> problems() const {
    std::vector<std::string> texts;
    for (const Problem& problem : compiler_.problems()) {
      if (problem.field.starts_with("spec.tls") || problem.field.starts_with("metadata")) {
        texts.push_back(problem.object.name + " " + problem.field + ": " + problem.message);
      }
    }
    return texts;
  }
  static std::vector<std::string> upserts(const Update& update) {
    std::vector<std::string> names;
    for (const auto& resource : update.transaction.upserts) {
      names.push_back(model::to_string(model::key_of(*resource)));
    }
    return names;
  }

  tls::TestAuthority authority_{"Test Authority"};
  WorldBuilder builder_;
  IncrementalCompiler compiler_{Options()};
};

}  // namespace holdfast::controller
