#include "controller/held_secret.h"

#include <utility>

#include "controller/quote.h"

namespace holdfast::controller {

namespace v1 = model::v1;

std::string resource_name_of(const kube::ObjectName& secret) {
  return secret.namespace_name + "/" + secret.name;
}

v1::Origin origin_of(const kube::Secret& secret) {
  v1::Origin origin;
  origin.set_kind(kube::to_string(kube::Kind::kSecret));
  origin.set_namespace_(secret.metadata.name.namespace_name);
  origin.set_name(secret.metadata.name.name);
  return origin;
}

model::ResourcePtr certificate_of(const kube::Secret& secret, const char* suffix) {
  v1::Resource resource;
  resource.set_name(resource_name_of(secret.metadata.name) + suffix);
  v1::Certificate& certificate = *resource.mutable_certificate();
  *certificate.mutable_origin() = origin_of(secret);
  certificate.set_chain(secret.chain);
  certificate.set_private_key(secret.private_key);
  return model::seal(std::move(resource));
}

bool HeldSecret::take(const World& world, const kube::ObjectName& name) {
  const auto found = world.secrets.find(name);
  auto now = found == world.secrets.end() ? nullptr : found->second;
  if (std::exchange(looked_, true) && looked_at_ == now) return false;
  looked_at_ = std::move(now);
  look(name);
  return true;
}

void HeldSecret::look(const kube::ObjectName& name) {
  const std::string secret = "Secret " + quote(name.name);
  if (looked_at_ == nullptr) {
    complaint = "there is no " + secret + " of type kubernetes.io/tls in the namespace";
    return;
  }
  if (looked_at_->chain.empty() || looked_at_->private_key.empty()) {
    complaint = secret + " lacks tls.crt or tls.key";
    return;
  }
  auto parsed = tls::Certificate::parse(looked_at_->chain, looked_at_->private_key);
  if (!parsed.ok()) {
    complaint = secret + " cannot be served: " + std::string(parsed.status().message());
    return;
  }
  model::ResourcePtr fresh = certificate_of(*looked_at_, "");
  if (const base::Status valid = model::validate(*fresh); !valid.ok()) {
    complaint = secret + " cannot be served: " + std::string(valid.message());
    return;
  }
  complaint.clear();
  certificate = *std::move(parsed);
  made = std::move(fresh);
}

}  // namespace holdfast::controller
