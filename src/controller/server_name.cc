#include "controller/server_name.h"

#include <map>
#include <set>
#include <utility>

#include "controller/quote.h"
#include "model/limits.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

class NameCompiler {
 public:
  NameCompiler(const std::string& host, const FindSecret& find_secret,
               const FindNamedSecret& find_named, ProblemList& problems)
      : host_(host), find_secret_(find_secret), find_named_(find_named), problems_(problems) {}

  void add(const Claimant& claimant, const TlsClaim& claim);
  void add_clients(const Claimant& claimant);
  model::ResourcePtr build();

 private:
  void add_certificate(const Claimant& claimant, const TlsClaim& claim,
                       const kube::ObjectName& name, const HeldSecret& secret);
  void report(Severity severity, const Claimant& claimant, const TlsClaim& claim,
              std::string message) {
    problems_.add(severity, claimant.kind(), *claimant.name,
                  claimant.is_flag ? "" : claim.field() + ".secretName", std::move(message));
  }

  const std::string& host_;
  const FindSecret& find_secret_;
  const FindNamedSecret& find_named_;
  ProblemList& problems_;
  v1::ServerName server_;
  /// By the kind of its key.
  struct Chosen {
    std::string secret;
    std::string ingress;
  };
  std::map<std::string, Chosen> chosen_;
  /// Never good here: a proxy may hold it from a controller that has seen it good.
  std::set<std::string> unknown_;
  /// Who says which certificates clients must have; null: nobody.
  const Claimant* client_ = nullptr;
};

void NameCompiler::add(const Claimant& claimant, const TlsClaim& claim) {
  const kube::ObjectName name{claimant.name->namespace_name, claim.secret};
  const HeldSecret* secret = claim.secret.empty() ? nullptr : find_secret_(name);
  const tls::Certificate* certificate = secret == nullptr ? nullptr : secret->certificate.get();
  if (claim.if_covered && (certificate == nullptr || !certificate->covers(host_))) return;
  if (server_.origin().kind().empty()) {
    v1::Origin& origin = *server_.mutable_origin();
    origin.set_kind(claimant.kind());
    origin.set_namespace_(claimant.name->namespace_name);
    origin.set_name(claimant.name->name);
    origin.set_field(claim.field());
  }
  if (secret != nullptr) add_certificate(claimant, claim, name, *secret);
}

void NameCompiler::add_certificate(const Claimant& claimant, const TlsClaim& claim,
                                   const kube::ObjectName& name, const HeldSecret& secret) {
  if (!secret.complaint.empty()) {
    report(Severity::kError, claimant, claim,
           secret.complaint +
               (secret.certificate == nullptr
                    ? "; host " + quote(host_) + " is served with the default certificate"
                    : "; host " + quote(host_) +
                          " is served with the certificate that it held before"));
  }
  const std::string secret_name = resource_name_of(name);
  if (secret.certificate == nullptr) {
    unknown_.insert(secret_name);
    return;
  }
  const auto [chosen, fresh] = chosen_.try_emplace(
      secret.certificate->facts().key_type,
      Chosen{secret_name, claimant.name->namespace_name + "/" + claimant.name->name});
  if (!fresh) {
    if (chosen->second.secret == secret_name) return;
    report(Severity::kError, claimant, claim,
           "host " + quote(host_) + " has a certificate of the same kind by Secret " +
               quote(chosen->second.secret) + " of Ingress " + chosen->second.ingress +
               ", which comes first; this one is not served");
    return;
  }
  if (host_ != "*" && !secret.certificate->covers(host_)) {
    report(Severity::kWarning, claimant, claim,
           "the certificate of Secret " + quote(name.name) + " is not for host " + quote(host_) +
               "; it is served, and clients will refuse it");
  }
  server_.add_certificates(secret_name);
}

void NameCompiler::add_clients(const Claimant& claimant) {
  const ClientSettings& wanted = claimant.result.client;
  const auto report = [&](const std::string& message) {
    ValuePlace place = claimant.result.place_of("client-ca-secret");
    problems_.add(Severity::kError, claimant.kind(), *claimant.name, std::move(place.field),
                  place.who + message);
  };
  if (client_ != nullptr) {
    if (client_->result.client == wanted &&
        client_->name->namespace_name == claimant.name->namespace_name) {
      return;
    }
    report("which certificates clients of host " + quote(host_) + " must have is said by " +
           "Ingress " + client_->name->namespace_name + "/" + client_->name->name +
           ", which comes first and says otherwise");
    return;
  }
  client_ = &claimant;
  const kube::ObjectName name{claimant.name->namespace_name, wanted.secret};
  v1::ClientCertificates& clients = *server_.mutable_client_certificates();
  clients.set_trust_bundle(resource_name_of(name));
  clients.set_optional(wanted.optional);
  clients.set_depth(wanted.depth);
  clients.set_forwarded(wanted.forwarded);
  const HeldNamedSecret* secret = find_named_(name);
  if (secret == nullptr) return;
  const bool known = secret->bundle_made != nullptr;
  const std::string reason = !secret->bundle_complaint.empty() ? secret->bundle_complaint
                             : known                           ? ""
                                     : "Secret " + quote(name.name) + " has no ca.crt";
  if (reason.empty()) return;
  report(reason + (known ? "; clients of host " + quote(host_) + " are held to what it held before"
                         : "; nobody is let in to host " + quote(host_) + " over TLS"));
}

model::ResourcePtr NameCompiler::build() {
  if (server_.origin().kind().empty()) return nullptr;
  v1::Resource resource;
  resource.set_name(host_);
  server_.set_host(host_);
  for (const std::string& name : unknown_) {
    if (server_.certificates_size() < model::kCertificatesOfAName) server_.add_certificates(name);
  }
  *resource.mutable_server_name() = std::move(server_);
  if (const base::Status valid = model::validate(resource); !valid.ok()) {
    const v1::Origin& origin = resource.server_name().origin();
    problems_.add(Severity::kError, origin.kind().c_str(), {origin.namespace_(), origin.name()},
                  origin.field(), std::string(valid.message()) + "; it is not served over TLS");
    return nullptr;
  }
  return model::seal(std::move(resource));
}

}  // namespace

model::ResourcePtr compile_server_name(const std::string& host, const Claimants& claimants,
                                       const FindSecret& find_secret,
                                       const FindNamedSecret& find_named, ProblemList& problems) {
  NameCompiler compiler(host, find_secret, find_named, problems);
  for (const Claimant* claimant : claimants) {
    for (const TlsClaim& claim : claimant->result.tls_of(host)) compiler.add(*claimant, claim);
    if (claimant->result.client.asks()) compiler.add_clients(*claimant);
  }
  return compiler.build();
}

}  // namespace holdfast::controller
