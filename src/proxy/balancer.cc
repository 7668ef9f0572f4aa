#include "proxy/balancer.h"

#include <algorithm>
#include <limits>

#include "base/hash.h"
#include "proxy/limits.h"

namespace holdfast::proxy {

namespace {

/// 0 to `end` - 1. REQUIRES: end > 0.
std::size_t below(std::size_t end, Random& random) {
  return static_cast<std::size_t>(((random.next() >> 32) * end) >> 32);
}

/// 0 to 1, without 1.
double fraction(Random& random) { return static_cast<double>(random.next() >> 11) * 0x1p-53; }

std::uint32_t open_of(const Endpoint& endpoint) {
  return endpoint.open.load(std::memory_order_relaxed);
}

/// The endpoints among which one is chosen: those of a list that were not tried and, where it is
/// strict, are not out.
class Candidates {
 public:
  Candidates(const std::vector<EndpointPtr>& endpoints, const std::vector<Membership>& members,
             const Choice& choice, bool strict)
      : endpoints_(endpoints), members_(members), choice_(choice), strict_(strict) {}

  EndpointPtr by_turn(RoundRobinTurn& turn, bool slow_too = true) const {
    const std::size_t count = count_of(slow_too);
    if (count == 0) return nullptr;
    return nth(turn.next.fetch_add(1, std::memory_order_relaxed) % count, slow_too);
  }

  EndpointPtr least_open(bool slow_too = true) const {
    const EndpointPtr* best = nullptr;
    std::uint32_t fewest = std::numeric_limits<std::uint32_t>::max();
    std::size_t equals = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      const std::uint32_t open = open_of(*endpoints_[i]);
      if (open > fewest || !has(i) || (!slow_too && slowness(i) < 1)) continue;
      equals = open < fewest ? 1 : equals + 1;
      fewest = open;
      // The k-th equal takes the place with a chance of 1 in k: in the end each has the same.
      if (equals == 1 || below(equals, choice_.random) == 0) best = &endpoints_[i];
    }
    return best == nullptr ? nullptr : *best;
  }

  /// One that is slow to start, by its share; null: one of the others has its turn.
  EndpointPtr slow_one() const {
    double warm = 0;
    double slow = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      const double share = slowness(i);
      (share < 1 ? slow : warm) += share;
    }
    double drawn = fraction(choice_.random) * (warm + slow);
    if (drawn >= slow) return nullptr;
    const EndpointPtr* last = nullptr;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      const double share = has(i) ? slowness(i) : 1;
      if (share >= 1) continue;
      last = &endpoints_[i];
      if (drawn < share) break;
      drawn -= share;
    }
    return last == nullptr ? nullptr : *last;
  }

  /// Rendezvous hashing: each key has an order of its own in which it likes the endpoints, and one
  /// that joins or leaves moves no key but those that like it best. With bounded loads: who has its
  /// bound already is passed over.
  EndpointPtr by_hash(std::uint64_t key, std::uint32_t factor_percent) const {
    std::uint64_t total = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      total += open_of(*endpoints_[i]);
      ++count;
    }
    if (count == 0) return nullptr;
    const std::uint64_t bound = load_bound(factor_percent, total, count);
    const EndpointPtr* best = nullptr;
    std::pair<bool, std::uint64_t> best_score;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i)) continue;
      const Endpoint& endpoint = *endpoints_[i];
      const std::pair score(open_of(endpoint) < bound, base::mix(key ^ endpoint.hash));
      if (best != nullptr && score <= best_score) continue;
      best = &endpoints_[i];
      best_score = score;
    }
    return best == nullptr ? nullptr : *best;
  }

 private:
  [[nodiscard]] bool has(std::size_t index) const {
    const EndpointPtr& endpoint = endpoints_[index];
    return (!strict_ || !endpoint->is_out(choice_.now)) &&
           std::ranges::find(choice_.tried, endpoint) == choice_.tried.end();
  }

  /// What an endpoint gets of a full share; 1: all of it.
  [[nodiscard]] double slowness(std::size_t index) const {
    if (index >= members_.size() || !members_[index].newcomer) return 1;
    const base::Duration age = choice_.now - members_[index].since;
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

  [[nodiscard]] EndpointPtr nth(std::size_t place, bool slow_too) const {
    const EndpointPtr* last = nullptr;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
      if (!has(i) || (!slow_too && slowness(i) < 1)) continue;
      last = &endpoints_[i];
      if (place-- == 0) break;
    }
    // Another worker may have put one out since they were counted.
    return last == nullptr ? nullptr : *last;
  }

  const std::vector<EndpointPtr>& endpoints_;
  const std::vector<Membership>& members_;
  const Choice& choice_;
  const bool strict_;
};

/// Of so many, at least `percent_least` are not out.
bool are_usable(const std::vector<EndpointPtr>& endpoints, base::Instant now,
                std::size_t percent_least) {
  const auto usable = static_cast<std::size_t>(std::ranges::count_if(
      endpoints, [&](const EndpointPtr& endpoint) { return !endpoint->is_out(now); }));
  return usable * 100 >= endpoints.size() * percent_least;
}

EndpointPtr choose(const Cluster& cluster, const Candidates& candidates, const Choice& choice) {
  const bool slow = choice.balancing.slow_start > base::Duration(0) &&
                    cluster.last_joined > base::Instant::min() &&
                    choice.now - cluster.last_joined < choice.balancing.slow_start;
  if (slow) {
    if (EndpointPtr chosen = candidates.slow_one()) return chosen;
  }
  const bool by_turn = choice.balancing.load_balance == discovery::v1::LOAD_BALANCE_ROUND_ROBIN;
  return by_turn ? candidates.by_turn(*cluster.turn, !slow) : candidates.least_open(!slow);
}

}  // namespace

std::uint64_t load_bound(std::uint32_t factor_percent, std::uint64_t total, std::size_t endpoints) {
  const std::uint64_t divisor = std::uint64_t{100} * endpoints;
  return (factor_percent * (total + 1) + divisor - 1) / divisor;
}

EndpointPtr pick_endpoint(const Cluster& cluster, const Choice& choice) {
  const bool ready = !cluster.ready.empty();
  const auto& endpoints = ready ? cluster.ready : cluster.terminating;
  const auto& members = ready ? cluster.ready_members : cluster.terminating_members;
  const bool hashed = choice.key && choice.balancing.hash_by;
  if (!hashed && !cluster.local.empty() &&
      are_usable(cluster.local, choice.now, kZoneUsablePercentLeast)) {
    const Candidates local(cluster.local, cluster.local_members, choice, true);
    if (EndpointPtr chosen = choose(cluster, local, choice)) return chosen;
  }
  // Ejection has a floor of its own; failing checks have this one.
  const bool checked = cluster.health_check.has_value();
  const bool usable = !checked || are_usable(endpoints, choice.now, kUsablePercentLeast);
  for (const bool strict : {true, false}) {
    if (strict && !usable) continue;
    const Candidates candidates(endpoints, members, choice, strict);
    EndpointPtr chosen =
        hashed ? candidates.by_hash(*choice.key, choice.balancing.hash_by->balance_factor())
               : choose(cluster, candidates, choice);
    if (chosen != nullptr) return chosen;
  }
  return nullptr;
}

}  // namespace holdfast::proxy
