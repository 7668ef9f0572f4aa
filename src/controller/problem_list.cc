#include "controller/problem_list.h"

#include <algorithm>
#include <utility>

#include "controller/limits.h"

namespace holdfast::controller {

std::vector<Problem> ProblemList::take() {
  std::vector<Problem> all = std::exchange(problems_, {});
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<Problem> kept;
  for (auto first = all.begin(); first != all.end();) {
    const auto last = std::find_if(first, all.end(), [&](const Problem& problem) {
      return problem.kind != first->kind || problem.object != first->object;
    });
    const auto count = static_cast<std::size_t>(last - first);
    const auto shown = first + static_cast<std::ptrdiff_t>(std::min(count, kProblemsPerObject));
    if (shown != last) {
      // Without a field it sorts first, where a reader sees it.
      kept.push_back(
          {first->kind, first->object, "", Severity::kError,
           std::to_string(last - shown) + " more problems of this object are not listed"});
    }
    kept.insert(kept.end(), std::move_iterator(first), std::move_iterator(shown));
    first = last;
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace holdfast::controller
