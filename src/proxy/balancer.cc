#include "proxy/balancer.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

/// 0 to `end` - 1. REQUIRES: end > 0.
std::size_t below(std::size_t end, Random& random) {
  return static_cast<std::size_t>(((random.next() >> 32) * end) >> 32);
}

std::uint32_t open_of(const Endpoint& endpoint) {
  return endpoint.open.load(std::memory_order_relaxed);
}

/// A place among the candidates; absent: there is none.
using Place = std::optional<std::size_t>;

/// Who is left out beside those that were tried, in the order in which it is given up.
enum class Leaving : std::uint8_t {
  /// Those that are out.
  kOut,
  /// Those of them that are not just being probed.
  kFailed,
  /// Where checks say nothing: those that are ejected or being probed.
  kOutForConnects,
  kEjected,
  kNobody,
};

bool leaves(Leaving leaving, const EndpointHealth& health, const Choice& choice) {
  const EjectionPolicy& ejection = choice.balancing.ejection;
  switch (leaving) {
    case Leaving::kOut:
      return health.is_out(ejection, choice.now);
    case Leaving::kFailed:
      return health.has_failed(ejection, choice.now);
    case Leaving::kOutForConnects:
      return health.is_out_for_connects(ejection, choice.now);
    case Leaving::kEjected:
      return health.is_ejected(ejection, choice.now);
    case Leaving::kNobody:
      break;
  }
  return false;
}

/// The endpoints among which one is chosen: those of a list that were not tried and are not left
/// out.
class Candidates {
 public:
  Candidates(const std::vector<EndpointPtr>& endpoints, const std::vector<Membership>& members,
             const Choice& choice, Leaving leaving)
      : endpoints_(endpoints), members_(members), choice_(choice), leaving_(leaving) {
    assert(endpoints.size() == members.size());
  }

  /// None that is being probed.
  [[nodiscard]] bool strict() const {
    return leaving_ == Leaving::kOut || leaving_ == Leaving::kOutForConnects;
  }
  [[nodiscard]] const EndpointPtr& endpoint(std::size_t place) const { return endpoints_[place]; }
  [[nodiscard]] EndpointHealth& health(std::size_t place) const { return *members_[place].health; }

  Place by_turn(std::atomic<std::uint32_t>& turn, bool slow_too = true) const {
    const std::size_t count = count_of(slow_too);
    if (count == 0) return std::nullopt;
    return nth(turn.fetch_add(1, std::memory_order_relaxed) % count, slow_too);
  }

  [[nodiscard]] Place least_open(bool slow_too = true) const {
    Place best;
    std::uint32_t fewest = std::numeric_limits<std::uint32_t>::max();
    std::size_t equals = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      const std::uint32_t open = open_of(*endpoints_[i]);
      if (open > fewest || !has(i) || (!slow_too && slowness(i) < 1)) continue;
      equals = open < fewest ? 1 : equals + 1;
      fewest = open;
      // The k-th equal takes the place with a chance of 1 in k: in the end each has the same.
      if (equals == 1 || below(equals, choice_.random) == 0) best = i;
    }
    return best;
  }

  /// One of them has its full share.
  [[nodiscard]] bool has_warm() const { return count_of(false) > 0; }

  /// One that is slow to start, by its share; absent: one of the others has its turn.
  [[nodiscard]] Place slow_one() const {
    double warm = 0;
    double slow = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      const double share = slowness(i);
      (share < 1 ? slow : warm) += share;
    }
    double drawn = choice_.random.fraction() * (warm + slow);
    if (drawn >= slow) return std::nullopt;
    Place last;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      const double share = has(i) ? slowness(i) : 1;
      if (share >= 1) continue;
      last = i;
      if (drawn < share) break;
      drawn -= share;
    }
    return last;
  }

  /// Rendezvous hashing: each key has an order of its own in which it likes the endpoints, and one
  /// that joins or leaves moves no key but those that like it best. With bounded loads: who has its
  /// bound already is passed over.
  [[nodiscard]] Place by_hash(std::uint64_t key, std::uint32_t factor_percent) const {
    std::uint64_t total = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      total += open_of(*endpoints_[i]);
      ++count;
    }
    if (count == 0) return std::nullopt;
    const std::uint64_t bound = load_bound(factor_percent, total, count);
    Place best;
    std::pair<bool, std::uint64_t> best_score;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      const std::pair score(open_of(*endpoints_[i]) < bound, base::mix(key ^ members_[i].identity));
      if (best && score <= best_score) continue;
      best = i;
      best_score = score;
    }
    return best;
  }

 private:
  [[nodiscard]] bool has(std::size_t index) const {
    return !leaves(leaving_, *members_[index].health, choice_) &&
           std::ranges::find(choice_.tried, endpoints_[index]) == choice_.tried.end();
  }

  /// What an endpoint gets of a full share; 1: all of it.
  [[nodiscard]] double slowness(std::size_t index) const {
    const base::Instant since = members_[index].in_since();
    if (since == base::Instant::min()) return 1;
    const base::Duration age = choice_.now - since;
    if (age >= choice_.balancing.slow_start) return 1;
    return std::max(kSlowStartPercentLeast / 100.0,
                    static_cast<double>(age.count()) /
                        static_cast<double>(choice_.balancing.slow_start.count()));
  }

  [[nodiscard]] std::size_t count_of(bool slow_too) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (has(i) && (slow_too || slowness(i) >= 1)) ++count;
    }
    return count;
  }

  [[nodiscard]] Place nth(std::size_t place, bool slow_too) const {
    Place last;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i) || (!slow_too && slowness(i) < 1)) continue;
      last = i;
      if (place-- == 0) break;
    }
    // Another worker may have put one out since they were counted.
    return last;
  }

  const std::vector<EndpointPtr>& endpoints_;
  const std::vector<Membership>& members_;
  const Choice& choice_;
  const Leaving leaving_;
};

/// At least `percent_least` of them are so.
template <class IsSo>
bool are_enough(const std::vector<Membership>& members, std::size_t percent_least, IsSo is_so) {
  const auto count = static_cast<std::size_t>(std::ranges::count_if(
      members, [&](const Membership& member) { return is_so(*member.health); }));
  return count * 100 >= members.size() * percent_least;
}

Place choose(const Cluster& cluster, const Candidates& candidates, const Choice& choice) {
  const Balancing& balancing = choice.balancing;
  if (choice.key && balancing.hash_by) {
    return candidates.by_hash(*choice.key, balancing.hash_by->balance_factor());
  }
  const base::Instant last = std::max(cluster.last_joined, cluster.state->returned_at());
  // Where all are new there is nobody to spare them: they share as any others do.
  const bool slow = balancing.slow_start > base::Duration(0) && last > base::Instant::min() &&
                    choice.now - last < balancing.slow_start && candidates.has_warm();
  if (slow) {
    if (const Place chosen = candidates.slow_one()) return chosen;
  }
  const bool by_turn = balancing.load_balance == discovery::v1::LOAD_BALANCE_ROUND_ROBIN;
  return by_turn ? candidates.by_turn(cluster.state->next_turn, !slow)
                 : candidates.least_open(!slow);
}

Pick pick_from(const Cluster& cluster, const Candidates& candidates, const Choice& choice) {
  while (const Place place = choose(cluster, candidates, choice)) {
    Pick pick{.endpoint = candidates.endpoint(*place), .health = &candidates.health(*place)};
    if (pick.health->may_connect(choice.balancing.ejection, choice.now, pick.probe) ||
        !candidates.strict()) {
      return pick;
    }
    // Another worker's probe has begun since it was looked at, or has failed, and has put it out.
  }
  return {};
}

}  // namespace

std::uint64_t load_bound(std::uint32_t factor_percent, std::uint64_t total, std::size_t endpoints) {
  const std::uint64_t divisor = std::uint64_t{100} * endpoints;
  return (factor_percent * (total + 1) + divisor - 1) / divisor;
}

bool checks_are_believed(const Cluster& cluster) {
  if (!cluster.health_check) return true;
  const auto& members = cluster.ready.empty() ? cluster.terminating_members : cluster.ready_members;
  return are_enough(members, kUsablePercentLeast,
                    [](const EndpointHealth& health) { return !health.fails_checks(); });
}

Pick pick_endpoint(const Cluster& cluster, const Choice& choice) {
  const bool ready = !cluster.ready.empty();
  const auto& endpoints = ready ? cluster.ready : cluster.terminating;
  const auto& members = ready ? cluster.ready_members : cluster.terminating_members;
  const bool hashed = choice.key && choice.balancing.hash_by;
  const Leaving first = checks_are_believed(cluster) ? Leaving::kOut : Leaving::kOutForConnects;
  const auto is_in = [&](const EndpointHealth& health) { return !leaves(first, health, choice); };
  if (!hashed && !cluster.local.empty() &&
      are_enough(cluster.local_members, kZoneUsablePercentLeast, is_in)) {
    const Candidates local(cluster.local, cluster.local_members, choice, first);
    Pick pick = pick_from(cluster, local, choice);
    if (pick.endpoint != nullptr) return pick;
  }
  for (const Leaving leaving : {Leaving::kOut, Leaving::kFailed, Leaving::kOutForConnects,
                                Leaving::kEjected, Leaving::kNobody}) {
    if (leaving < first) continue;
    Pick pick = pick_from(cluster, Candidates(endpoints, members, choice, leaving), choice);
    if (pick.endpoint != nullptr) return pick;
  }
  return {};
}

}  // namespace holdfast::proxy
