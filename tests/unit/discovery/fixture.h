#pragma once

// Both ends of a real stream, and how to wait for what they do. Nothing sleeps: a wait ends with
// its condition, or fails the test after kPatience.

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "discovery/client.h"
#include "discovery/server.h"
#include "tests/unit/discovery/resources.h"

namespace holdfast::discovery {

inline constexpr std::chrono::seconds kPatience{30};

/// Keeps lines, so that a test can wait for one.
class LineSink final : public base::LogSink {
 public:
  void write(std::string line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  [[nodiscard]] std::uint64_t lost_lines() const override { return 0; }
  void flush_and_stop(base::Duration) override {}

  /// Whether `text` comes to stand in `times` lines.
  bool wait_for(const std::string& text, std::ptrdiff_t times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_locked(text) >= times; });
  }
  std::ptrdiff_t count(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return count_locked(text);
  }

 private:
  std::ptrdiff_t count_locked(const std::string& text) {
    return std::count_if(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

/// A data plane that remembers what it was given.
class Recorder final : public model::TransactionHandler {
 public:
  using Refuses = std::function<bool(const v1::Resource&)>;

  explicit Recorder(Refuses refuses = nullptr) : refuses_(std::move(refuses)) {}

  std::vector<model::Refusal> apply(const model::Transaction& transaction) override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    std::vector<model::Refusal> refusals;
    for (const auto& resource : transaction.upserts) {
      if (refuses_ && refuses_(*resource)) refusals.push_back({model::key_of(*resource), "no"});
    }
    if (refusals.empty()) {
      put(state_, transaction);
      applied_.push_back(transaction);
    }
    changed_.notify_all();
    return refusals;
  }

  /// A closed gate holds apply() until it is opened.
  void set_gate(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  bool wait_entered(int times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return entered_ >= times; });
  }
  bool wait_applied(std::size_t times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return applied_.size() >= times; });
  }
  /// Until `key` is held in the version of `resource`; null: is not held.
  bool wait_holds(const model::ResourceKey& key, const model::ResourcePtr& resource) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      const auto found = state_.find(key);
      if (!resource) return found == state_.end();
      return found != state_.end() && found->second == resource->version();
    });
  }
  std::vector<model::Transaction> applied() {
    const std::lock_guard lock(mutex_);
    return applied_;
  }
  std::size_t held() {
    const std::lock_guard lock(mutex_);
    return state_.size();
  }

 private:
  const Refuses refuses_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  int entered_ = 0;
  std::vector<model::Transaction> applied_;
  std::map<model::ResourceKey, std::uint64_t> state_;
};

/// The value of a metric without labels; -1: there is none of that name.
inline double metric(const base::MetricSource& source, const std::string& name) {
  std::vector<base::MetricFamily> families;
  source.collect(families);
  for (const auto& family : families) {
    if (family.name == name) return family.samples.at(0).value;
  }
  return -1;
}

/// For what nobody notifies of: asks until it is so.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

class DiscoveryTest : public testing::Test {
 protected:
  ~DiscoveryTest() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<Server> make_server(Server::OnRefusal on_refusal = nullptr) {
    return std::make_unique<Server>(log_, std::move(on_refusal));
  }
  std::unique_ptr<Client> make_client(std::shared_ptr<grpc::Channel> channel, Recorder& recorder,
                                      const std::string& node = "node",
                                      base::Duration unreachable_after = kUnreachableAfter) {
    auto client = std::make_unique<Client>(
        std::move(channel), ClientOptions{node, "1.0", unreachable_after}, recorder, clock_, log_);
    client->start();
    return client;
  }
  std::unique_ptr<Client> make_client(const std::string& address, Recorder& recorder) {
    auto channel = make_channel(address);
    EXPECT_TRUE(channel.ok()) << channel.status();
    return make_client(*channel, recorder);
  }
  /// In a folder of this test alone.
  std::string socket_path() {
    if (folder_.empty()) {
      std::string pattern = std::filesystem::temp_directory_path() / "discovery-XXXXXX";
      folder_ = ::mkdtemp(pattern.data());
    }
    return folder_ + "/socket";
  }
  std::string socket_address() { return "unix:" + socket_path(); }

  base::SystemClock clock_;
  LineSink lines_;
  base::Log log_{lines_, clock_};

 private:
  std::string folder_;
};

}  // namespace holdfast::discovery
