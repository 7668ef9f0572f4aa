// Goal: what is published was compiled with the ConfigMaps that apply, at the start and when a
// class comes to name another, unless nobody answers. Method: objects by hand, on a fake clock.

#include <gtest/gtest.h>

#include "controller/reconciler.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

using kube::Kind;

class ReconcilerWantedTest : public testing::Test {
 protected:
  static kube::Scope config_map_scope(const std::string& name) {
    return {Kind::kConfigMap, kube::ObjectName{"infra", name}};
  }
  static kube::Object config_map(const std::string& name, const std::string& idle_timeout) {
    auto object = std::make_shared<kube::ConfigMap>();
    object->metadata.name = {"infra", name};
    object->data["idle-timeout"] = idle_timeout;
    return std::shared_ptr<const kube::ConfigMap>(std::move(object));
  }
  static kube::Object class_naming(const std::string& config_map,
                                   const std::string& controller = "holdfast.dev/ingress") {
    auto object = std::make_shared<kube::IngressClass>();
    object->metadata.name.name = "holdfast";
    object->controller = controller;
    if (!config_map.empty()) {
      object->parameters = {.api_group = "",
                            .kind = "ConfigMap",
                            .name = config_map,
                            .scope = "Namespace",
                            .namespace_name = "infra"};
    }
    return std::shared_ptr<const kube::IngressClass>(std::move(object));
  }
  static kube::Object ingress() {
    auto object = std::make_shared<kube::Ingress>();
    object->metadata.name = {"default", "web"};
    object->ingress_class_name = "holdfast";
    object->rules.push_back(rule("a.test", "/", "web"));
    return std::shared_ptr<const kube::Ingress>(std::move(object));
  }

  void make(Options options = {}) {
    reconciler_ = std::make_unique<Reconciler>(
        std::move(options), std::set<kube::Scope>{Kind::kIngress, Kind::kIngressClass}, clock_,
        log_, [this](const model::Transaction& transaction) {
          ++published_;
          for (const auto& resource : transaction.upserts) {
            if (!resource->has_virtual_host()) continue;
            const auto& policy = resource->virtual_host().policies(0);
            idle_timeouts_.push_back(policy.idle_timeout().seconds());
          }
        });
  }
  void list(std::vector<kube::Object> classes) {
    reconciler_->replace(Kind::kIngress, {ingress()});
    reconciler_->replace(Kind::kIngressClass, std::move(classes));
  }
  void answer(const std::string& name, std::vector<kube::Object> objects) {
    reconciler_->replace(config_map_scope(name), std::move(objects));
  }
  /// Runs whatever is due within `duration`, when it is due.
  void pass(base::Duration duration) {
    const base::Instant end = clock_.now() + duration;
    for (auto due = reconciler_->deadline(); due && *due <= end; due = reconciler_->deadline()) {
      clock_.advance(std::max(*due - clock_.now(), base::Duration{0}));
      reconciler_->run_due();
    }
    clock_.advance(end - clock_.now());
    reconciler_->run_due();
  }
  void settle() { pass(kDebounceMaximum); }
  std::vector<std::int64_t> taken() { return std::exchange(idle_timeouts_, {}); }
  [[nodiscard]] std::set<kube::Scope> wanted() const { return reconciler_->wanted(); }
  [[nodiscard]] std::string problems() const {
    std::string text;
    for (const Problem& problem : reconciler_->problems()) {
      text += problem.kind + " " + problem.object.name + ": " + problem.message + "\n";
    }
    return text;
  }
  [[nodiscard]] bool has_problem(const std::string& part) const {
    return problems().find(part) != std::string::npos;
  }
  /// With a class that names "a", which says 2h.
  void start() {
    make();
    list({class_naming("a")});
    answer("a", {config_map("a", "2h")});
    settle();
    ASSERT_EQ(taken(), std::vector<std::int64_t>{7200});
  }

  base::FakeClock clock_;
  base::LineSink sink_;
  base::Log log_{sink_, clock_};
  int published_ = 0;
  /// Seconds, of the routes of each virtual host that was published.
  std::vector<std::int64_t> idle_timeouts_;
  std::unique_ptr<Reconciler> reconciler_;
};

TEST_F(ReconcilerWantedTest, NothingBeforeTheAnswerAboutWhatTheClassNames) {
  make();
  list({class_naming("a")});
  EXPECT_EQ(wanted(), std::set{config_map_scope("a")});
  pass(kWantedPatience / 2);
  EXPECT_EQ(published_, 0);
  answer("a", {config_map("a", "2h")});
  settle();
  EXPECT_EQ(published_, 1);
  EXPECT_EQ(taken(), std::vector<std::int64_t>{7200});
}

TEST_F(ReconcilerWantedTest, NothingBeforeTheAnswerAboutASecretThatAnIngressNames) {
  make();
  auto asking =
      std::make_shared<kube::Ingress>(*std::get<std::shared_ptr<const kube::Ingress>>(ingress()));
  asking->metadata.annotations["holdfast.dev/client-ca-secret"] = "roots";
  const kube::Scope roots{Kind::kNamedSecret, kube::ObjectName{"default", "roots"}};
  reconciler_->replace(Kind::kIngress, {std::shared_ptr<const kube::Ingress>(asking)});
  reconciler_->replace(Kind::kIngressClass, {});
  settle();
  EXPECT_EQ(wanted(), std::set{roots});
  EXPECT_EQ(published_, 0);
  EXPECT_EQ(sink_.count("roots"), 0U) << "it is not missing yet";
  reconciler_->replace(roots, {});
  settle();
  EXPECT_EQ(published_, 1);
  EXPECT_TRUE(has_problem("there is no Secret \"roots\""));
  EXPECT_GT(sink_.count("roots"), 0U);
  // Nobody names it any more, and nobody is told of it any more.
  reconciler_->upsert(ingress());
  settle();
  EXPECT_TRUE(wanted().empty());
  EXPECT_FALSE(has_problem("roots"));
}

TEST_F(ReconcilerWantedTest, WhoDoesNotAnswerAboutASecretHoldsNobodyUp) {
  make();
  auto asking =
      std::make_shared<kube::Ingress>(*std::get<std::shared_ptr<const kube::Ingress>>(ingress()));
  asking->metadata.annotations["holdfast.dev/upstream-tls-secret"] = "roots";
  reconciler_->replace(Kind::kIngress, {std::shared_ptr<const kube::Ingress>(asking)});
  reconciler_->replace(Kind::kIngressClass, {});
  settle();
  EXPECT_EQ(published_, 0);
  pass(kWantedPatience);
  settle();
  EXPECT_EQ(published_, 1);
}

TEST_F(ReconcilerWantedTest, ThatThereIsNoneIsAnAnswer) {
  make();
  list({class_naming("a")});
  answer("a", {});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{3600});
  EXPECT_TRUE(has_problem("IngressClass holdfast: ConfigMap \"infra/a\" does not exist"));
}

TEST_F(ReconcilerWantedTest, TheGlobalOneIsWantedFromTheBeginning) {
  make({.defaults_config_map = kube::ObjectName{"infra", "global"}});
  EXPECT_EQ(wanted(), std::set{config_map_scope("global")});
  // The API server is away for long; that says nothing of the ConfigMap.
  pass(std::chrono::hours(1));
  list({});
  pass(kWantedPatience / 2);
  EXPECT_EQ(published_, 0);
  answer("global", {config_map("global", "3h")});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{10800});
}

TEST_F(ReconcilerWantedTest, WhatMayNotBeReadBlocksForItsPatienceAlone) {
  make({.defaults_config_map = kube::ObjectName{"infra", "global"}});
  list({class_naming("a")});
  for (const char* name : {"a", "global"}) {
    reconciler_->report_unreadable("ConfigMap", {"infra", name}, "HTTP 403");
  }
  pass(kWantedPatience - kDebounceMaximum);
  EXPECT_EQ(published_, 0);
  pass(kDebounceMaximum);
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{3600});
  EXPECT_EQ(published_, 1);
  EXPECT_TRUE(has_problem("IngressClass holdfast: ConfigMap \"infra/a\""));
  EXPECT_TRUE(has_problem("ConfigMap global: --defaults-configmap names it"));
  EXPECT_TRUE(has_problem("ConfigMap a: it cannot be read (HTTP 403)"));
  EXPECT_EQ(sink_.count("going on without it"), 2U);
  // It is wanted all the same.
  EXPECT_TRUE(wanted().contains(config_map_scope("a")));
  answer("a", {config_map("a", "2h")});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{7200});
}

TEST_F(ReconcilerWantedTest, AClassThatNamesAnotherCountsAsBeforeUntilTheAnswer) {
  start();
  reconciler_->upsert(class_naming("b"));
  EXPECT_EQ(wanted(), (std::set{config_map_scope("a"), config_map_scope("b")}));
  // Everything else goes on, also what the old one says.
  reconciler_->upsert(config_map("a", "4h"));
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{14400});
  reconciler_->replace(Kind::kIngressClass, {class_naming("b")});
  settle();
  EXPECT_TRUE(taken().empty());
  answer("b", {config_map("b", "5h")});
  EXPECT_EQ(wanted(), std::set{config_map_scope("b")});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{18000});
}

TEST_F(ReconcilerWantedTest, AClassWaitsForItsPatienceAlone) {
  start();
  reconciler_->upsert(class_naming("b"));
  pass(kWantedPatience - base::Duration{1});
  EXPECT_TRUE(taken().empty());
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{3600});
  EXPECT_EQ(wanted(), std::set{config_map_scope("b")});
}

TEST_F(ReconcilerWantedTest, AClassThatGoesBackIsInForceAtOnce) {
  start();
  reconciler_->upsert(class_naming("b"));
  reconciler_->upsert(class_naming("a"));
  EXPECT_EQ(wanted(), std::set{config_map_scope("a")});
  answer("a", {config_map("a", "2h")});
  pass(2 * kWantedPatience);
  EXPECT_TRUE(taken().empty());
}

TEST_F(ReconcilerWantedTest, WhatIsNoLongerWantedIsForgotten) {
  start();
  reconciler_->report_unreadable("ConfigMap", {"infra", "a"}, "HTTP 403");
  reconciler_->upsert(class_naming(""));
  EXPECT_TRUE(wanted().empty());
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{3600});
  EXPECT_FALSE(has_problem("HTTP 403"));
  // Wanted again, its answer is waited for again.
  reconciler_->upsert(class_naming("a"));
  settle();
  EXPECT_TRUE(taken().empty());
  answer("a", {config_map("a", "6h")});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{21600});
  reconciler_->remove(Kind::kIngressClass, {"", "holdfast"});
  EXPECT_TRUE(wanted().empty());
}

TEST_F(ReconcilerWantedTest, WhatWasNeverReadIsForgottenToo) {
  start();
  reconciler_->upsert(class_naming("forbidden"));
  reconciler_->report_unreadable("ConfigMap", {"infra", "forbidden"}, "HTTP 403");
  EXPECT_TRUE(has_problem("HTTP 403"));
  reconciler_->upsert(class_naming("a"));
  EXPECT_FALSE(has_problem("HTTP 403"));
}

TEST_F(ReconcilerWantedTest, ADeletedOneNoLongerAppliesAndAnUnreadableOneDoes) {
  start();
  reconciler_->report_unreadable("ConfigMap", {"infra", "a"}, "data: not a map");
  settle();
  EXPECT_TRUE(taken().empty());
  reconciler_->remove(Kind::kConfigMap, {"infra", "a"});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{3600});
}

TEST_F(ReconcilerWantedTest, AListOfAllIsAnAnswerAboutEach) {
  make({.defaults_config_map = kube::ObjectName{"infra", "global"}});
  reconciler_->replace(Kind::kConfigMap, {config_map("a", "2h"), config_map("b", "5h")});
  list({class_naming("a")});
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{7200});
  reconciler_->upsert(class_naming("b"));
  reconciler_->upsert(class_naming("a"));
  reconciler_->upsert(class_naming("b"));
  settle();
  EXPECT_EQ(taken(), std::vector<std::int64_t>{18000});
}

TEST_F(ReconcilerWantedTest, AnotherControllersClassWantsNothing) {
  make();
  list({class_naming("a", "example.com/other")});
  EXPECT_TRUE(wanted().empty());
}

}  // namespace
}  // namespace holdfast::controller
