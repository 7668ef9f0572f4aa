#include "controller/defaults.h"

#include "controller/names.h"
#include "controller/quote.h"

namespace holdfast::controller {

namespace {

constexpr const char* kField = "spec.parameters";

const kube::IngressClass* our_class(const World& world, const Options& options) {
  const auto found = world.classes.find(options.ingress_class);
  return found == world.classes.end() ? nullptr : found->second.get();
}

}  // namespace

std::optional<kube::ObjectName> config_map_of(const kube::IngressClass& ingress_class,
                                              const Options& options, ProblemList& problems) {
  const auto& parameters = ingress_class.parameters;
  if (!parameters || ingress_class.controller != options.controller_name) return std::nullopt;
  const auto wrong = [&](const char* field, const std::string& reason) {
    problems.add(Severity::kError, "IngressClass", ingress_class.metadata.name,
                 std::string(kField) + field, reason + "; the parameters are ignored");
    return std::nullopt;
  };
  if (!parameters->api_group.empty() || parameters->kind != "ConfigMap") {
    return wrong("", "they are of the kind " + quote(parameters->kind) + " of the API group " +
                         quote(parameters->api_group) + ", not a ConfigMap of the core group");
  }
  if (parameters->scope != "Namespace") {
    return wrong(".scope", "a ConfigMap has a namespace, so the scope must be Namespace");
  }
  if (!is_object_name(parameters->namespace_name) || !is_object_name(parameters->name)) {
    return wrong("", "the namespace or the name is malformed");
  }
  return kube::ObjectName{parameters->namespace_name, parameters->name};
}

std::vector<std::shared_ptr<const kube::ConfigMap>> default_layers(const World& world,
                                                                   const Options& options,
                                                                   ProblemList& problems) {
  std::vector<std::shared_ptr<const kube::ConfigMap>> layers;
  const auto add = [&](const kube::ObjectName& name) {
    const auto found = world.config_maps.find(name);
    if (found == world.config_maps.end()) return false;
    layers.push_back(found->second);
    return true;
  };
  if (const auto& global = options.defaults_config_map; global && !add(*global)) {
    problems.add(Severity::kWarning, "ConfigMap", *global, "",
                 "--defaults-configmap names it, and it does not exist or was never read; the "
                 "built-in defaults apply");
  }
  const kube::IngressClass* ours = our_class(world, options);
  if (ours == nullptr) return layers;
  const auto named = config_map_of(*ours, options, problems);
  if (named && !add(*named)) {
    problems.add(Severity::kError, "IngressClass", ours->metadata.name, kField,
                 "ConfigMap " + quote(named->namespace_name + "/" + named->name) +
                     " does not exist or was never read; the defaults apply without it");
  }
  return layers;
}

}  // namespace holdfast::controller
