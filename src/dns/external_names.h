#pragma once

// Stands between a source of objects and its sink, and gives every Service of type ExternalName
// EndpointSlices (EndpointSlice::from_dns) of what DNS says of its name. Everything else passes as
// it is; a full list of slices gets those of ours added.
//
// The first list of Services of each scope is held back until its names were answered, for at most
// kFirstAnswersPatience: a restart would else publish empty sets. What comes of Services meanwhile
// waits behind it.
//
// One thread (control). Does no I/O itself and owns no timer: the caller asks deadline() and calls
// run_due(). Never fails: what is wrong with a name is a complaint in its slice.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "dns/client.h"
#include "dns/resolved_name.h"
#include "kube/objects.h"

namespace holdfast::dns {

/// What is counted. Names: those of Services now. Answers: since the start.
struct ExternalNameCounts {
  std::size_t names = 0;
  std::size_t failing_names = 0;
  std::uint64_t positive_answers = 0;
  std::uint64_t negative_answers = 0;
  std::uint64_t failures = 0;
};

class ExternalNames final : public kube::ObjectSink {
 public:
  /// Called after everything that may have changed deadline() or counts().
  using Changed = std::function<void()>;

  /// All are borrowed. `client` answers on this thread and not from within ask(); it goes first.
  ExternalNames(kube::ObjectSink& sink, Client& client, const base::Clock& clock,
                std::uint64_t seed, Changed changed);

  void replace(const kube::Scope& scope, std::vector<kube::Object> objects) override;
  void upsert(kube::Object object) override;
  void remove(kube::Kind kind, const kube::ObjectName& name) override;
  void report_unreadable(const std::string& kind, const kube::ObjectName& name,
                         const std::string& reason) override;

  /// When run_due() wants to be called next; absent while there is nothing to wait for but answers.
  [[nodiscard]] std::optional<base::Instant> deadline() const;
  /// Asks what is due at the clock's now, at most kQuestionsMost at once.
  void run_due();

  [[nodiscard]] ExternalNameCounts counts() const;

 private:
  using Slice = std::shared_ptr<const kube::EndpointSlice>;

  struct Name {
    Name(const std::string& name, std::uint64_t seed) : resolved(name, seed) {}

    ResolvedName resolved;
    std::set<kube::ObjectName> services;
    /// By family.
    std::array<bool, 2> asked{};
  };
  struct Service {
    std::string external_name;
    /// Absent: the name is refused, or one too many.
    Name* name = nullptr;
    /// Of such a one.
    std::string complaint;
    /// What the sink was told, by family; null: nothing.
    std::array<Slice, 2> slices;
  };

  void follow(const kube::Service& service);
  void forget(const kube::ObjectName& service);
  void forget_missing(const kube::Scope& scope, const std::vector<kube::Object>& objects);
  void attach(const kube::ObjectName& key, Service& service);
  void detach(const kube::ObjectName& key, Service& service);
  Name* name_called(const std::string& canonical);
  void ask(const Question& question);
  void take(const Question& question, const Answer& answer);
  /// Tells the sink what has changed of a Service's slices.
  void tell(const kube::ObjectName& key, Service& service);
  void tell_slice(const kube::ObjectName& key, Family family,
                  const std::vector<base::IpAddress>& addresses,
                  std::vector<std::string> complaints, Slice& told);
  /// To the sink, or behind what is held back.
  void pass(std::function<void()> call);
  [[nodiscard]] bool all_settled() const;
  void release_when_settled();

  // Fixed after construction.
  kube::ObjectSink& sink_;
  Client& client_;
  const base::Clock& clock_;
  const Changed changed_;

  std::uint64_t next_seed_;
  std::map<kube::ObjectName, Service> services_;
  std::map<std::string, Name> names_;
  /// Services for whose names there was no room.
  std::set<kube::ObjectName> turned_away_;
  std::set<std::pair<base::Instant, Question>> due_;
  std::size_t under_way_ = 0;
  ExternalNameCounts counts_;

  std::set<kube::Scope> listed_;
  std::vector<std::function<void()>> held_;
  std::optional<base::Instant> held_until_;
};

}  // namespace holdfast::dns
