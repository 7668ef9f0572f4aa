// Goal: no input of a fuzz target's corpus ends it. Method: each file once, without libFuzzer.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using std::filesystem::path;

std::vector<path> corpus() {
  std::vector<path> files;
  for (const auto& entry : std::filesystem::directory_iterator(CORPUS)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string file_name(const testing::TestParamInfo<path>& info) {
  std::string name = info.param.filename();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

class Replay : public testing::TestWithParam<path> {};

TEST_P(Replay, Ends) {
  std::ifstream stream(GetParam(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  EXPECT_EQ(LLVMFuzzerTestOneInput(data, bytes.size()), 0);
}
INSTANTIATE_TEST_SUITE_P(Corpus, Replay, testing::ValuesIn(corpus()), file_name);

}  // namespace
}  // namespace holdfast::fuzz
