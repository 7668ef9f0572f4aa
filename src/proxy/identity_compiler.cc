#include "proxy/identity_compiler.h"

namespace holdfast::proxy {

namespace v1 = discovery::v1;

namespace {

tls::ClientPolicy client_policy(const v1::ServerName& server,
                                std::shared_ptr<const tls::TrustBundle> authorities) {
  using Ask = tls::ClientPolicy::Ask;
  if (!server.has_client_certificates()) return {};
  const v1::ClientCertificates& client = server.client_certificates();
  return {.ask = client.optional() ? Ask::kOptional : Ask::kRequired,
          .authorities = std::move(authorities),
          .depth = static_cast<int>(client.depth()),
          .forwarded = client.forwarded()};
}

}  // namespace

base::Status IdentityCompiler::take(const model::ResourcePtr& resource) {
  if (resource->has_server_name()) {
    servers_.pending[resource->name()] = Server(resource, &resource->server_name());
  } else if (resource->has_certificate()) {
    const v1::Certificate& text = resource->certificate();
    auto parsed = tls::Certificate::parse(text.chain(), text.private_key());
    if (!parsed.ok()) return parsed.status();
    certificates_.pending[resource->name()] = *std::move(parsed);
  } else if (resource->has_trust_bundle()) {
    const v1::TrustBundle& text = resource->trust_bundle();
    auto parsed = tls::TrustBundle::parse(text.authorities(), text.revocation_lists());
    if (!parsed.ok()) return parsed.status();
    bundles_.pending[resource->name()] = *std::move(parsed);
  }
  return absl::OkStatus();
}

IdentityChanges IdentityCompiler::compile(const model::Transaction& transaction,
                                          std::vector<model::Refusal>& refusals) {
  servers_.pending.clear();
  certificates_.pending.clear();
  bundles_.pending.clear();
  for (const model::ResourcePtr& resource : transaction.upserts) {
    if (const base::Status taken = take(resource); !taken.ok()) {
      refusals.push_back({model::key_of(*resource), std::string(taken.message())});
    }
  }
  for (const model::ResourceKey& key : transaction.removals) {
    if (key.kind == v1::KIND_SERVER_NAME) servers_.pending[key.name] = nullptr;
    if (key.kind == v1::KIND_CERTIFICATE) certificates_.pending[key.name] = nullptr;
    if (key.kind == v1::KIND_TRUST_BUNDLE) bundles_.pending[key.name] = nullptr;
  }
  std::set<std::string> hosts;
  const auto add_users = [&](const auto& pending) {
    for (const auto& [secret, part] : pending) {
      if (const auto users = users_.find(secret); users != users_.end()) {
        hosts.insert(users->second.begin(), users->second.end());
      }
    }
  };
  add_users(certificates_.pending);
  add_users(bundles_.pending);
  for (const auto& [host, server] : servers_.pending) hosts.insert(host);
  IdentityChanges changes;
  for (const std::string& host : hosts) {
    const Server server = servers_.find(host);
    changes.emplace_back(host, server == nullptr ? nullptr : make_identity(*server));
  }
  return changes;
}

IdentityPtr IdentityCompiler::make_identity(const v1::ServerName& server) const {
  std::vector<tls::CertificatePtr> certificates;
  for (const std::string& name : server.certificates()) {
    if (auto certificate = certificates_.find(name)) certificates.push_back(std::move(certificate));
  }
  const std::string& bundle = server.client_certificates().trust_bundle();
  return std::make_shared<const tls::ServerIdentity>(
      server.host(),
      std::vector<std::string>(server.certificates().begin(), server.certificates().end()),
      std::move(certificates), client_policy(server, bundles_.find(bundle)), bundle);
}

std::shared_ptr<const tls::ClientContext> IdentityCompiler::make_client(
    const v1::UpstreamTls& upstream) {
  tls::ClientSettings settings;
  settings.server_name = upstream.server_name();
  if (!upstream.certificate().empty()) {
    settings.certificate = certificates_.find(upstream.certificate());
    if (settings.certificate == nullptr) return nullptr;
  }
  if (!upstream.unverified()) {
    if (upstream.trust_bundle().empty() && !std::exchange(machine_asked_, true)) {
      if (auto machine = tls::TrustBundle::of_machine(); machine.ok()) machine_ = *machine;
    }
    settings.authorities =
        upstream.trust_bundle().empty() ? machine_ : bundles_.find(upstream.trust_bundle());
    if (settings.authorities == nullptr) return nullptr;
  }
  auto made = tls::ClientContext::make(std::move(settings));
  return made.ok() ? *std::move(made) : nullptr;
}

bool IdentityCompiler::concerns(const v1::UpstreamTls& upstream) const {
  return certificates_.pending.contains(upstream.certificate()) ||
         bundles_.pending.contains(upstream.trust_bundle());
}

void IdentityCompiler::note_uses(const v1::ServerName& server, bool used) {
  const auto note = [&](const std::string& secret) {
    if (used) {
      users_[secret].insert(server.host());
    } else if (const auto users = users_.find(secret); users != users_.end()) {
      users->second.erase(server.host());
      if (users->second.empty()) users_.erase(users);
    }
  };
  for (const std::string& secret : server.certificates()) note(secret);
  if (server.has_client_certificates()) note(server.client_certificates().trust_bundle());
}

void IdentityCompiler::commit() {
  for (const auto& [host, server] : servers_.pending) {
    const auto before = servers_.in_force.find(host);
    if (before != servers_.in_force.end()) note_uses(*before->second, false);
    if (server != nullptr) note_uses(*server, true);
  }
  servers_.commit();
  bundles_.commit();
  const std::lock_guard lock(mutex_);
  certificates_.commit();
}

IdentityCompiler::Certificates IdentityCompiler::certificates() const {
  const std::lock_guard lock(mutex_);
  return certificates_.in_force;
}

}  // namespace holdfast::proxy
