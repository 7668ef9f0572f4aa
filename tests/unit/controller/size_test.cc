#include "controller/size.h"

#include <gtest/gtest.h>

#include <limits>

namespace holdfast::controller {
namespace {

TEST(Size, ReadsBytesAndEachSuffix) {
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {
      {"0", 0},
      {"1", 1},
      {"0064", 64},
      {"64Ki", 65'536},
      {"10Mi", 10'485'760},
      {"2Gi", 2'147'483'648},
      {"1Ti", 1'099'511'627'776},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()}};
  for (const auto& [text, expected] : cases) {
    const auto parsed = parse_size(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Size, RefusesWhatIsNotOne) {
  for (const std::string text : {"", "Ki", "-1", "+1", "1.5Mi", "1 Mi", " 1", "1 ", "1m", "1M",
                                 "1k", "1K", "1G", "1mi", "1MiB", "0x10", "1Mi1Ki", "off"}) {
    EXPECT_EQ(parse_size(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Size, DoesNotOverflow) {
  for (const std::string text : {"18446744073709551616", "16777216Ti", "99999999999999999999Ki"}) {
    EXPECT_EQ(parse_size(text).status().code(), absl::StatusCode::kOutOfRange) << text;
  }
  EXPECT_TRUE(parse_size("16777215Ti").ok());
}

TEST(Size, FormatIsItsInverse) {
  for (const std::string text : {"0", "1", "1023", "1Ki", "1025", "10Mi", "2Gi", "1Ti", "1025Gi"}) {
    EXPECT_EQ(format_size(*parse_size(text)), text);
  }
}

}  // namespace
}  // namespace holdfast::controller
