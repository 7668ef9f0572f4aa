#include "base/text_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::base {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(TextList, PiecesAreTrimmedAndEmptyOnesLeftOut) {
  EXPECT_THAT(split_list("a,b", ','), ElementsAre("a", "b"));
  EXPECT_THAT(split_list(" a ,\tb c\r, ,,d", ','), ElementsAre("a", "b c", "d"));
  EXPECT_THAT(split_list("a: 1\r\n\r\n-b\n", '\n'), ElementsAre("a: 1", "-b"));
  EXPECT_THAT(split_list("", ','), IsEmpty());
  EXPECT_THAT(split_list(" , ", ','), IsEmpty());
}

}  // namespace
}  // namespace holdfast::base
