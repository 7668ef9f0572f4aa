#include "controller/held_secret.h"

#include <utility>

#include "controller/quote.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

model::ResourcePtr make_resource(const kube::Secret& secret) {
  const kube::ObjectName& name = secret.metadata.name;
  v1::Resource resource;
  resource.set_name(name.namespace_name + "/" + name.name);
  v1::Certificate& certificate = *resource.mutable_certificate();
  certificate.mutable_origin()->set_kind(kube::to_string(kube::Kind::kSecret));
  certificate.mutable_origin()->set_namespace_(name.namespace_name);
  certificate.mutable_origin()->set_name(name.name);
  certificate.set_chain(secret.chain);
  certificate.set_private_key(secret.private_key);
  return model::seal(std::move(resource));
}

}  // namespace

void HeldSecret::take(const World& world, const kube::ObjectName& name) {
  const auto found = world.secrets.find(name);
  auto now = found == world.secrets.end() ? nullptr : found->second;
  if (std::exchange(looked_, true) && looked_at_ == now) return;
  looked_at_ = std::move(now);
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
  model::ResourcePtr fresh = make_resource(*looked_at_);
  if (const base::Status valid = model::validate(*fresh); !valid.ok()) {
    complaint = secret + " cannot be served: " + std::string(valid.message());
    return;
  }
  complaint.clear();
  certificate = *std::move(parsed);
  made = std::move(fresh);
}

}  // namespace holdfast::controller
