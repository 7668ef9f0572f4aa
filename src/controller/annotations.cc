#include "controller/annotations.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "controller/duration.h"
#include "controller/limits.h"
#include "controller/quote.h"
#include "controller/size.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

void assign(google::protobuf::Duration& field, base::Duration value) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
  field.set_seconds(seconds.count());
  field.set_nanos(static_cast<std::int32_t>((value - seconds).count()));
}

constexpr std::array<ChoiceValue::Choice, 2> kLoadBalances{{
    {"least-connections", v1::LOAD_BALANCE_LEAST_CONNECTIONS},
    {"round-robin", v1::LOAD_BALANCE_ROUND_ROBIN},
}};

const std::array<Annotation, 5> kAnnotations{{
    {.name = "load-balance",
     .value = ChoiceValue{kLoadBalances,
                          [](v1::RoutePolicy& policy, int value) {
                            policy.set_load_balance(static_cast<v1::LoadBalance>(value));
                          }},
     .default_text = "least-connections",
     .applies = Applies::kNewConnections,
     .summary = "How the pod of a new connection is chosen."},
    {.name = "connect-timeout",
     .value = DurationValue{model::kConnectTimeoutRange,
                            [](v1::RoutePolicy& policy, base::Duration value) {
                              assign(*policy.mutable_connect_timeout(), value);
                            }},
     .default_text = "5s",
     .applies = Applies::kNewConnections,
     .summary = "How long one try to connect to a pod may take."},
    {.name = "idle-timeout",
     .value = DurationValue{model::kIdleTimeoutRange,
                            [](v1::RoutePolicy& policy, base::Duration value) {
                              assign(*policy.mutable_idle_timeout(), value);
                            }},
     .default_text = "1h",
     .applies = Applies::kOpenConnections,
     .summary = "How long a WebSocket may stay open without a byte from either side; the same for "
                "an answer under way."},
    {.name = "request-timeout",
     .value = DurationValue{model::kRequestTimeoutRange,
                            [](v1::RoutePolicy& policy, base::Duration value) {
                              assign(*policy.mutable_request_timeout(), value);
                              assign(*policy.mutable_upgrade_timeout(), value);
                            }},
     .default_text = "1m, for an upgrade 10s",
     .applies = Applies::kNewConnections,
     .summary = "How long a pod may take from a request's last byte to the end of its answer's "
                "head; the same for an upgrade until its 101."},
    {.name = "max-body-bytes",
     .value = SizeValue{model::kMaxBodyBytesRange,
                        [](v1::RoutePolicy& policy, std::uint64_t value) {
                          policy.set_max_body_bytes(value);
                        }},
     .default_text = "no limit",
     .applies = Applies::kNewConnections,
     .summary = "How long the body of a plain request may be; a longer one is answered with 413."},
}};

/// Sets `value`, which `format` writes, when it is within the range.
template <class Kind, class Value, class Format>
base::Status set_within(const Kind& kind, std::string_view text, const Value& value, Format format,
                        v1::RoutePolicy& policy) {
  if (!value.ok()) return value.status();
  if (*value < kind.range.least || *value > kind.range.most) {
    return absl::OutOfRangeError(quote(text) + " is not between " + format(kind.range.least) +
                                 " and " + format(kind.range.most));
  }
  kind.set(policy, *value);
  return absl::OkStatus();
}

base::Status apply(const DurationValue& kind, std::string_view text, v1::RoutePolicy& policy) {
  return set_within(kind, text, parse_duration(text), format_duration, policy);
}

base::Status apply(const SizeValue& kind, std::string_view text, v1::RoutePolicy& policy) {
  return set_within(kind, text, parse_size(text), format_size, policy);
}

std::string words_of(const ChoiceValue& kind) {
  std::string words;
  for (const auto& choice : kind.choices) {
    if (!words.empty()) words += ", ";
    words += choice.word;
  }
  return words;
}

base::Status apply(const ChoiceValue& kind, std::string_view text, v1::RoutePolicy& policy) {
  const auto found = std::find_if(kind.choices.begin(), kind.choices.end(),
                                  [&](const auto& choice) { return choice.word == text; });
  if (found == kind.choices.end()) {
    return absl::InvalidArgumentError(quote(text) + " is not one of " + words_of(kind));
  }
  kind.set(policy, found->value);
  return absl::OkStatus();
}

/// Levenshtein's distance.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

std::string unknown_annotation(std::string_view name) {
  std::string message = "there is no such annotation; it is ignored";
  if (const std::string_view nearest = nearest_annotation(name); !nearest.empty()) {
    message.append(" (did you mean ").append(kAnnotationPrefix).append(nearest).append("?)");
  }
  return message;
}

}  // namespace

std::string Annotation::type() const {
  constexpr std::array<const char*, 3> kTypes{"duration", "size", "word"};
  return kTypes[value.index()];
}

std::string Annotation::range() const {
  if (const auto* choice = std::get_if<ChoiceValue>(&value)) return words_of(*choice);
  if (const auto* size = std::get_if<SizeValue>(&value)) {
    return format_size(size->range.least) + " to " + format_size(size->range.most);
  }
  const model::DurationRange& range = std::get<DurationValue>(value).range;
  return format_duration(range.least) + " to " + format_duration(range.most);
}

std::span<const Annotation> annotations() { return kAnnotations; }

v1::RoutePolicy default_policy() {
  v1::RoutePolicy policy;
  policy.set_load_balance(v1::LOAD_BALANCE_LEAST_CONNECTIONS);
  assign(*policy.mutable_connect_timeout(), kConnectTimeout);
  assign(*policy.mutable_idle_timeout(), kIdleTimeout);
  assign(*policy.mutable_request_timeout(), kRequestTimeout);
  assign(*policy.mutable_upgrade_timeout(), kUpgradeTimeout);
  return policy;
}

v1::RoutePolicy policy_of(const kube::Ingress& ingress, ProblemList& problems) {
  v1::RoutePolicy policy = default_policy();
  for (const auto& [key, text] : ingress.metadata.annotations) {
    if (!key.starts_with(kAnnotationPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kAnnotationPrefix.size());
    const std::string field = "metadata.annotations[" + quote(key) + "]";
    const auto found = std::find_if(kAnnotations.begin(), kAnnotations.end(),
                                    [&](const Annotation& known) { return known.name == name; });
    if (found == kAnnotations.end()) {
      problems.add(Severity::kWarning, "Ingress", ingress.metadata.name, field,
                   unknown_annotation(name));
      continue;
    }
    const base::Status status = std::visit(
        [&, &value = text](const auto& kind) { return apply(kind, value, policy); }, found->value);
    if (status.ok()) continue;
    problems.add(Severity::kError, "Ingress", ingress.metadata.name, field,
                 std::string(status.message()) + "; the default (" +
                     std::string(found->default_text) + ") applies");
  }
  return policy;
}

std::string_view nearest_annotation(std::string_view name) {
  std::string_view nearest;
  // A third of the letters wrong is still a slip; more is another word.
  std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
  if (name.size() > kQuotedBytes) return nearest;
  for (const Annotation& known : kAnnotations) {
    const std::size_t edits = edits_between(name, known.name);
    if (edits < fewest) {
      fewest = edits;
      nearest = known.name;
    }
  }
  return nearest;
}

}  // namespace holdfast::controller
