#include "discovery/state_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "discovery/limits.h"
#include "tests/unit/discovery/fixture.h"
#include "tests/unit/discovery/resources.h"
#include "tests/unit/kube/temporary_folder.h"

namespace holdfast::discovery {
namespace {

using testing::IsEmpty;

constexpr int kChanges = 12;

/// A data plane that keeps what it is given, but for what it is told to refuse.
class Keeper final : public model::TransactionHandler {
 public:
  std::vector<model::Refusal> apply(const model::Transaction& transaction) override {
    ++calls;
    std::vector<model::Refusal> refusals;
    for (const auto& resource : transaction.upserts) {
      if (refused.contains(model::key_of(*resource))) {
        refusals.push_back({model::key_of(*resource), "no"});
      }
    }
    if (!refusals.empty()) return refusals;
    for (const auto& resource : transaction.upserts) {
      held[model::key_of(*resource)] = resource->version();
    }
    for (const auto& key : transaction.removals) held.erase(key);
    return {};
  }

  int calls = 0;
  Held held;
  std::set<model::ResourceKey> refused;
};

class StateFolderTest : public testing::Test {
 protected:
  /// What a new process finds.
  Held restored(Keeper& keeper) {
    StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
    EXPECT_TRUE(state.open().ok());
    return state.restore();
  }
  Held restored() {
    Keeper keeper;
    Held held = restored(keeper);
    EXPECT_EQ(held, keeper.held);
    return held;
  }

  /// Writes some history; what was in force after each change.
  std::vector<Held> write_history() {
    Keeper keeper;
    StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
    EXPECT_TRUE(state.open().ok());
    state.restore();
    std::vector<Held> states = {keeper.held};
    for (int i = 0; i < kChanges; ++i) {
      model::Transaction change{{endpoint_set(i), endpoint_set(i % 3, i)}, {}};
      if (i % 3 == i) change.upserts.pop_back();
      if (i % 4 == 3) change.removals.push_back(set_key(i - 1));
      EXPECT_THAT(state.apply(change), IsEmpty());
      states.push_back(keeper.held);
    }
    return states;
  }

  std::string file() { return folder_.path("state-of-proxy/state"); }
  std::string bytes() {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void overwrite(const std::string& content) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << content;
  }
  double failures(const StateFolder& state) {
    std::vector<base::MetricFamily> families;
    state.collect(families);
    return families.at(0).samples.at(0).value;
  }

  kube::TemporaryFolder folder_;
  LineSink lines_;
  base::SystemClock clock_;
  base::Log log_{lines_, clock_};
};

TEST_F(StateFolderTest, NothingIsKeptAndTheHandlerIsNotAsked) {
  Keeper keeper;
  EXPECT_THAT(restored(keeper), IsEmpty());
  EXPECT_EQ(keeper.calls, 0) << "a data plane that has served nothing is not ready";
}

TEST_F(StateFolderTest, TheNextProcessBeginsWithWhatWasInForce) {
  const std::vector<Held> states = write_history();
  EXPECT_EQ(restored(), states.back());
}

TEST_F(StateFolderTest, AFileThatEndsAnywhereIsAStateThatWasInForce) {
  const std::vector<Held> states = write_history();
  const std::string whole = bytes();
  std::set<Held> seen;
  for (std::size_t size = 0; size <= whole.size(); size += 7) {
    overwrite(whole.substr(0, size));
    const Held held = restored();
    ASSERT_THAT(states, testing::Contains(held)) << size << " bytes of " << whole.size();
    seen.insert(held);
  }
  EXPECT_EQ(seen.size(), states.size() - 1) << "each of them, but for the last, which is whole";
}

TEST_F(StateFolderTest, ADamagedByteCostsWhatComesAfterIt) {
  const std::vector<Held> states = write_history();
  const std::string whole = bytes();
  for (std::size_t at = 0; at < whole.size(); at += 11) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    overwrite(damaged);
    ASSERT_THAT(states, testing::Contains(restored())) << "byte " << at;
  }
}

TEST_F(StateFolderTest, ADamagedFileIsWrittenAnewWithTheNextChange) {
  write_history();
  overwrite(bytes() + "torn");
  Held expected;
  {
    Keeper keeper;
    StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
    ASSERT_TRUE(state.open().ok());
    state.restore();
    EXPECT_THAT(state.apply({{endpoint_set(77)}, {}}), IsEmpty());
    EXPECT_THAT(state.apply({{endpoint_set(78)}, {}}), IsEmpty());
    expected = keeper.held;
  }
  EXPECT_EQ(restored(), expected);
}

TEST_F(StateFolderTest, WhatTheHandlerRefusesIsLeftOutAndTheRestServed) {
  std::vector<Held> states = write_history();
  Keeper keeper;
  const model::ResourceKey refused = states.back().begin()->first;
  keeper.refused = {refused};
  states.back().erase(refused);
  EXPECT_EQ(restored(keeper), states.back());
  EXPECT_EQ(keeper.held, states.back());
}

TEST_F(StateFolderTest, WhatWasRefusedIsNotKept) {
  {
    Keeper keeper;
    StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
    ASSERT_TRUE(state.open().ok());
    keeper.refused = {set_key(2)};
    EXPECT_THAT(state.apply({{endpoint_set(1)}, {}}), IsEmpty());
    EXPECT_THAT(state.apply({{endpoint_set(2), endpoint_set(3)}, {}}), testing::SizeIs(1));
  }
  EXPECT_EQ(restored(), (Held{{set_key(1), endpoint_set(1)->version()}}));
}

TEST_F(StateFolderTest, HistoryIsBounded) {
  constexpr int kEndpoints = 1000;
  Keeper keeper;
  StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
  ASSERT_TRUE(state.open().ok());
  std::size_t most = 0;
  std::size_t written = 0;
  for (int generation = 0; generation < 100; ++generation) {
    const auto set = endpoint_set(1, generation, kEndpoints);
    written += set->ByteSizeLong();
    EXPECT_THAT(state.apply({{set}, {}}), IsEmpty());
    most = std::max(most, static_cast<std::size_t>(std::filesystem::file_size(file())));
  }
  const std::size_t set_bytes = written / 100;
  EXPECT_GT(written, 2 * (kStateHistoryBytes + 4 * set_bytes)) << "or this shows nothing";
  EXPECT_LT(most, kStateHistoryBytes + 4 * set_bytes);
  EXPECT_EQ(restored(), keeper.held);
}

TEST_F(StateFolderTest, WhatCannotBeWrittenIsCountedAndTriedAgain) {
  Keeper keeper;
  StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
  ASSERT_TRUE(state.open().ok());
  std::filesystem::remove(folder_.path("state-of-proxy"));
  EXPECT_THAT(state.apply({{endpoint_set(1)}, {}}), IsEmpty()) << "it is served all the same";
  EXPECT_THAT(state.apply({{endpoint_set(2)}, {}}), IsEmpty());
  EXPECT_EQ(failures(state), 2);
  EXPECT_TRUE(lines_.wait_for("the state cannot be written", 1));
  std::filesystem::create_directory(folder_.path("state-of-proxy"));
  EXPECT_THAT(state.apply({{endpoint_set(3)}, {}}), IsEmpty());
  EXPECT_EQ(failures(state), 2);
  EXPECT_EQ(restored().size(), 3U);
}

TEST_F(StateFolderTest, NobodyElseMayReadIt) {
  write_history();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(folder_.path("state-of-proxy")).permissions(),
            perms::owner_all);
  EXPECT_EQ(std::filesystem::status(file()).permissions(), perms::owner_read | perms::owner_write);
}

TEST_F(StateFolderTest, AFileInItsPlaceIsAnError) {
  folder_.write("state-of-proxy", "");
  Keeper keeper;
  StateFolder state(folder_.path("state-of-proxy"), keeper, log_);
  EXPECT_FALSE(state.open().ok());
}

}  // namespace
}  // namespace holdfast::discovery
