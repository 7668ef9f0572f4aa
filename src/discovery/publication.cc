#include "discovery/publication.h"

namespace holdfast::discovery {

void Publication::report(const std::string& node, const std::vector<model::Refusal>& refusals_now) {
  if (refusals_now.empty()) return;
  refusals += refusals_now.size();
  log.warn("resources refused", {{"node", node},
                                 {"count", static_cast<std::uint64_t>(refusals_now.size())},
                                 {"first", model::to_string(refusals_now.front().key)},
                                 {"reason", refusals_now.front().reason}});
  if (!on_refusal) return;
  for (const model::Refusal& refusal : refusals_now) on_refusal(node, refusal);
}

}  // namespace holdfast::discovery
