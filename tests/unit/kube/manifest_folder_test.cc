#include "kube/manifest_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kube/recording.h"

namespace holdfast::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string service(const std::string& name, const std::string& port = "80") {
  return "---\napiVersion: v1\nkind: Service\nmetadata: {name: " + name +
         "}\nspec: {ports: [{port: " + port + "}]}\n";
}

class ManifestFolderTest : public testing::Test {
 protected:
  void start() {
    folder.publish();
    recording.sink.take();
  }
  std::vector<std::string> set(const std::string& name, const std::string& content) {
    folder.set_file(name, content);
    folder.publish();
    return recording.sink.take();
  }

  Recording recording;
  ManifestFolder folder{recording.sink, recording.log};
};

TEST_F(ManifestFolderTest, ReplacesEveryKindAtFirstThenOnlyWhatChanged) {
  folder.set_file("a.yaml", service("web"));
  folder.publish();
  EXPECT_THAT(
      recording.sink.take(),
      ElementsAre("replace ConfigMap:", "replace Secret:", "replace Secret:", "replace Ingress:",
                  "replace IngressClass:", "replace Service: default/web",
                  "replace EndpointSlice:", "replace Endpoints:"));
  EXPECT_THAT(set("a.yaml", "# the same\n" + service("web")), IsEmpty());
  EXPECT_THAT(set("a.yaml", service("web", "81")), ElementsAre("replace Service: default/web"));
}

TEST_F(ManifestFolderTest, OfSecretsThatHoldACertificateAllAreToldOfAndOthersByName) {
  start();
  const auto secret = [](const std::string& name, const std::string& type) {
    return "apiVersion: v1\nkind: Secret\nmetadata: {name: " + name + "}\ntype: " + type +
           "\n---\n";
  };
  EXPECT_THAT(
      set("a.yaml", secret("own", "kubernetes.io/tls") + secret("roots", "Opaque")),
      ElementsAre("replace Secret: default/own default/roots", "replace Secret: default/own"));
}

TEST_F(ManifestFolderTest, ReadsListsAndJson) {
  start();
  EXPECT_THAT(set("a.json", R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"v1","kind":"Service","metadata":{"name":"a","namespace":"n"}},
    {"apiVersion":"networking.k8s.io/v1","kind":"IngressClass","metadata":{"name":"c"}}]})"),
              ElementsAre("replace IngressClass: c", "replace Service: n/a"));
  EXPECT_THAT(set("b.yaml", "apiVersion: v1\nkind: ServiceList\nitems: [{metadata: {name: x}}]\n"),
              ElementsAre("replace Service: default/x n/a"));
}

TEST_F(ManifestFolderTest, KeepsTheLastGoodContentOfAFileThatDoesNotParse) {
  start();
  set("a.yaml", service("web") + service("chat"));
  std::vector<std::string> calls = set("a.yaml", service("web") + "---\nkind: [\n");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_THAT(calls[0], HasSubstr("unreadable Manifest a.yaml: not YAML: line "));
  EXPECT_EQ(folder.unreadable_files(), 1u);
  EXPECT_THAT(set("b.yaml", service("other")),
              ElementsAre("replace Service: default/chat default/other default/web"));
  EXPECT_THAT(set("a.yaml", service("web")),
              ElementsAre("fine Manifest a.yaml", "replace Service: default/other default/web"));
  EXPECT_EQ(folder.unreadable_files(), 0u);
}

TEST_F(ManifestFolderTest, TakesAnEmptyFileForOneThatIsBeingWritten) {
  start();
  set("a.yaml", service("web"));
  EXPECT_THAT(set("a.yaml", "\n"),
              ElementsAre("unreadable Manifest a.yaml: the file is empty; remove it to remove its "
                          "objects"));
  folder.remove_file("a.yaml");
  folder.publish();
  EXPECT_THAT(recording.sink.take(), ElementsAre("fine Manifest a.yaml", "replace Service:"));
}

TEST_F(ManifestFolderTest, KeepsTheLastGoodStateOfAnObjectThatCannotBeRead) {
  start();
  set("a.yaml", service("web") + service("chat"));
  EXPECT_THAT(
      set("a.yaml", service("web", "'80'") + service("chat", "81")),
      ElementsAre("unreadable Service default/web: spec.ports[0].port: expected an integer, "
                  "found a string (in a.yaml)",
                  "replace Service: default/chat default/web"));
  EXPECT_THAT(set("a.yaml", service("web", "82") + service("chat", "81")),
              ElementsAre("fine Service default/web", "replace Service: default/chat default/web"));
}

TEST_F(ManifestFolderTest, LetsTheFirstFileWinAndReportsTheOther) {
  start();
  set("b.yaml", service("web", "81"));
  EXPECT_THAT(set("a.yaml", service("web", "80")),
              ElementsAre("unreadable Service default/web: defined again in b.yaml; the one in "
                          "a.yaml counts",
                          "replace Service: default/web"));
  const auto first = std::get<std::shared_ptr<const Service>>(recording.sink.last_replaced.at(0));
  EXPECT_EQ(first->ports.at(0).port, 80);
  folder.remove_file("a.yaml");
  folder.publish();
  EXPECT_THAT(recording.sink.take(),
              ElementsAre("fine Service default/web", "replace Service: default/web"));
}

TEST_F(ManifestFolderTest, SkipsOtherKindsWithALine) {
  start();
  EXPECT_THAT(set("a.yaml",
                  "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n" + service("web")),
              ElementsAre("replace Service: default/web"));
  EXPECT_THAT(recording.lines.text, HasSubstr("Deployment"));
  EXPECT_THAT(
      set("b.yaml", "apiVersion: config.openshift.io/v1\nkind: Ingress\nmetadata: {name: x}\n"),
      IsEmpty());
}

TEST_F(ManifestFolderTest, ReportsWhatWasMeantForItAndCannotBeRead) {
  start();
  const auto says = [&](const std::string& head) {
    return set("a.yaml", "{" + head + ", metadata: {name: web}}\n");
  };
  EXPECT_THAT(says("apiVersion: networking.k8s.io/v1, kind: Ingres"),
              ElementsAre(HasSubstr("networking.k8s.io/v1 has no kind Ingres")));
  EXPECT_THAT(says("apiVersion: v1"), ElementsAre(HasSubstr("a document has no kind")));
  EXPECT_THAT(says("kind: Service"), ElementsAre(HasSubstr("Service: there is no apiVersion")));
  // These are somebody else's.
  EXPECT_THAT(says("apiVersion: serving.knative.dev/v1, kind: Service"),
              ElementsAre("fine Manifest a.yaml"));
  EXPECT_THAT(says("apiVersion: networking.k8s.io/v1, kind: NetworkPolicy"), IsEmpty());
}

TEST_F(ManifestFolderTest, AnObjectOfAnotherVersionIsThatObjectsProblemAlone) {
  start();
  const auto ingress = [](const std::string& version) {
    return "---\napiVersion: " + version + "\nkind: Ingress\nmetadata: {name: web}\n";
  };
  const std::string old = ingress("extensions/v1beta1");
  const std::string current = ingress("networking.k8s.io/v1");
  const auto its_problem = HasSubstr(
      "unreadable Ingress default/web: its version "
      "extensions/v1beta1 is not read, networking.k8s.io/v1 is");
  EXPECT_THAT(set("a.yaml", old + service("x") + service("y")),
              ElementsAre(its_problem, "replace Service: default/x default/y"));
  // The rest of the file goes its way.
  EXPECT_THAT(set("a.yaml", old + service("x")), ElementsAre("replace Service: default/x"));
  // It is in nobody's way who has it in a version that is read.
  EXPECT_THAT(set("b.yaml", current), ElementsAre("replace Ingress: default/web"));
  EXPECT_THAT(set("b.yaml", service("z")),
              ElementsAre("replace Ingress:", "replace Service: default/x default/z"));
  EXPECT_THAT(set("a.yaml", old + current + service("x")),
              ElementsAre("replace Ingress: default/web"));
  // Edited back, it stays what it was.
  EXPECT_THAT(set("a.yaml", old + service("x")), IsEmpty());
}

TEST_F(ManifestFolderTest, ReportsObjectsWithoutAName) {
  start();
  EXPECT_THAT(set("a.yaml", "apiVersion: v1\nkind: Service\n" + service("web")),
              ElementsAre("unreadable Manifest a.yaml: Service: metadata.name: missing",
                          "replace Service: default/web"));
  EXPECT_THAT(set("b.yaml", "just text"),
              ElementsAre("unreadable Manifest b.yaml: document 1: expected an object"));
}

TEST_F(ManifestFolderTest, ReportsFilesAndFoldersThatCannotBeRead) {
  start();
  set("a.yaml", service("web"));
  folder.set_file("a.yaml", absl::UnavailableError("cannot be opened: Permission denied"));
  folder.set_folder_problem("gone");
  folder.publish();
  EXPECT_THAT(recording.sink.take(),
              ElementsAre("unreadable Manifest .: gone",
                          "unreadable Manifest a.yaml: cannot be opened: Permission denied"));
}

}  // namespace
}  // namespace holdfast::kube
