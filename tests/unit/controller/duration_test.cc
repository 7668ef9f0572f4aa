#include "controller/duration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::controller {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsEachUnitAndTheirSums) {
  const std::vector<std::pair<std::string, base::Duration>> cases = {
      {"500ms", 500ms}, {"30s", 30s},          {"5m", 5min},
      {"2h", 2h},       {"1h30m", 1h + 30min}, {"1h2m3s4ms", 1h + 2min + 3s + 4ms},
      {"0s", 0s},       {"0090s", 90s},        {"8760h", 8760h}};
  for (const auto& [text, expected] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, RefusesWhatIsNotOne) {
  for (const std::string text : {"", "s", "-5s", "+5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5sec",
                                 "5d", "30m1h", "5s5s", "5us", "1h30", "0x5s", "never"}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
}

TEST(Duration, SuggestsTheUnitForABareNumber) {
  EXPECT_THAT(std::string(parse_duration("30").status().message()),
              testing::HasSubstr("write \"30s\" for seconds"));
}

TEST(Duration, DoesNotOverflow) {
  for (const std::string text : {"99999999999999999999s", "9223372036854775807h",
                                 "2562047h9223372036854775807ms", "9223372036854775807ms"}) {
    EXPECT_EQ(parse_duration(text).status().code(), absl::StatusCode::kOutOfRange) << text;
  }
  EXPECT_TRUE(parse_duration("2562047h").ok());
}

TEST(Duration, FormatsWhatItReads) {
  for (const std::string text : {"0s", "1ms", "500ms", "30s", "1h30m", "1h", "8760h", "1m30s5ms"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
}

}  // namespace
}  // namespace holdfast::controller
