// Whatever stands in the annotations of an Ingress, and in a ConfigMap of defaults, its path is
// served, what is compiled is valid and the same each time, and what is wrong is a problem. A line
// of an input is one annotation: a byte that chooses its name, and its value; from a line of "--"
// on it is a default.

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "controller/annotations.h"
#include "controller/compile.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using controller::Compiled;
using controller::World;

constexpr std::size_t kExpandedBytesMost = std::size_t{16} << 10;
constexpr std::string_view kPrefix = "holdfast.dev/";
constexpr std::string_view kDefaultsLine = "--";
const kube::ObjectName kIngressName{"default", "web"};
const kube::ObjectName kConfigMapName{"infra", "defaults"};

struct Texts {
  std::map<std::string, std::string> annotations;
  std::map<std::string, std::string> defaults;
};

Texts texts_of(std::string_view input) {
  Texts texts;
  bool defaults = false;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    if (line == kDefaultsLine) defaults = true;
    if (line.empty() || line == kDefaultsLine) continue;
    const auto known = controller::annotations();
    const auto& chosen = known[static_cast<unsigned char>(line[0]) % known.size()];
    const std::string name(chosen.name);
    std::string value = expand(line.substr(1), kExpandedBytesMost);
    if (defaults) {
      texts.defaults[name] = std::move(value);
    } else {
      texts.annotations[std::string(kPrefix) + name] = std::move(value);
    }
  }
  return texts;
}

World world_of(const Texts& texts) {
  World world;
  auto service = std::make_shared<kube::Service>();
  service->metadata.name = kIngressName;
  kube::ServicePort port;
  port.name = "http";
  port.port = 80;
  service->ports.push_back(port);
  world.services[kIngressName] = std::move(service);

  auto ingress = std::make_shared<kube::Ingress>();
  ingress->metadata.name = kIngressName;
  ingress->metadata.annotations = texts.annotations;
  ingress->ingress_class_name = "holdfast";
  kube::IngressPath path;
  path.path = "/chat";
  path.path_type = "Prefix";
  path.backend.has_service = true;
  path.backend.service_name = kIngressName.name;
  path.backend.port.number = 80;
  kube::IngressRule rule;
  rule.host = "chat.test";
  rule.has_http = true;
  rule.paths.push_back(path);
  ingress->rules.push_back(rule);
  world.ingresses[kIngressName] = std::move(ingress);

  auto config_map = std::make_shared<kube::ConfigMap>();
  config_map->metadata.name = kConfigMapName;
  config_map->data = texts.defaults;
  world.config_maps[kConfigMapName] = std::move(config_map);
  return world;
}

void require_sane(const Compiled& compiled) {
  std::size_t routes = 0;
  for (const auto& [key, resource] : compiled.resources) {
    require(model::validate(*resource).ok(), "what is compiled is valid",
            std::string(model::validate(*resource).message()));
    routes += static_cast<std::size_t>(resource->virtual_host().routes_size());
  }
  require(routes == 1, "the path is served");
  for (const controller::Problem& problem : compiled.problems) {
    require(!problem.message.empty(), "a problem says something");
    require(problem.kind == "Ingress" || problem.kind == "ConfigMap" || problem.kind == "Service",
            "of an object that somebody wrote", problem.kind);
  }
}

void run(std::string_view input) {
  const World world = world_of(texts_of(input));
  controller::Options options;
  options.defaults_config_map = kConfigMapName;
  const Compiled compiled = controller::compile(world, options);
  require_sane(compiled);
  const Compiled again = controller::compile(world, options);
  require(again.problems == compiled.problems, "the same problems");
  require(again.resources.size() == compiled.resources.size(), "as many resources");
  for (const auto& [key, resource] : compiled.resources) {
    require(again.resources.at(key)->version() == resource->version(), "the same resource");
  }
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
