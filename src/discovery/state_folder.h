#pragma once

// What is in force, kept on disk, so that a data plane that starts while its controller is away
// serves what it served last. Stands between the discovery client and the proxy.
//
// The folder belongs to one process at a time. One file in it, `state`: the Parts of transactions,
// each behind its size and a hash (kStateHeaderBytes). It is appended to, and written anew when
// most of it is history. What cannot be written is told once, counted and tried again with the next
// transaction; it never keeps a transaction from being applied. Nothing is synced: a process that
// dies loses nothing, a machine that does loses at most the newest transactions.
//
// open(), restore() and apply() on one thread at a time; collect() on any. The handler and the log
// outlive it.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/metric.h"
#include "base/status.h"
#include "discovery/subscription.h"
#include "model/resource.h"

namespace holdfast::discovery {

class StateFolder final : public model::TransactionHandler, public base::MetricSource {
 public:
  StateFolder(std::filesystem::path folder, model::TransactionHandler& handler,
              const base::Log& log);

  /// Makes the folder where there is none (mode 0700). The error is a sentence.
  base::Status open();

  /// Puts what is kept in force, but for resources that the handler refuses, and says what that is.
  /// Where nothing is kept the handler is not asked. A file that ends early or is damaged counts up
  /// to the last whole transaction before that. REQUIRES: open() succeeded; before any apply().
  Held restore();

  std::vector<model::Refusal> apply(const model::Transaction& transaction) override;

  void collect(std::vector<base::MetricFamily>& out) const override;

 private:
  void read();
  void take(const model::Transaction& transaction);
  void keep(const model::Transaction& transaction);
  bool append(const model::Transaction& transaction);
  bool write_anew();
  [[nodiscard]] model::Transaction everything() const;

  // Fixed after construction.
  const std::filesystem::path folder_;
  const std::filesystem::path file_;
  model::TransactionHandler& handler_;
  const base::Log& log_;

  Published state_;
  std::ofstream journal_;
  /// Of the file: transactions, bytes, and the bytes that it had when it was written anew.
  std::uint64_t number_ = 0;
  std::size_t bytes_ = 0;
  std::size_t bytes_anew_ = 0;
  /// The file is not what state_ is, and must be written anew.
  bool stale_ = true;
  bool told_ = false;
  std::atomic<std::uint64_t> failures_ = 0;
};

}  // namespace holdfast::discovery
