#include "controller/ingress_class.h"

#include "controller/quote.h"

namespace holdfast::controller {

namespace {

constexpr const char* kLegacyAnnotation = "kubernetes.io/ingress.class";
constexpr const char* kDefaultAnnotation = "ingressclass.kubernetes.io/is-default-class";

bool is_default(const kube::IngressClass& ingress_class) {
  const auto& annotations = ingress_class.metadata.annotations;
  const auto found = annotations.find(kDefaultAnnotation);
  return found != annotations.end() && found->second == "true";
}

}  // namespace

IngressClassFilter::IngressClassFilter(const World& world, const Options& options,
                                       ProblemList& problems)
    : ours_(options.ingress_class) {
  if (const auto found = world.classes.find(ours_); found != world.classes.end()) {
    foreign_ = found->second->controller != options.controller_name;
    if (foreign_) {
      problems.add(
          Severity::kError, "IngressClass", found->second->metadata.name, "spec.controller",
          "the controller is " + quote(found->second->controller) + ", not " +
              quote(options.controller_name) + "; no Ingress of this class is served by Holdfast");
    }
  }
  const kube::IngressClass* newest = nullptr;
  for (const auto& [name, candidate] : world.classes) {
    if (!is_default(*candidate)) continue;
    // By name where the age is the same: the map is in that order.
    if (newest == nullptr ||
        candidate->metadata.creation_timestamp > newest->metadata.creation_timestamp) {
      newest = candidate.get();
    }
  }
  const bool default_is_ours =
      newest != nullptr && newest->metadata.name.name == ours_ && !foreign_;
  without_class_is_ours_ = options.watch_without_class || default_is_ours;
}

bool IngressClassFilter::selects(const kube::Ingress& ingress, ProblemList& problems) const {
  const auto& annotations = ingress.metadata.annotations;
  const auto legacy = annotations.find(kLegacyAnnotation);
  const bool has_legacy = legacy != annotations.end() && !legacy->second.empty();
  const std::string named = ingress.ingress_class_name.value_or("");
  if (!named.empty()) {
    if (named != ours_ || foreign_) return false;
    if (has_legacy && legacy->second != ours_) {
      problems.add(Severity::kWarning, "Ingress", ingress.metadata.name,
                   std::string("metadata.annotations[\"") + kLegacyAnnotation + "\"]",
                   quote(legacy->second) +
                       " contradicts spec.ingressClassName, which decides; the "
                       "Ingress is served");
    }
    return true;
  }
  if (has_legacy) return legacy->second == ours_ && !foreign_;
  return without_class_is_ours_;
}

std::string class_named_by(const kube::Ingress& ingress) {
  const std::string named = ingress.ingress_class_name.value_or("");
  const auto legacy = ingress.metadata.annotations.find(kLegacyAnnotation);
  return !named.empty() || legacy == ingress.metadata.annotations.end() ? named : legacy->second;
}

}  // namespace holdfast::controller
