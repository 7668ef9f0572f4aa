#pragma once

// The holdfast.dev/ annotations of an Ingress, each declared once: parser, problems and
// documentation come from that declaration. Pure.

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "controller/compile.h"
#include "controller/problem_list.h"
#include "model/limits.h"

namespace holdfast::controller {

inline constexpr std::string_view kAnnotationPrefix = "holdfast.dev/";

/// A duration (see parse_duration()) within a range.
struct DurationValue {
  model::DurationRange range;
  void (*set)(model::v1::RoutePolicy& policy, base::Duration value);
};

/// A number of bytes (see parse_size()) within a range.
struct SizeValue {
  model::SizeRange range;
  void (*set)(model::v1::RoutePolicy& policy, std::uint64_t value);
};

/// One of a few words.
struct ChoiceValue {
  struct Choice {
    std::string_view word;
    int value;
  };
  std::span<const Choice> choices;
  void (*set)(model::v1::RoutePolicy& policy, int value);
};

/// To which connections a changed value applies.
enum class Applies { kNewConnections, kOpenConnections };

struct Annotation {
  /// Without the prefix.
  std::string_view name;
  std::variant<DurationValue, SizeValue, ChoiceValue> value;
  /// For people; default_policy() is what is in force.
  std::string_view default_text;
  Applies applies;
  /// One sentence.
  std::string_view summary;

  /// "duration", "size" or "word".
  [[nodiscard]] std::string type() const;
  /// "1ms to 1h" or "least-connections, round-robin".
  [[nodiscard]] std::string range() const;
};

/// In the order in which documentation lists them.
std::span<const Annotation> annotations();

/// What holds for a route whose Ingress has no annotation.
model::v1::RoutePolicy default_policy();

/// The policy of an Ingress's routes. A value that does not parse or is out of range is a problem
/// on the Ingress and the default stays; so is a holdfast.dev/ annotation that does not exist.
model::v1::RoutePolicy policy_of(const kube::Ingress& ingress, ProblemList& problems);

/// The declared annotation whose name is nearest to `name` by edits, if it is near enough to be
/// meant; else empty.
std::string_view nearest_annotation(std::string_view name);

}  // namespace holdfast::controller
