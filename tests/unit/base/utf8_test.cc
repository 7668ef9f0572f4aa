#include "base/utf8.h"

#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

TEST(Utf8, OneLineShowsTextAndNothingElse) {
  EXPECT_EQ(one_line("chat \xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xad"),
            "chat \xc3\xa4 \xe2\x82\xac \xf0\x9f\xa6\xad");
  EXPECT_EQ(one_line("a\nb\x1b[31mc\x7f\x01"), "a?b?[31mc??");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "31m \xc2\xa0"),
            "?31m \xc2\xa0")
      << "C1, and the first beyond it";
  EXPECT_EQ(one_line("\xe2\x80\xae"
                     "evil \xe2\x81\xa6 \xe2\x80\xa8"),
            "?evil ? ?");
  EXPECT_EQ(one_line("\xff\xc3"), "??");
  EXPECT_EQ(one_line(""), "");
}

TEST(Utf8, RepairReplacesWhatIsNone) {
  EXPECT_EQ(repair_utf8("a\xc0\x80z"), "a\xef\xbf\xbd\xef\xbf\xbdz");
  EXPECT_TRUE(is_utf8(repair_utf8("\xed\xa0\x80")));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
}

}  // namespace
}  // namespace holdfast::base
