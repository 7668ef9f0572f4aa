#include "controller/event_writer.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/hex.h"
#include "base/utf8.h"
#include "controller/limits.h"

namespace holdfast::controller {
namespace {

constexpr char kNormal[] = "Normal";
constexpr char kWarning[] = "Warning";

/// What people read: where, and what.
std::string sentence_of(const Problem& problem) {
  std::string text = base::repair_utf8(problem.field);
  if (!text.empty()) text += ": ";
  text += base::repair_utf8(problem.message);
  return text;
}

/// OBJECT.HASH, within the 253 bytes of a name (RFC 1123 subdomain).
std::string event_name(const std::string& object, std::uint64_t hash) {
  constexpr std::size_t kMost = 253;
  constexpr std::size_t kDigits = 16;
  std::string name = object.substr(0, kMost - kDigits - 1);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  name += '.';
  base::append_hex(name, hash, kDigits);
  return name;
}

/// At most kEventMessageBytes, whole characters.
std::string cut(std::string text) {
  if (text.size() <= kEventMessageBytes) return text;
  constexpr std::string_view kEllipsis = "\u2026";
  std::size_t length = kEventMessageBytes - kEllipsis.size();
  const auto continues = [&](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  while (length > 0 && continues(length)) --length;
  text.resize(length);
  return text.append(kEllipsis);
}

}  // namespace

EventWriter::EventWriter(std::string instance, std::uint64_t seed, kube::ApiCaller& caller,
                         const base::Clock& clock, const base::Log& log,
                         std::function<void()> changed)
    : instance_(std::move(instance)),
      caller_(caller),
      clock_(clock),
      log_(log),
      changed_(std::move(changed)),
      rate_(kEventsPerSecond, kEventsAtOnce, clock.now()),
      backoff_(kWriteBackoffFirst, kWriteBackoffMost, seed) {}

void EventWriter::appeared(const Problem& problem) {
  // Of a flag or a file nobody asks the API server.
  if (!kube::kind_named(problem.kind)) return;
  auto found = entries_.find(problem);
  if (found == entries_.end()) {
    if (entries_.size() >= kEventsMost) {
      if (!std::exchange(overflown_, true)) {
        log_.warn("more problems than Events are written for",
                  {{"limit", static_cast<std::uint64_t>(kEventsMost)}});
      }
      return;
    }
    found = entries_.try_emplace(problem).first;
  } else if (std::exchange(found->second.standing, true)) {
    return;
  }
  if (leading_) schedule(found, clock_.now());
}

void EventWriter::gone(const Problem& problem) {
  const auto found = entries_.find(problem);
  if (found == entries_.end()) return;
  found->second.standing = false;
  const bool is_told = !found->second.warning.name.empty() || telling_ == problem;
  if (leading_ && is_told) {
    schedule(found, clock_.now());
  } else {
    forget(found);
  }
}

void EventWriter::forget(Entries::iterator entry) {
  schedule(entry, std::nullopt);
  entries_.erase(entry);
  if (entries_.empty()) overflown_ = false;
}

void EventWriter::lead(bool leading) {
  if (std::exchange(leading_, leading) == leading) return;
  for (auto next = entries_.begin(); next != entries_.end();) {
    const auto entry = next++;
    // What another leader writes meanwhile is not known.
    entry->second.warning.name.clear();
    entry->second.normal.name.clear();
    if (!entry->second.standing) {
      forget(entry);
    } else {
      schedule(entry, leading ? std::optional(clock_.now()) : std::nullopt);
    }
  }
}

void EventWriter::schedule(Entries::iterator entry, std::optional<base::Instant> due) {
  std::optional<base::Instant>& held = entry->second.due;
  if (held) schedule_.erase({*held, &entry->first});
  held = due;
  if (held) schedule_.emplace(*held, &entry->first);
}

std::optional<base::Instant> EventWriter::deadline() const {
  if (!leading_ || under_way_ || schedule_.empty()) return std::nullopt;
  return std::max({next_, schedule_.begin()->first, rate_.ready_at()});
}

void EventWriter::run_due() {
  const base::Instant now = clock_.now();
  if (!leading_ || under_way_ || now < next_) return;
  while (!schedule_.empty() && schedule_.begin()->first <= now) {
    const auto entry = entries_.find(*schedule_.begin()->second);
    if (!admit(entry)) continue;
    if (rate_.take(now)) begin(entry);
    return;
  }
}

bool EventWriter::admit(Entries::iterator entry) {
  const base::Instant now = clock_.now();
  forget_full_buckets();
  const auto bucket = rates_
                          .try_emplace({entry->first.kind, entry->first.object},
                                       kEventsPerSecondOfAnObject, kEventsAtOnceOfAnObject, now)
                          .first;
  // Both buckets or none: what is put off here has cost nothing.
  if (rate_.ready_at() > now) return true;
  if (bucket->second.take(now)) return true;
  schedule(entry, bucket->second.ready_at());
  return false;
}

void EventWriter::forget_full_buckets() {
  if (rates_.size() < kEventsMost) return;
  std::erase_if(rates_,
                [now = clock_.now()](const auto& held) { return held.second.is_full(now); });
}

void EventWriter::call(kube::ApiRequest request, std::function<void(const kube::ApiAnswer&)> done) {
  under_way_ = true;
  caller_.call(std::move(request), [this, done = std::move(done)](const kube::ApiAnswer& answer) {
    under_way_ = false;
    done(answer);
    if (!under_way_) telling_.reset();
    run_due();
    changed_();
  });
}

void EventWriter::begin(Entries::iterator entry) {
  // What was never told needs no end.
  if (!entry->second.standing && entry->second.warning.name.empty()) return forget(entry);
  const Problem& problem = entry->first;
  telling_ = problem;
  const Told& target = entry->second.standing ? entry->second.warning : entry->second.normal;
  if (!target.name.empty()) return repeat(problem);
  call(kube::read_metadata_of(*kube::kind_named(problem.kind), problem.object),
       [this, problem](const kube::ApiAnswer& answer) { uid_done(problem, answer); });
}

void EventWriter::uid_done(const Problem& problem, const kube::ApiAnswer& answer) {
  const auto entry = entries_.find(problem);
  if (entry == entries_.end() || !leading_) return;
  if (answer.refused_with() == 404) {
    // Of what does not exist there is nothing to describe; if it is made, this is tried again.
    if (!entry->second.standing) return forget(entry);
    return schedule(entry, clock_.now() + kEventRefresh);
  }
  // Who may not read the object can still be told of it, if not by kubectl describe.
  std::string uid;
  if (!answer.failure) {
    base::StatusOr<std::string> read = kube::parse_uid(answer.body);
    if (read.ok()) uid = *std::move(read);
  } else if (answer.refused_with() != 403) {
    return failed(problem, *answer.failure);
  }
  create(problem, std::move(uid));
}

kube::Event EventWriter::event_of(const Problem& problem, const Entry& entry) const {
  kube::Event event;
  event.subject = {problem.kind, problem.object, ""};
  const bool is_error = problem.severity == Severity::kError;
  if (entry.standing) {
    event.type = kWarning;
    event.reason = is_error ? "ConfigurationError" : "ConfigurationWarning";
    event.message = cut(sentence_of(problem));
  } else {
    event.type = kNormal;
    event.reason = "ProblemGone";
    event.message = cut("no longer so: " + sentence_of(problem));
  }
  const Told& target = entry.standing ? entry.warning : entry.normal;
  event.name = target.name;
  event.count = target.count;
  event.last = clock_.wall_now();
  event.instance = instance_;
  return event;
}

void EventWriter::create(const Problem& problem, std::string uid) {
  kube::Event event = event_of(problem, entries_.find(problem)->second);
  std::string content = problem.kind;
  for (const std::string& part : {uid, event.type, problem.field, problem.message}) {
    content.append(1, '\0').append(part);
  }
  // The same problem of the same object has the same name, whoever leads.
  event.name = event_name(problem.object.name, base::fnv1a(content));
  event.subject.uid = std::move(uid);
  event.count = 1;
  event.first = event.last;
  kube::ApiRequest request = kube::create_event(event);
  call(std::move(request), [this, problem, event](const kube::ApiAnswer& answer) {
    create_done(problem, event, answer);
  });
}

void EventWriter::create_done(const Problem& problem, const kube::Event& event,
                              const kube::ApiAnswer& answer) {
  const auto entry = entries_.find(problem);
  if (entry == entries_.end() || !leading_) return;
  const bool is_there = answer.refused_with() == 409;
  if (answer.failure && !is_there) return failed(problem, *answer.failure);
  const bool was_standing = event.type == kWarning;
  Told& target = was_standing ? entry->second.warning : entry->second.normal;
  target = {event.name, is_there ? 0 : 1};
  // It has changed its mind while the answer was on its way.
  if (was_standing != entry->second.standing) return schedule(entry, clock_.now());
  if (is_there) return repeat(problem);
  told(entry);
}

void EventWriter::repeat(const Problem& problem) {
  const Entry& entry = entries_.find(problem)->second;
  kube::Event event = event_of(problem, entry);
  if (event.count > 0) ++event.count;
  kube::ApiRequest request = kube::repeat_event(event);
  call(std::move(request), [this, problem, event](const kube::ApiAnswer& answer) {
    repeat_done(problem, event, answer);
  });
}

void EventWriter::repeat_done(const Problem& problem, const kube::Event& event,
                              const kube::ApiAnswer& answer) {
  const auto entry = entries_.find(problem);
  if (entry == entries_.end() || !leading_) return;
  const bool was_standing = event.type == kWarning;
  Told& target = was_standing ? entry->second.warning : entry->second.normal;
  if (answer.refused_with() == 404) {
    target = {};
    return schedule(entry, clock_.now());
  }
  if (answer.failure) return failed(problem, *answer.failure);
  target.count = event.count;
  if (was_standing != entry->second.standing) return schedule(entry, clock_.now());
  told(entry);
}

void EventWriter::told(Entries::iterator entry) {
  written_.fetch_add(1, std::memory_order_relaxed);
  backoff_.reset();
  if (!entry->second.standing) return forget(entry);
  schedule(entry, clock_.now() + kEventRefresh);
}

void EventWriter::failed(const Problem& problem, const kube::Failure& failure) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  log_.warn("an Event was not written, trying again",
            {{"kind", problem.kind},
             {"namespace", problem.object.namespace_name},
             {"name", problem.object.name},
             {"reason", std::string_view(failure.detail)}});
  next_ = clock_.now() + backoff_.next();
  // Behind the others, or one that is refused for itself would hold them up.
  schedule(entries_.find(problem), next_);
}

void EventWriter::collect(std::vector<base::MetricFamily>& out) const {
  out.push_back({"holdfast_events_written_total",
                 "Events written, by what came of it.",
                 base::MetricType::kCounter,
                 {{.labels = {{"result", "written"}},
                   .value = static_cast<double>(written_.load(std::memory_order_relaxed))},
                  {.labels = {{"result", "failed"}},
                   .value = static_cast<double>(failures_.load(std::memory_order_relaxed))}}});
}

}  // namespace holdfast::controller
