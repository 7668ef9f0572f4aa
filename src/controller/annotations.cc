#include "controller/annotations.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "base/ascii.h"
#include "controller/annotation_table.h"
#include "controller/annotation_texts.h"
#include "controller/duration.h"
#include "controller/limits.h"
#include "controller/quote.h"
#include "controller/size.h"

namespace holdfast::controller {

namespace v1 = model::v1;

namespace {

/// Sets `value`, which `format` writes, when it is within the range.
template <class Kind, class Value, class Format>
base::Status set_within(const Kind& kind, std::string_view text, const Value& value, Format format,
                        Draft& draft) {
  if (!value.ok()) return value.status();
  if (*value < kind.range.least || *value > kind.range.most) {
    return absl::OutOfRangeError(quote(text) + " is not between " + format(kind.range.least) +
                                 " and " + format(kind.range.most));
  }
  kind.set(draft, *value);
  return absl::OkStatus();
}

base::Status apply(const DurationValue& kind, std::string_view text, Draft& draft) {
  return set_within(kind, text, parse_duration(text), format_duration, draft);
}

base::Status apply(const SizeValue& kind, std::string_view text, Draft& draft) {
  return set_within(kind, text, parse_size(text), format_size, draft);
}

base::Status apply(const NumberValue& kind, std::string_view text, Draft& draft) {
  base::StatusOr<std::uint32_t> value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) {
    value = absl::InvalidArgumentError(quote(text) + " is not a whole number");
  }
  return set_within(
      kind, text, value, [](std::uint32_t n) { return std::to_string(n); }, draft);
}

base::Status apply(const TextValue& kind, std::string_view text, Draft& draft) {
  return kind.set(draft, text);
}

std::string words_of(const ChoiceValue& kind) {
  std::string words;
  for (const auto& choice : kind.choices) {
    if (!words.empty()) words += ", ";
    words += choice.word;
  }
  return words;
}

base::Status apply(const ChoiceValue& kind, std::string_view text, Draft& draft) {
  const auto found = std::find_if(kind.choices.begin(), kind.choices.end(),
                                  [&](const auto& choice) { return choice.word == text; });
  if (found == kind.choices.end()) {
    return absl::InvalidArgumentError(quote(text) + " is not one of " + words_of(kind));
  }
  kind.set(draft, found->value);
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

/// Null: there is none.
const Annotation* find_annotation(std::string_view name) {
  const auto found =
      std::find_if(annotations().begin(), annotations().end(),
                   [name](const Annotation& annotation) { return annotation.name == name; });
  return found == annotations().end() ? nullptr : &*found;
}

base::Status set(const Annotation& annotation, std::string_view text, Draft& draft) {
  return std::visit([&](const auto& kind) { return apply(kind, text, draft); }, annotation.value);
}

/// `prefix` is what names have where they are written.
std::string instead_of_unknown(std::string_view name, std::string_view prefix) {
  std::string instead = "it is ignored";
  if (const std::string_view nearest = nearest_annotation(name); !nearest.empty()) {
    instead.append(" (did you mean ").append(prefix).append(nearest).append("?)");
  }
  return instead;
}

/// What holds where `annotation` is wrong.
std::string instead_of_wrong(const Annotation& annotation, const Defaults& defaults) {
  if (!annotation.when_wrong.empty()) return std::string(annotation.when_wrong);
  const auto below = defaults.said_by.find(annotation.name);
  if (below != defaults.said_by.end()) return "what " + below->second + " says applies";
  return "the default (" + std::string(annotation.default_text) + ") applies";
}

using Values = std::span<const std::pair<std::string_view, std::string_view>>;

bool names(Values values, std::string_view name) {
  return std::any_of(values.begin(), values.end(),
                     [&](const auto& value) { return value.first == name; });
}

/// What a browser asks of a cookie with such a name, in any case (RFC 6265bis section 4.1.3); it
/// drops one that is otherwise. Half a sentence; empty: it takes this one.
std::string_view wrong_prefix(const v1::Affinity& affinity) {
  const std::string name = base::lower_case(affinity.cookie_name());
  const bool host = name.starts_with("__host-");
  if (!host && !name.starts_with("__secure-")) return {};
  const bool secure = affinity.cookie_secure() == v1::SECURE_ALWAYS ||
                      affinity.cookie_same_site() == v1::SAME_SITE_NONE;
  if (!secure) return "browsers drop a cookie of this name without affinity-cookie-secure: true";
  if (host && affinity.cookie_path() != "/") {
    return "browsers drop a cookie of this name without affinity-cookie-path: /";
  }
  return {};
}

Settings finish(Draft draft, const Defaults& defaults, const OnWrongValue& on_wrong) {
  v1::RoutePolicy& policy = draft.policy();
  if (draft.allows_nobody) deny_everybody(policy);
  if (draft.has_affinity) {
    if (const std::string_view reason = wrong_prefix(draft.affinity); !reason.empty()) {
      draft.affinity.set_cookie_name(defaults.draft.affinity.cookie_name());
      if (!wrong_prefix(draft.affinity).empty()) draft.affinity.set_cookie_name(kCookieName);
      on_wrong(Severity::kError, "affinity-cookie-name", std::string(reason),
               "the default (" + draft.affinity.cookie_name() + ") applies");
    }
    *policy.mutable_affinity() = std::move(draft.affinity);
  }
  if (draft.has_hash) *policy.mutable_hash_by() = std::move(draft.hash);
  if (draft.has_origins) *policy.mutable_origin_check() = std::move(draft.origins);
  if (draft.hsts_max_age > base::Duration::zero()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(draft.hsts_max_age);
    std::string field = "max-age=" + std::to_string(seconds.count());
    if (draft.hsts_subdomains) field += "; includeSubDomains";
    if (draft.hsts_preload) field += "; preload";
    policy.set_strict_transport_security(std::move(field));
  }
  if (!draft.health.path().empty()) {
    draft.health.set_host(policy.upstream_host());
    draft.health.set_proxy_protocol(policy.proxy_protocol());
    draft.settings.health_check = std::move(draft.health);
  }
  return std::move(draft.settings);
}

}  // namespace

std::string Annotation::type() const {
  if (const auto* text = std::get_if<TextValue>(&value)) return std::string(text->type);
  constexpr std::array<const char*, 4> kTypes{"duration", "size", "number", "word"};
  return kTypes[value.index()];
}

std::string Annotation::range() const {
  struct Range {
    std::string operator()(const DurationValue& kind) const {
      return format_duration(kind.range.least) + " to " + format_duration(kind.range.most);
    }
    std::string operator()(const SizeValue& kind) const {
      return format_size(kind.range.least) + " to " + format_size(kind.range.most);
    }
    std::string operator()(const NumberValue& kind) const {
      return std::to_string(kind.range.least) + " to " + std::to_string(kind.range.most);
    }
    std::string operator()(const ChoiceValue& kind) const { return words_of(kind); }
    std::string operator()(const TextValue& kind) const { return std::string(kind.range); }
  };
  return std::visit(Range(), value);
}

Defaults built_in_defaults() {
  Defaults defaults;
  Draft& draft = defaults.draft;
  draft.settings.policy = default_policy();
  draft.affinity = default_affinity();
  draft.hash.set_balance_factor(kBalanceFactor);
  draft.health = default_health_check();
  draft.settings.client = default_client_settings();
  return defaults;
}

void lay_over(const kube::ConfigMap& config_map, Defaults& defaults, ProblemList& problems) {
  const kube::ObjectName& object = config_map.metadata.name;
  const Defaults below = defaults;
  for (const auto& entry : config_map.data) {
    const std::string& name = entry.first;
    const auto wrong = [&](Severity severity, const std::string& message) {
      problems.add(severity, "ConfigMap", object, "data[" + quote(name) + "]", message);
    };
    const Annotation* known = find_annotation(name);
    if (known == nullptr) {
      wrong(Severity::kWarning, "there is no such setting; " + instead_of_unknown(name, ""));
      continue;
    }
    const base::Status status = set(*known, entry.second, defaults.draft);
    if (!status.ok()) {
      wrong(Severity::kError,
            std::string(status.message()) + "; " + instead_of_wrong(*known, below));
    }
    if (!status.ok() && known->when_wrong.empty()) continue;
    defaults.said_by[name] = "ConfigMap " + quote(object.namespace_name + "/" + object.name);
  }
}

Settings settings_of(Values values, const Defaults& defaults, const OnWrongValue& on_wrong) {
  Draft draft = defaults.draft;
  for (const auto& [name, text] : values) {
    const Annotation* known = find_annotation(name);
    if (known == nullptr) {
      on_wrong(Severity::kWarning, name, "there is no such annotation",
               instead_of_unknown(name, kAnnotationPrefix));
      continue;
    }
    const std::string_view needed = known->only_with;
    if (!needed.empty() && !names(values, needed) && !defaults.said_by.contains(needed)) {
      on_wrong(Severity::kWarning, name, "it does nothing without " + std::string(needed),
               "it is ignored");
    }
    const base::Status status = set(*known, text, draft);
    if (status.ok()) continue;
    on_wrong(Severity::kError, name, std::string(status.message()),
             instead_of_wrong(*known, defaults));
  }
  return finish(std::move(draft), defaults, on_wrong);
}

Settings settings_of(const kube::Ingress& ingress, const Defaults& defaults,
                     ProblemList& problems) {
  std::vector<std::pair<std::string_view, std::string_view>> ours;
  for (const auto& [key, text] : ingress.metadata.annotations) {
    if (key.starts_with(kAnnotationPrefix)) {
      ours.emplace_back(std::string_view(key).substr(kAnnotationPrefix.size()), text);
    }
  }
  return settings_of(ours, defaults,
                     [&](Severity severity, std::string_view name, const std::string& reason,
                         const std::string& instead) {
                       // What two of them say may be wrong only together.
                       const ValuePlace place = place_of_value(ingress, defaults, name);
                       problems.add(severity, "Ingress", ingress.metadata.name, place.field,
                                    place.who + reason + "; " + instead);
                     });
}

std::string field_of_annotation(std::string_view name) {
  return "metadata.annotations[" + quote(std::string(kAnnotationPrefix) + std::string(name)) + "]";
}

ValuePlace place_of_value(const kube::Ingress& ingress, const Defaults& defaults,
                          std::string_view name) {
  const std::string key = std::string(kAnnotationPrefix) + std::string(name);
  const auto elsewhere = defaults.said_by.find(name);
  if (elsewhere == defaults.said_by.end() || ingress.metadata.annotations.contains(key)) {
    return {.field = field_of_annotation(name), .who = ""};
  }
  return {.field = "", .who = std::string(name) + " of " + elsewhere->second + ": "};
}

std::string_view nearest_annotation(std::string_view name) {
  std::string_view nearest;
  // A third of the letters wrong is still a slip; more is another word.
  std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
  if (name.size() > kQuotedBytes) return nearest;
  for (const Annotation& known : annotations()) {
    const std::size_t edits = edits_between(name, known.name);
    if (edits < fewest) {
      fewest = edits;
      nearest = known.name;
    }
  }
  return nearest;
}

}  // namespace holdfast::controller
