#include "kube/watch_framer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace holdfast::kube {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> drain(WatchFramer& framer) {
  std::vector<std::string> events;
  while (const auto event = framer.next()) events.emplace_back(*event);
  return events;
}

// Rows: W11.
TEST(WatchFramer, GivesWholeEventsWhateverTheSplit) {
  const std::string stream = "{\"a\":1}\n\n{\"b\":2}\r\n{}\n{\"cut\":";
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    WatchFramer framer(100);
    std::vector<std::string> events;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      framer.append(std::string_view(stream).substr(at, piece));
      for (std::string& event : drain(framer)) events.push_back(std::move(event));
    }
    EXPECT_THAT(events, ElementsAre("{\"a\":1}", "{\"b\":2}\r", "{}")) << piece;
    EXPECT_EQ(framer.pending(), 7u);
  }
}

// Rows: W11.
TEST(WatchFramer, StopsAtAnEventThatIsTooLong) {
  WatchFramer exact(4);
  exact.append("1234\n");
  EXPECT_THAT(drain(exact), ElementsAre("1234"));
  WatchFramer framer(4);
  framer.append("12\n1234");
  EXPECT_THAT(drain(framer), ElementsAre("12"));
  EXPECT_FALSE(framer.overflowed());
  framer.append("5");
  EXPECT_THAT(drain(framer), ElementsAre());
  EXPECT_TRUE(framer.overflowed());
  framer.append("\n1\n");
  EXPECT_THAT(drain(framer), ElementsAre());
}

TEST(WatchFramer, TakesAnEventOfMegabytesByteByByte) {
  WatchFramer framer(std::size_t{4} << 20);
  const std::string event(std::size_t{2} << 20, 'x');
  for (const char c : event) {
    framer.append(std::string_view(&c, 1));
    ASSERT_FALSE(framer.next());
  }
  framer.append("\n");
  EXPECT_EQ(framer.next(), event);
}

}  // namespace
}  // namespace holdfast::kube
