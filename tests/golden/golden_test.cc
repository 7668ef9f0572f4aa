// Goal: what the controller makes of manifests, all of it, readable in a review. Method: each
// folder of cases/ has manifests and expected.txt, the compiled resources and problems as text, and
// may have flags.txt, a flag a line.
// GOLDEN_REWRITE=1 writes expected.txt anew; the diff is then reviewed.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "controller/compile.h"
#include "controller/defaults.h"
#include "controller/service_port.h"
#include "controller/world_sink.h"
#include "kube/source.h"
#include "tests/support/line_sink.h"

namespace holdfast::controller {
namespace {

namespace fs = std::filesystem;

std::string text_of(const Compiled& compiled) {
  std::ostringstream text;
  for (const Problem& problem : compiled.problems) {
    text << (problem.severity == Severity::kError ? "error " : "warning ") << problem.kind << " "
         << problem.object.namespace_name << "/" << problem.object.name << " " << problem.field
         << ": " << problem.message << "\n";
  }
  for (const auto& [key, resource] : compiled.resources) {
    model::v1::Resource shown = *resource;
    // A hash of the rest, which is all here.
    shown.clear_version();
    std::string body;
    google::protobuf::TextFormat::PrintToString(shown, &body);
    text << "\n" << model::to_string(key) << "\n" << body;
  }
  return text.str();
}

Options options_of(const fs::path& folder) {
  Options options;
  std::ifstream flags(folder / "flags.txt");
  for (std::string flag; std::getline(flags, flag);) {
    const std::string value = flag.substr(std::min(flag.find(' ') + 1, flag.size()));
    if (flag.starts_with("--watch-without-class")) {
      options.watch_without_class = true;
    } else if (flag.starts_with("--default-backend ")) {
      options.default_backend = *parse_default_backend(value);
    } else if (flag.starts_with("--defaults-configmap ")) {
      options.defaults_config_map = *parse_config_map_name(value);
    } else {
      ADD_FAILURE() << "no such flag: " << flag;
    }
  }
  return options;
}

std::string compile_folder(const fs::path& folder) {
  const base::SystemClock clock;
  base::LineSink lines;
  const base::Log log(lines, clock);
  boost::asio::io_context context;
  WorldSink sink;
  const auto source = kube::make_manifest_source(context, folder.string(), sink, log);
  if (!source.ok()) return std::string(source.status().message());
  (*source)->start();
  (*source)->stop();
  std::string unreadable;
  for (const Problem& problem : sink.unreadable()) {
    unreadable +=
        "unreadable " + problem.kind + " " + problem.object.name + ": " + problem.message + "\n";
  }
  return unreadable + text_of(compile(sink.world(), options_of(folder)));
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, CompilesAsExpected) {
  const fs::path folder = fs::path(GOLDEN_CASES) / GetParam();
  const fs::path expected_file = folder / "expected.txt";
  const std::string actual = compile_folder(folder);
  if (std::getenv("GOLDEN_REWRITE") != nullptr) {
    std::ofstream(expected_file) << actual;
    return;
  }
  std::ostringstream expected;
  expected << std::ifstream(expected_file).rdbuf();
  EXPECT_EQ(actual, expected.str()) << "GOLDEN_REWRITE=1 writes " << expected_file;
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(GOLDEN_CASES)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param; });

TEST(GoldenCases, AreThere) { EXPECT_GE(cases().size(), 15U); }

}  // namespace
}  // namespace holdfast::controller
