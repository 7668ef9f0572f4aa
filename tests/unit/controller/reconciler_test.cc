// Goal: changes become few transactions, soon; nothing before the first full lists; an endpoint
// change travels alone; problems appear and go. Method: objects by hand, on a fake clock.

#include "controller/reconciler.h"

#include <gtest/gtest.h>

#include "tests/support/certificates.h"
#include "tests/support/fake_clock.h"
#include "tests/support/line_sink.h"
#include "tests/unit/controller/objects.h"

namespace holdfast::controller {
namespace {

namespace v1 = model::v1;
using kube::Kind;

class ReconcilerTest : public testing::Test {
 protected:
  template <class T>
  static std::shared_ptr<T> named(const std::string& name, int version) {
    auto object = std::make_shared<T>();
    object->metadata.name = {"default", name};
    object->metadata.uid = name;
    object->metadata.resource_version = std::to_string(version);
    return object;
  }
  static kube::Object service(int version = 1) {
    auto object = named<kube::Service>("web", version);
    object->ports.push_back(service_port("http", 80));
    return object;
  }
  static kube::Object slice(const std::string& address, int version = 1) {
    auto object = named<kube::EndpointSlice>("web-1", version);
    object->service_name = "web";
    object->address_type = "IPv4";
    object->endpoints.push_back(endpoint_at(address));
    object->ports.push_back(endpoint_port("http", 8080));
    return object;
  }
  static kube::Object ingress(const std::string& path, int version = 1,
                              const std::string& idle_timeout = "1h") {
    auto object = named<kube::Ingress>("web", version);
    object->ingress_class_name = "holdfast";
    object->metadata.annotations["holdfast.dev/idle-timeout"] = idle_timeout;
    object->rules.push_back(rule("a.test", path, "web"));
    return object;
  }

  void fill() {
    reconciler_.replace(Kind::kIngressClass, {});
    reconciler_.replace(Kind::kService, {service()});
    reconciler_.replace(Kind::kEndpointSlice, {slice("10.0.0.1")});
    reconciler_.replace(Kind::kIngress, {ingress("/")});
  }
  void start() {
    fill();
    settle();
    ASSERT_EQ(published_.size(), 1U);
    published_.clear();
  }
  /// Lets the debounce delay pass.
  void settle() { pass(kDebounceDelay); }
  void pass(base::Duration duration) {
    clock_.advance(duration);
    reconciler_.run_due();
  }
  static std::vector<v1::Kind> kinds(const model::Transaction& transaction) {
    std::vector<v1::Kind> kinds;
    for (const auto& resource : transaction.upserts) kinds.push_back(model::key_of(*resource).kind);
    return kinds;
  }

  base::FakeClock clock_;
  base::LineSink sink_;
  base::Log log_{sink_, clock_};
  std::vector<model::Transaction> published_;
  Reconciler reconciler_{
      Options{},
      {Kind::kIngress, Kind::kIngressClass, Kind::kService, Kind::kEndpointSlice},
      clock_,
      log_,
      [this](model::Transaction transaction) { published_.push_back(std::move(transaction)); }};
};

TEST_F(ReconcilerTest, NothingBeforeEveryFirstList) {
  reconciler_.replace(Kind::kIngressClass, {});
  reconciler_.replace(Kind::kService, {service()});
  reconciler_.replace(Kind::kIngress, {ingress("/")});
  EXPECT_FALSE(reconciler_.deadline().has_value());
  pass(std::chrono::hours(1));
  EXPECT_TRUE(published_.empty());
  reconciler_.replace(Kind::kEndpointSlice, {slice("10.0.0.1")});
  settle();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_EQ(published_[0].upserts.size(), 3U);
}

TEST_F(ReconcilerTest, EachNamespacesListIsAwaited) {
  int published = 0;
  Reconciler reconciler(Options{},
                        {kube::Scope(Kind::kService, "a"), kube::Scope(Kind::kService, "b")},
                        clock_, log_, [&](const model::Transaction&) { ++published; });
  reconciler.replace(kube::Scope(Kind::kService, "a"), {});
  EXPECT_FALSE(reconciler.deadline().has_value());
  // A list of all namespaces is none of those.
  reconciler.replace(Kind::kService, {});
  EXPECT_FALSE(reconciler.deadline().has_value());
  reconciler.replace(kube::Scope(Kind::kService, "b"), {});
  clock_.advance(kDebounceDelay);
  reconciler.run_due();
  EXPECT_EQ(published, 1);
}

TEST_F(ReconcilerTest, AnEmptyClusterIsPublishedToo) {
  for (const Kind kind :
       {Kind::kIngress, Kind::kIngressClass, Kind::kService, Kind::kEndpointSlice}) {
    reconciler_.replace(kind, {});
  }
  settle();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_TRUE(published_[0].upserts.empty());
}

TEST_F(ReconcilerTest, ABurstIsOneTransaction) {
  start();
  for (int i = 2; i < 12; ++i) {
    reconciler_.upsert(ingress("/" + std::to_string(i), i));
    pass(kDebounceDelay / 10);
  }
  EXPECT_TRUE(published_.empty());
  settle();
  ASSERT_EQ(published_.size(), 1U);
  ASSERT_EQ(published_[0].upserts.size(), 1U);
  EXPECT_EQ(published_[0].upserts[0]->virtual_host().routes(0).path().prefix(), "/11");
}

TEST_F(ReconcilerTest, ASteadyTrickleIsPublishedWithinTheMaximum) {
  start();
  const base::Instant begun = clock_.now();
  for (int i = 2; published_.empty(); ++i) {
    ASSERT_LE(clock_.now() - begun, kDebounceMaximum);
    reconciler_.upsert(ingress("/" + std::to_string(i), i));
    pass(kDebounceDelay / 2);
  }
}

TEST_F(ReconcilerTest, AnEndpointChangeTravelsAlone) {
  start();
  reconciler_.upsert(slice("10.0.0.2", 2));
  settle();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_EQ(kinds(published_[0]), std::vector<v1::Kind>{v1::KIND_ENDPOINT_SET});
  EXPECT_EQ(published_[0].upserts[0]->endpoint_set().endpoints(0).address(), "10.0.0.2");
}

TEST_F(ReconcilerTest, ADeletedSliceLeavesAnEmptySet) {
  start();
  reconciler_.remove(Kind::kEndpointSlice, {"default", "web-1"});
  settle();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_EQ(published_[0].upserts[0]->endpoint_set().endpoints_size(), 0);
  EXPECT_TRUE(published_[0].removals.empty());
}

TEST_F(ReconcilerTest, DeletedAndCreatedAgainInOneBreathIsNothing) {
  start();
  reconciler_.remove(Kind::kIngress, {"default", "web"});
  reconciler_.upsert(ingress("/", 2));
  reconciler_.remove(Kind::kEndpointSlice, {"default", "web-1"});
  reconciler_.upsert(slice("10.0.0.1", 2));
  settle();
  EXPECT_TRUE(published_.empty());
}

TEST_F(ReconcilerTest, AFullListThatChangesNothingIsNothing) {
  start();
  fill();
  EXPECT_FALSE(reconciler_.deadline().has_value());
}

TEST_F(ReconcilerTest, ARemovedIngressRemovesWhatItMade) {
  start();
  reconciler_.remove(Kind::kIngress, {"default", "web"});
  settle();
  ASSERT_EQ(published_.size(), 1U);
  EXPECT_TRUE(published_[0].upserts.empty());
  EXPECT_EQ(published_[0].removals.size(), 3U);
}

TEST_F(ReconcilerTest, AProblemIsToldOnceAndItsEndOnce) {
  start();
  for (int i = 2; i < 5; ++i) {
    reconciler_.upsert(ingress("/" + std::to_string(i), i, "soon"));
    settle();
  }
  ASSERT_EQ(reconciler_.problems().size(), 1U);
  EXPECT_EQ(reconciler_.problems()[0].field, "metadata.annotations[\"holdfast.dev/idle-timeout\"]");
  EXPECT_EQ(sink_.count("\"level\":\"warn\""), 1U);
  reconciler_.upsert(ingress("/", 9));
  settle();
  EXPECT_TRUE(reconciler_.problems().empty());
  EXPECT_EQ(sink_.count("problem gone"), 1U);
}

TEST_F(ReconcilerTest, AnUnreadableObjectIsAProblemUntilItReadsWell) {
  start();
  reconciler_.report_unreadable("Ingress", {"default", "web"}, "spec.rules: not a list");
  ASSERT_EQ(reconciler_.problems().size(), 1U);
  EXPECT_NE(reconciler_.problems()[0].message.find("not a list"), std::string::npos);
  reconciler_.report_unreadable("Ingress", {"default", "web"}, "");
  EXPECT_TRUE(reconciler_.problems().empty());
}

TEST_F(ReconcilerTest, ARefusalIsToldOnItsOriginUntilTheResourceChanges) {
  start();
  const model::ResourceKey host{v1::KIND_VIRTUAL_HOST, "a.test"};
  reconciler_.report_refusal({host, "too odd"});
  reconciler_.report_refusal({host, "too odd"});
  ASSERT_EQ(reconciler_.problems().size(), 1U);
  EXPECT_EQ(reconciler_.problems()[0].kind, "Ingress");
  EXPECT_EQ(reconciler_.problems()[0].object, (kube::ObjectName{"default", "web"}));
  reconciler_.upsert(ingress("/other", 2));
  settle();
  EXPECT_TRUE(reconciler_.problems().empty());
}

TEST_F(ReconcilerTest, ARefusalOfACertificateIsToldOnItsSecret) {
  tls::TestAuthority authority("Test Authority");
  auto secret = std::make_shared<kube::Secret>();
  secret->metadata.name = {"default", "web"};
  const tls::CertificateText text = authority.issue({.name = "a", .alternatives = "DNS:a.test"});
  secret->chain = text.chain;
  secret->private_key = text.key;
  auto secured = std::make_shared<kube::Ingress>(
      *std::get<std::shared_ptr<const kube::Ingress>>(ingress("/", 1)));
  secured->tls = {{.hosts = {"a.test"}, .secret_name = "web"}};
  start();
  reconciler_.upsert(std::shared_ptr<const kube::Secret>(secret));
  reconciler_.upsert(std::shared_ptr<const kube::Ingress>(secured));
  settle();
  ASSERT_TRUE(reconciler_.problems().empty());
  reconciler_.report_refusal({{v1::KIND_CERTIFICATE, "default/web"}, "too odd"});
  reconciler_.report_refusal({{v1::KIND_SERVER_NAME, "a.test"}, "too odd"});
  ASSERT_EQ(reconciler_.problems().size(), 2U);
  EXPECT_EQ(reconciler_.problems()[0].kind, "Ingress");
  EXPECT_EQ(reconciler_.problems()[1].kind, "Secret");
}

}  // namespace
}  // namespace holdfast::controller
