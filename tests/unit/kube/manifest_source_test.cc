#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "kube/source.h"
#include "tests/unit/kube/recording.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::kube {
namespace {

using ::testing::Contains;

std::string service(const std::string& name) {
  return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\n";
}

class ManifestSourceTest : public testing::Test {
 protected:
  void start(const std::string& path) {
    auto made = make_manifest_source(context, path, recording.sink, recording.log);
    ASSERT_TRUE(made.ok()) << made.status();
    source = *std::move(made);
    source->start();
  }
  /// Runs until the sink has been told something that contains `text`.
  void expect(const std::string& text) {
    const auto told = [&] {
      for (const std::string& call : recording.sink.calls) {
        if (call.find(text) != std::string::npos) return true;
      }
      return false;
    };
    const base::SystemClock clock;
    const base::Instant deadline = clock.now() + std::chrono::seconds(10);
    while (!told()) {
      context.run_one_for(std::chrono::seconds(1));
      ASSERT_LT(clock.now(), deadline)
          << "not told: " << text << "; told: " << ::testing::PrintToString(recording.sink.calls);
    }
    recording.sink.take();
  }
  double metric(const std::string& name) {
    std::vector<base::MetricFamily> families;
    source->collect(families);
    for (const auto& family : families) {
      if (family.name == name) return family.samples.at(0).value;
    }
    return -1;
  }

  TemporaryFolder folder;
  Recording recording;
  boost::asio::io_context context;
  std::unique_ptr<Source> source;
};

TEST_F(ManifestSourceTest, ReadsEverythingBeforeStartReturns) {
  folder.write("a.yaml", service("a"));
  folder.write("b.yml", service("b"));
  folder.write("c.json", R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"c"}})");
  folder.write("notes.txt", "kind: [");
  folder.write(".hidden.yaml", "kind: [");
  std::filesystem::create_directory(folder.path("below.yaml"));
  start(folder.path(""));
  EXPECT_EQ(recording.sink.calls.size(), 9u);
  EXPECT_THAT(recording.sink.calls, Contains("replace Service: default/a default/b default/c"));
  EXPECT_THAT(recording.sink.calls, Contains("unreadable Manifest below.yaml: not a file"));
  EXPECT_EQ(metric("holdfast_manifest_files"), 4);
  EXPECT_EQ(metric("holdfast_manifest_unreadable_files"), 1);
}

TEST_F(ManifestSourceTest, FollowsWritesRenamesAndRemovals) {
  folder.write("a.yaml", service("a"));
  start(folder.path(""));
  folder.write("b.yaml", service("b"));
  expect("replace Service: default/a default/b");
  folder.write("new", service("c"));
  std::filesystem::rename(folder.path("new"), folder.path("b.yaml"));
  expect("replace Service: default/a default/c");
  folder.write("a.yaml", "kind: [");
  expect("unreadable Manifest a.yaml");
  folder.write("a.yaml", service("d"));
  expect("replace Service: default/c default/d");
  std::filesystem::remove(folder.path("b.yaml"));
  expect("replace Service: default/d");
}

TEST_F(ManifestSourceTest, FollowsTheSwappedLinksOfAMountedConfigMap) {
  const auto version = [&](const std::string& name, const std::string& content) {
    std::filesystem::create_directory(folder.path(name));
    folder.write(name + "/a.yaml", content);
  };
  version("..1", service("one"));
  version("..2", service("two"));
  std::filesystem::create_symlink("..1", folder.path("..data"));
  std::filesystem::create_symlink("..data/a.yaml", folder.path("a.yaml"));
  start(folder.path(""));
  EXPECT_THAT(recording.sink.take(), Contains("replace Service: default/one"));
  std::filesystem::create_symlink("..2", folder.path("..tmp"));
  std::filesystem::rename(folder.path("..tmp"), folder.path("..data"));
  expect("replace Service: default/two");
}

TEST_F(ManifestSourceTest, OutlivesItsFolder) {
  const std::string path = folder.path("manifests");
  std::filesystem::create_directory(path);
  folder.write("manifests/a.yaml", service("a"));
  start(path + "/");
  recording.sink.take();
  std::filesystem::rename(path, folder.path("away"));
  expect("unreadable Manifest .: the folder cannot be read");
  EXPECT_EQ(metric("holdfast_manifest_unreadable_files"), 1);
  std::filesystem::create_directory(folder.path("fresh"));
  folder.write("fresh/a.yaml", service("b"));
  std::filesystem::rename(folder.path("fresh"), path);
  expect("replace Service: default/b");
  folder.write("manifests/a.yaml", service("c"));
  expect("replace Service: default/c");
}

TEST_F(ManifestSourceTest, FollowsALinkToAFolder) {
  for (const char* name : {"one", "two"}) {
    std::filesystem::create_directory(folder.path(name));
    folder.write(std::string(name) + "/a.yaml", service(name));
  }
  std::filesystem::create_symlink("one", folder.path("current"));
  start(folder.path("current"));
  EXPECT_THAT(recording.sink.take(), Contains("replace Service: default/one"));
  std::filesystem::create_symlink("two", folder.path("next"));
  std::filesystem::rename(folder.path("next"), folder.path("current"));
  expect("replace Service: default/two");
}

TEST_F(ManifestSourceTest, SaysNothingAfterStop) {
  start(folder.path(""));
  recording.sink.take();
  folder.write("a.yaml", service("a"));
  source->stop();
  context.run();
  EXPECT_TRUE(recording.sink.calls.empty());
}

TEST_F(ManifestSourceTest, WantsAFolder) {
  folder.write("file", "");
  for (const char* name : {"absent", "file"}) {
    EXPECT_FALSE(
        make_manifest_source(context, folder.path(name), recording.sink, recording.log).ok());
  }
}

}  // namespace
}  // namespace holdfast::kube
