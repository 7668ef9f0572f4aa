#include "controller/held_named_secret.h"

#include <utility>

#include "controller/held_secret.h"
#include "controller/quote.h"
#include "tls/certificate.h"
#include "tls/trust_bundle.h"

namespace holdfast::controller {

namespace v1 = model::v1;

bool HeldNamedSecret::take(const World& world, const kube::ObjectName& name) {
  const auto found = world.named_secrets.find(name);
  auto now = found == world.named_secrets.end() ? nullptr : found->second;
  if (std::exchange(looked_, true) && looked_at_ == now) return false;
  looked_at_ = std::move(now);
  look(name);
  return true;
}

void HeldNamedSecret::look(const kube::ObjectName& name) {
  const std::string secret = "Secret " + quote(name.name);
  bundle_complaint.clear();
  certificate_complaint.clear();
  if (looked_at_ == nullptr) {
    bundle_complaint = certificate_complaint = "there is no " + secret + " in the namespace";
    return;
  }
  if (looked_at_->authorities.empty() && looked_at_->chain.empty()) {
    bundle_complaint = certificate_complaint = secret + " has neither ca.crt nor tls.crt";
    return;
  }
  const auto complain = [&](const base::Status& status, std::string& complaint) {
    if (!status.ok()) complaint = secret + " cannot be used: " + std::string(status.message());
  };
  complain(make_bundle(*looked_at_), bundle_complaint);
  complain(make_certificate(*looked_at_), certificate_complaint);
}

base::Status HeldNamedSecret::make_bundle(const kube::Secret& secret) {
  if (secret.authorities.empty()) {
    if (bundle_made == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError("its ca.crt is gone");
  }
  const auto parsed = tls::TrustBundle::parse(secret.authorities, secret.revocation_lists);
  if (!parsed.ok()) return parsed.status();
  v1::Resource resource;
  resource.set_name(resource_name_of(secret.metadata.name));
  v1::TrustBundle& bundle_of = *resource.mutable_trust_bundle();
  *bundle_of.mutable_origin() = origin_of(secret);
  bundle_of.set_authorities(secret.authorities);
  bundle_of.set_revocation_lists(secret.revocation_lists);
  if (base::Status valid = model::validate(resource); !valid.ok()) return valid;
  bundle_made = model::seal(std::move(resource));
  return absl::OkStatus();
}

base::Status HeldNamedSecret::make_certificate(const kube::Secret& secret) {
  if (secret.chain.empty() && secret.private_key.empty()) {
    if (certificate_made == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError("its tls.crt is gone");
  }
  const auto parsed = tls::Certificate::parse(secret.chain, secret.private_key);
  if (!parsed.ok()) return parsed.status();
  model::ResourcePtr made = certificate_of(secret, kClientSuffix);
  if (base::Status valid = model::validate(*made); !valid.ok()) return valid;
  certificate_made = std::move(made);
  return absl::OkStatus();
}

}  // namespace holdfast::controller
