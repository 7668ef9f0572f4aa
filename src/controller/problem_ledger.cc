#include "controller/problem_ledger.h"

#include <algorithm>
#include <iterator>

#include "controller/limits.h"

namespace holdfast::controller {

void ProblemLedger::replace(Findings& findings, std::vector<Problem> found) {
  std::vector<Counts::iterator> entries;
  entries.reserve(found.size());
  for (Problem& problem : found) {
    touch(problem);
    const auto place = counts_.try_emplace(std::move(problem), 0).first;
    ++place->second;
    entries.push_back(place);
  }
  for (const Counts::iterator entry : findings.entries_) {
    touch(entry->first);
    if (--entry->second == 0) counts_.erase(entry);
  }
  findings.entries_ = std::move(entries);
}

ProblemLedger::Changes ProblemLedger::take_changes() {
  Changes changes;
  for (const auto& [subject, before] : before_) {
    const std::vector<Problem> after = listed_of(subject);
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(changes.appeared));
    std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                        std::back_inserter(changes.gone));
  }
  before_.clear();
  return changes;
}

std::vector<Problem> ProblemLedger::listed() const {
  std::vector<Problem> all;
  for (auto next = counts_.begin(); next != counts_.end();) next = list_object(next, all);
  return all;
}

void ProblemLedger::touch(const Problem& problem) {
  Subject subject{problem.kind, problem.object};
  const auto known = before_.lower_bound(subject);
  if (known != before_.end() && known->first == subject) return;
  std::vector<Problem> listed = listed_of(subject);
  before_.emplace_hint(known, std::move(subject), std::move(listed));
}

std::vector<Problem> ProblemLedger::listed_of(const Subject& subject) const {
  std::vector<Problem> listed;
  // Sorts before everything that can be wrong with the object.
  const auto first = counts_.lower_bound({subject.first, subject.second, "", Severity{}, ""});
  if (first != counts_.end() && first->first.kind == subject.first &&
      first->first.object == subject.second) {
    list_object(first, listed);
  }
  return listed;
}

ProblemLedger::Counts::const_iterator ProblemLedger::list_object(Counts::const_iterator first,
                                                                 std::vector<Problem>& out) const {
  const Problem& subject = first->first;
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  std::size_t count = 0;
  auto next = first;
  for (; next != counts_.end() && next->first.kind == subject.kind &&
         next->first.object == subject.object;
       ++next) {
    if (++count <= kProblemsPerObject) out.push_back(next->first);
  }
  if (count > kProblemsPerObject) {
    // Without a field it sorts first, where a reader sees it.
    out.push_back({subject.kind, subject.object, "", Severity::kError,
                   std::to_string(count - kProblemsPerObject) +
                       " more problems of this object are not listed"});
    std::sort(out.begin() + begin, out.end());
  }
  return next;
}

}  // namespace holdfast::controller
