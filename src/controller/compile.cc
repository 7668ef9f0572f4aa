#include "controller/compile.h"

#include "controller/incremental_compiler.h"

namespace holdfast::controller {

Compiled compile(const World& world, const Options& options) {
  Change everything;
  everything.classes = true;
  for (const auto& [name, ingress] : world.ingresses) everything.ingresses.insert(name);
  IncrementalCompiler compiler(options);
  compiler.update(world, everything);
  Compiled compiled;
  for (model::ResourcePtr& resource : compiler.resources()) {
    model::ResourceKey key = model::key_of(*resource);
    compiled.resources.emplace_hint(compiled.resources.end(), std::move(key), std::move(resource));
  }
  compiled.problems = compiler.problems();
  return compiled;
}

}  // namespace holdfast::controller
