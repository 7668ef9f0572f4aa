// Goal: whatever changed, and in whatever order, the incremental compiler holds what a fresh
// compilation of the last World makes, byte for byte, and the changes that it tells of add up to
// that. Method: random changes of a small cluster in which everything meets everything, with fixed
// seeds; after each update everything is compared.

#include "controller/incremental_compiler.h"

#include <gtest/gtest.h>

#include "controller/service_port.h"
#include "controller/world_builder.h"
#include "tests/unit/controller/random_objects.h"

namespace holdfast::controller {
namespace {

/// Whoever applies every transaction and reads every problem that came and went.
class Follower {
 public:
  void apply(const Update& update) {
    for (const model::ResourcePtr& resource : update.transaction.upserts) {
      auto& held = resources_[model::key_of(*resource)];
      EXPECT_TRUE(held == nullptr || held->version() != resource->version()) << "nothing new";
      held = resource;
    }
    for (const model::ResourceKey& key : update.transaction.removals) {
      EXPECT_EQ(resources_.erase(key), 1U) << model::to_string(key) << " was not there";
    }
    for (const Problem& problem : update.problems.gone) {
      EXPECT_EQ(problems_.erase(problem), 1U) << problem.message << " was not there";
    }
    for (const Problem& problem : update.problems.appeared) {
      EXPECT_TRUE(problems_.insert(problem).second) << problem.message << " was there";
    }
  }

  [[nodiscard]] bool equals(const Compiled& compiled) const {
    return std::equal(resources_.begin(), resources_.end(), compiled.resources.begin(),
                      compiled.resources.end(),
                      [](const auto& a, const auto& b) {
                        return a.first == b.first &&
                               a.second->SerializeAsString() == b.second->SerializeAsString();
                      }) &&
           std::equal(problems_.begin(), problems_.end(), compiled.problems.begin(),
                      compiled.problems.end());
  }

 private:
  std::map<model::ResourceKey, model::ResourcePtr> resources_;
  std::set<Problem> problems_;
};

class Cluster {
 public:
  Cluster(RandomObjects& objects, const Options& options) : objects_(objects), compiler_(options) {}

  void change_something() {
    const kube::Kind kind = objects_.kind();
    // A Secret that has gone leaves what it was, and that is history: none goes here.
    const bool may_go = kind != kube::Kind::kSecret && kind != kube::Kind::kNamedSecret;
    if (may_go && objects_.one_in(40)) {
      std::map<kube::ObjectName, kube::Object> listed;
      for (int i = objects_.below(8); i > 0; --i) {
        const kube::Object object = objects_.object(kind);
        listed.emplace(kube::metadata_of(object).name, object);
      }
      std::vector<kube::Object> objects;
      objects.reserve(listed.size());
      for (const auto& [name, object] : listed) objects.push_back(object);
      change_.merge(builder_.replace(kind, objects));
    } else if (kind == kube::Kind::kIngress && objects_.one_in(4)) {
      make_older();
    } else if (may_go && objects_.one_in(3)) {
      change_.merge(builder_.remove(kind, objects_.name(kind)));
    } else {
      change_.merge(builder_.upsert(objects_.object(kind)));
    }
  }

  Update compile_changes() {
    return compiler_.update(builder_.world(), std::exchange(change_, {}));
  }
  [[nodiscard]] const World& world() const { return builder_.world(); }
  [[nodiscard]] const IncrementalCompiler& compiler() const { return compiler_; }

 private:
  /// An Ingress that was restored from a backup, say: the same in all but its age.
  void make_older() {
    const auto found = world().ingresses.lower_bound(objects_.name(kube::Kind::kIngress));
    if (found == world().ingresses.end()) return;
    auto older = std::make_shared<kube::Ingress>(*found->second);
    older->metadata.creation_timestamp = "2025-01-01T00:00:00Z";
    change_.merge(builder_.upsert(std::shared_ptr<const kube::Ingress>(older)));
  }

  RandomObjects& objects_;
  WorldBuilder builder_;
  Change change_;
  IncrementalCompiler compiler_;
};

/// What the steps of a run have seen, so that a generator that makes nothing is found out.
struct Seen {
  std::size_t resources = 0;
  std::size_t problems = 0;
  std::size_t transactions = 0;
  /// Routes that a full host had no room for.
  std::size_t left_out = 0;
};

Seen run(RandomObjects& objects, int steps, const Options& options = {}) {
  Seen seen;
  Cluster cluster(objects, options);
  Follower follower;
  for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
    for (int i = 1 + objects.below(3); i > 0; --i) cluster.change_something();
    const Update update = cluster.compile_changes();
    follower.apply(update);
    const Compiled fresh = compile(cluster.world(), options);
    EXPECT_TRUE(follower.equals(fresh)) << "step " << step;
    const auto held = cluster.compiler().resources();
    EXPECT_TRUE(std::equal(
        held.begin(), held.end(), fresh.resources.begin(), fresh.resources.end(),
        [](const auto& a, const auto& b) { return a->version() == b.second->version(); }))
        << "step " << step;
    EXPECT_TRUE(cluster.compiler().problems() == fresh.problems) << "step " << step;
    for (const auto& [key, resource] : fresh.resources) {
      const model::ResourcePtr found = cluster.compiler().find(key);
      EXPECT_TRUE(found != nullptr && found->version() == resource->version());
    }
    seen.resources = std::max(seen.resources, held.size());
    seen.problems = std::max(seen.problems, fresh.problems.size());
    if (!update.transaction.upserts.empty()) ++seen.transactions;
    for (const Problem& problem : update.problems.appeared) {
      if (problem.message.find("fit into 1 MiB") != std::string::npos) ++seen.left_out;
    }
  }
  return seen;
}

class AnySeriesOfChanges : public testing::TestWithParam<unsigned> {};

TEST_P(AnySeriesOfChanges, EndsWhereAFreshCompilationDoes) {
  RandomObjects objects(GetParam());
  const Seen seen =
      run(objects, 2500, {.defaults_config_map = kube::ObjectName{"infra", "defaults0"}});
  EXPECT_GT(seen.resources, 10U);
  EXPECT_GT(seen.problems, 10U);
  EXPECT_GT(seen.transactions, 600U);
}

TEST_P(AnySeriesOfChanges, AlsoWithFlags) {
  RandomObjects objects(GetParam());
  const Options options{.watch_without_class = true,
                        .default_backend = *parse_default_backend("default/s0:ws"),
                        .defaults_config_map = kube::ObjectName{"infra", "defaults0"},
                        .default_certificate = kube::ObjectName{"default", "c0"},

                        .allow_external_name = true};
  EXPECT_GT(run(objects, 600, options).transactions, 150U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnySeriesOfChanges, testing::Values(1U, 2U, 3U, 4U));

TEST(FullHosts, EndWhereAFreshCompilationDoes) {
  RandomObjects objects(1);
  objects.huge_per_cent = 80;
  EXPECT_GT(run(objects, 80).left_out, 0U);
}

}  // namespace
}  // namespace holdfast::controller
