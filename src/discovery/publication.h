#pragma once

// What a server and its streams share: the published state, the streams, and the counters.
//
// Everything but the counters is guarded by `mutex`, which is never held during a callback or while
// a message is built. Owned by the server; outlives every stream.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "discovery/grant.h"
#include "discovery/subscription.h"
#include "model/resource.h"

namespace holdfast::discovery {

class Stream;

/// The published state as far as a grant covers it.
struct View {
  Grant grant;
  Published resources;
};

struct Publication {
  using OnRefusal = std::function<void(const std::string& node, const model::Refusal&)>;

  Publication(const base::Log& log_to, OnRefusal callback)
      : log(log_to), on_refusal(std::move(callback)) {}

  /// Counts, logs and tells what is refused by `node`. REQUIRES: `mutex` is not held.
  void report(const std::string& node, const std::vector<model::Refusal>& refusals_now);

  const base::Log& log;
  const OnRefusal on_refusal;

  std::mutex mutex;
  /// The first publish() came: streams may begin to send.
  bool complete = false;
  bool stopping = false;
  /// The first is everything. The others are those of clients that have to prove who they are: a
  /// stream's view is fixed, and so are these once the server listens.
  std::deque<View> views = std::deque<View>(1);
  /// A client's certificate decides which view is its own, and whether it has one.
  bool by_identity = false;
  std::set<Stream*> streams;
  /// Notified when the last stream is gone.
  std::condition_variable empty;

  std::atomic<std::uint64_t> denied = 0;
  std::atomic<std::uint64_t> transactions = 0;
  std::atomic<std::uint64_t> resources_sent = 0;
  std::atomic<std::uint64_t> refusals = 0;
  std::atomic<std::uint64_t> bytes_sent = 0;
};

}  // namespace holdfast::discovery
