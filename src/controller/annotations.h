#pragma once

// The holdfast.dev/ annotations of an Ingress, each declared once: parser, problems and
// documentation come from that declaration. Pure.

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "controller/compile.h"
#include "controller/problem_list.h"
#include "model/limits.h"

namespace holdfast::controller {

inline constexpr std::string_view kAnnotationPrefix = "holdfast.dev/";

/// How pods are spoken to.
struct UpstreamSettings {
  /// Absent: as the Service's port says (core/v1 ServicePort.appProtocol).
  std::optional<bool> tls;
  /// Which name the pods' certificates must have; empty: the Service's.
  std::string server_name;
  /// NAME or NAMESPACE/NAME of the Secret with their authorities and our own certificate; empty:
  /// none. Once in an IngressResult it is a name alone.
  std::string secret;
  bool unverified = false;

  bool operator==(const UpstreamSettings&) const = default;
  [[nodiscard]] bool says_something() const { return *this != UpstreamSettings(); }
};

/// Which certificates clients must have.
struct ClientSettings {
  /// As UpstreamSettings::secret has it; empty: clients are not asked for certificates.
  std::string secret;
  bool optional = false;
  std::uint32_t depth = 0;
  bool forwarded = false;

  bool operator==(const ClientSettings&) const = default;
  [[nodiscard]] bool asks() const { return !secret.empty(); }
};

/// In the place of a Secret's name that is wrong: no object is called so, and what needs it is
/// refused.
inline constexpr char kNoSecret[] = "-";

/// What the annotations of one Ingress say.
struct Settings {
  model::v1::RoutePolicy policy;
  /// Absent: none. Of the Clusters that the Ingress names first.
  std::optional<model::v1::HealthCheck> health_check;
  /// Absent: handshakes go where plain requests go.
  std::optional<kube::IngressBackend> websocket_service;
  /// The cluster IP of each Service is its only endpoint.
  bool service_upstream = false;
  /// As IngressResult has it.
  bool forces_https = false;
  UpstreamSettings upstream;
  ClientSettings client;
};

/// What is being read: parts that only count when another annotation asks for them.
struct Draft {
  Settings settings;
  bool has_affinity = false;
  model::v1::Affinity affinity;
  bool has_hash = false;
  model::v1::HashBy hash;
  bool has_origins = false;
  model::v1::OriginCheck origins;
  /// An allow list that names nobody: nobody is let in, whatever is denied.
  bool allows_nobody = false;
  model::v1::HealthCheck health;
  /// 0: no Strict-Transport-Security field.
  base::Duration hsts_max_age{};
  bool hsts_subdomains = false;
  bool hsts_preload = false;

  model::v1::RoutePolicy& policy() { return settings.policy; }
};

/// A duration (see parse_duration()) within a range.
struct DurationValue {
  model::DurationRange range;
  void (*set)(Draft& draft, base::Duration value);
};

/// A number of bytes (see parse_size()) within a range.
struct SizeValue {
  model::SizeRange range;
  void (*set)(Draft& draft, std::uint64_t value);
};

/// A whole number within a range.
struct NumberValue {
  model::NumberRange range;
  void (*set)(Draft& draft, std::uint32_t value);
};

/// One of a few words.
struct ChoiceValue {
  struct Choice {
    std::string_view word;
    int value;
  };
  std::span<const Choice> choices;
  void (*set)(Draft& draft, int value);
};

/// Anything else. `set` answers with half a sentence, and has then left a draft that is safe.
struct TextValue {
  std::string_view type;
  /// What may stand there, for people.
  std::string_view range;
  base::Status (*set)(Draft& draft, std::string_view text);
};

/// To which connections a changed value applies.
enum class Applies { kNewConnections, kOpenConnections };

/// Which commands know it.
enum class Scope {
  /// An Ingress's annotation, and a sidecar's flag of the same name.
  kEverywhere,
  /// An Ingress's annotation alone: it chooses between pods, or between Services.
  kIngress,
};

struct Annotation {
  /// Without the prefix.
  std::string_view name;
  std::variant<DurationValue, SizeValue, NumberValue, ChoiceValue, TextValue> value;
  /// For people; default_policy() is what is in force.
  std::string_view default_text;
  Applies applies = Applies::kNewConnections;
  /// One sentence.
  std::string_view summary;
  /// What holds when the value is wrong; empty: the default. Where a default would let in whom the
  /// author wanted to keep out, the wrong value closes.
  std::string_view when_wrong = {};
  /// The annotation without which this one does nothing.
  std::string_view only_with = {};
  Scope scope = Scope::kEverywhere;

  /// "duration", "size", "number", "word", or a TextValue's own.
  [[nodiscard]] std::string type() const;
  /// "1ms to 1h" or "least-connections, round-robin".
  [[nodiscard]] std::string range() const;
};

/// In the order in which documentation lists them.
std::span<const Annotation> annotations();

/// What holds for a route whose Ingress has no annotation.
model::v1::RoutePolicy default_policy();

/// Told of a value that is wrong: the annotation's name, what is wrong, and what holds instead;
/// both are half a sentence.
using OnWrongValue = std::function<void(Severity severity, std::string_view name,
                                        const std::string& reason, const std::string& instead)>;

/// What holds where an Ingress says nothing.
struct Defaults {
  Draft draft;
  /// Who says so, for people, by the annotation's name; none: it is the built-in default.
  std::map<std::string, std::string, std::less<>> said_by;
};

/// What holds where nobody says anything.
Defaults built_in_defaults();

/// Lays what a ConfigMap says, in keys that are annotations' names without the prefix, over
/// `defaults`; what is wrong is a problem of the ConfigMap, and leaves what was there, or closes as
/// the same annotation does.
void lay_over(const kube::ConfigMap& config_map, Defaults& defaults, ProblemList& problems);

/// The settings that `values` (names without the prefix, and texts) make of `defaults`. A value
/// that does not parse or is out of range is wrong, and so is a name that does not exist.
Settings settings_of(std::span<const std::pair<std::string_view, std::string_view>> values,
                     const Defaults& defaults, const OnWrongValue& on_wrong);

/// Those that an Ingress makes of `defaults`; what is wrong is a problem of it.
Settings settings_of(const kube::Ingress& ingress, const Defaults& defaults, ProblemList& problems);

/// Where a problem with the value of an annotation belongs.
struct ValuePlace {
  /// Of the Ingress; empty where it does not say so itself.
  std::string field;
  /// In front of the sentence: who says so, where the Ingress does not; ends with ": ".
  std::string who;
};

/// 'metadata.annotations["holdfast.dev/NAME"]'
std::string field_of_annotation(std::string_view name);

/// Of the annotation of that name, without the prefix.
ValuePlace place_of_value(const kube::Ingress& ingress, const Defaults& defaults,
                          std::string_view name);

/// The declared annotation whose name is nearest to `name` by edits, if it is near enough to be
/// meant; else empty.
std::string_view nearest_annotation(std::string_view name);

}  // namespace holdfast::controller
