#pragma once

// The server's end of one client's stream, on gRPC's callback API: reads Hello and Verdicts, writes
// one Part at a time.
//
// Reactions come on gRPC's threads, also two at a time; state is guarded by the publication's
// mutex. Deletes itself when gRPC is done with it. A client that breaks the contract ends its own
// stream.

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <optional>
#include <string>
#include <vector>

#include "discovery/parts.h"
#include "discovery/publication.h"
#include "discovery/server.h"
#include "discovery/subscription.h"

namespace holdfast::discovery {

class Stream final : public grpc::ServerBidiReactor<v1::ClientMessage, v1::Part> {
 public:
  Stream(Publication& publication, grpc::CallbackServerContext& context);

  // REQUIRES, for the next five: the publication's mutex is held.

  /// The published version of `key` changed.
  void changed(const model::ResourceKey& key, Version before, Version now);
  /// Takes the right to write, when there is something to write and nobody has it. Until the write
  /// that the caller then REQUIRES to start without the mutex, the stream stays alive.
  bool claim_write();
  /// What becomes of a write under way: only one that completes lets the client see the status.
  enum class Writing { kComplete, kCut };
  /// Ends the stream, once; after the write under way, which OnWriteDone() sees end.
  void end(grpc::Status status, Writing writing);
  [[nodiscard]] bool said_hello() const { return said_hello_; }
  /// Null: it may see nothing.
  [[nodiscard]] const View* view() const { return view_; }
  [[nodiscard]] ClientState state() const;

  /// Builds and sends what claim_write() found. REQUIRES: the mutex is not held.
  void write_claimed();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  base::Status take_message();
  base::Status take_hello(const v1::Hello& hello);
  base::Status take_verdict(const v1::Verdict& verdict);
  bool begin_transaction();

  // Fixed after construction.
  Publication& publication_;
  grpc::CallbackServerContext& context_;
  const View* view_ = nullptr;

  // Touched by the one read under way, until the last message of Hello is in.
  v1::ClientMessage message_;
  Held held_;
  std::size_t hello_bytes_ = 0;

  // Touched by whoever has the right to write.
  v1::Part part_;

  // Written under the publication's mutex until said_hello_, and never after it.
  std::string node_;

  // Guarded by the publication's mutex.
  std::string version_;
  bool said_hello_ = false;
  std::optional<Subscription> subscription_;
  std::optional<PartCutter> cutter_;
  /// Somebody has the right to write.
  bool writing_ = false;
  /// The commit of the transaction under way is not cut yet.
  bool parts_owed_ = false;
  bool ended_ = false;
  grpc::Status last_status_;
};

}  // namespace holdfast::discovery
