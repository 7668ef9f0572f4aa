// Goal: what the controller makes of manifests, all of it, readable in a review. Method: each
// folder of cases/ has manifests and expected.txt, the compiled resources and problems as text, and
// may have flags.txt, a flag a line, and dns.txt, a name a line with what DNS says of it.
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
#include "controller/names.h"
#include "controller/service_port.h"
#include "controller/world_sink.h"
#include "dns/external_names.h"
#include "kube/source.h"
#include "tests/support/line_sink.h"
#include "tests/support/scripted_dns.h"

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
    } else if (flag == "--allow-external-name") {
      options.allow_external_name = true;
    } else if (flag.starts_with("--default-backend ")) {
      options.default_backend = *parse_default_backend(value);
    } else if (flag.starts_with("--default-certificate ")) {
      options.default_certificate = *parse_object_name(value);
    } else if (flag.starts_with("--defaults-configmap ")) {
      options.defaults_config_map = *parse_object_name(value);
    } else {
      ADD_FAILURE() << "no such flag: " << flag;
    }
  }
  return options;
}

/// Lines "NAME ADDRESS..." or "NAME failed REASON"; every other name does not exist.
std::map<dns::Question, dns::Answer> read_answers(const fs::path& file) {
  std::map<dns::Question, dns::Answer> answers;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    std::map<dns::Family, std::vector<std::string>> found;
    dns::Answer nothing = dns::no_address();
    for (std::string word; words >> word;) {
      const bool ipv6 = word.find(':') != std::string::npos;
      if (word == "failed" && words >> word) {
        nothing = dns::failed(word);
      } else {
        found[ipv6 ? dns::Family::kIpv6 : dns::Family::kIpv4].push_back(word);
      }
    }
    for (const auto family : {dns::Family::kIpv4, dns::Family::kIpv6}) {
      const auto& texts = found[family];
      answers[{name, family}] =
          texts.empty() ? nothing : dns::addresses(texts, std::chrono::seconds(30));
    }
  }
  return answers;
}

std::string compile_folder(const fs::path& folder) {
  const base::SystemClock clock;
  base::LineSink lines;
  const base::Log log(lines, clock);
  boost::asio::io_context context;
  WorldSink sink;
  dns::ScriptedDns client;
  client.answers = read_answers(folder / "dns.txt");
  dns::ExternalNames names(sink, client, clock, 1, [] {});
  const Options options = options_of(folder);
  kube::ObjectSink& input =
      options.allow_external_name ? static_cast<kube::ObjectSink&>(names) : sink;
  const auto source = kube::make_manifest_source(context, folder.string(), input, log);
  if (!source.ok()) return std::string(source.status().message());
  (*source)->start();
  (*source)->stop();
  names.run_due();
  client.answer_all();
  std::string unreadable;
  for (const Problem& problem : sink.unreadable()) {
    unreadable +=
        "unreadable " + problem.kind + " " + problem.object.name + ": " + problem.message + "\n";
  }
  return unreadable + text_of(compile(sink.world(), options));
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
