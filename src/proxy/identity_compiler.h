#pragma once

// Compiles ServerName, Certificate and TrustBundle resources into what handshakes are answered
// with, and UpstreamTls into what they are begun with. A changed Secret compiles again whom it
// concerns, and nothing else.
//
// compile() and commit() on one thread at a time; certificates() from any.

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/resource.h"
#include "tls/certificate.h"
#include "tls/client_context.h"
#include "tls/server_identity.h"
#include "tls/trust_bundle.h"

namespace holdfast::proxy {

using IdentityPtr = std::shared_ptr<const tls::ServerIdentity>;
/// By host; null: removed.
using IdentityChanges = std::vector<std::pair<std::string, IdentityPtr>>;

class IdentityCompiler {
 public:
  /// What of the transaction is about TLS. Refusals are added: then nothing of it may be used. A
  /// Secret that makes no sense is refused, so that the one before stays in force.
  IdentityChanges compile(const model::Transaction& transaction,
                          std::vector<model::Refusal>& refusals);
  /// As whom endpoints are spoken to, by what the transaction compiled last says of Secrets. Null:
  /// a Secret that it needs is not known.
  [[nodiscard]] std::shared_ptr<const tls::ClientContext> make_client(
      const model::v1::UpstreamTls& upstream);
  /// The transaction compiled last says something of a Secret that this needs.
  [[nodiscard]] bool concerns(const model::v1::UpstreamTls& upstream) const;
  /// The transaction compiled last is accepted.
  void commit();

  using Certificates = std::map<std::string, tls::CertificatePtr>;
  /// Those in force, by "NAMESPACE/NAME".
  [[nodiscard]] Certificates certificates() const;

 private:
  using Bundle = std::shared_ptr<const tls::TrustBundle>;
  using Server = std::shared_ptr<const model::v1::ServerName>;
  /// What is in force and, in front of it, what the transaction says; null: removed.
  template <class Part>
  struct Parts {
    std::map<std::string, Part> in_force;
    std::map<std::string, Part> pending;

    [[nodiscard]] Part find(const std::string& name) const {
      if (const auto found = pending.find(name); found != pending.end()) return found->second;
      const auto found = in_force.find(name);
      return found == in_force.end() ? nullptr : found->second;
    }
    void commit() {
      for (auto& [name, part] : pending) {
        if (part == nullptr) {
          in_force.erase(name);
        } else {
          in_force.insert_or_assign(name, std::move(part));
        }
      }
      pending.clear();
    }
  };

  /// Parses what the resource holds. The error is one sentence.
  base::Status take(const model::ResourcePtr& resource);
  [[nodiscard]] IdentityPtr make_identity(const model::v1::ServerName& server) const;
  /// Enters into users_, or takes out, what the server name refers to.
  void note_uses(const model::v1::ServerName& server, bool used);

  /// The machine's own authorities, once they are asked for; null: they cannot be read.
  Bundle machine_;
  bool machine_asked_ = false;
  Parts<Server> servers_;
  Parts<tls::CertificatePtr> certificates_;
  Parts<Bundle> bundles_;
  /// Which hosts in force name a Secret, be it as a certificate or as authorities.
  std::map<std::string, std::set<std::string>> users_;
  /// Guards certificates_.in_force.
  mutable std::mutex mutex_;
};

}  // namespace holdfast::proxy
