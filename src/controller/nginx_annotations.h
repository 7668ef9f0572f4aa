#pragma once

// The annotations of ingress-nginx, for people who come from it: what Holdfast calls the same
// thing. Pure.

#include <optional>
#include <span>
#include <string_view>

namespace holdfast::controller {

inline constexpr std::string_view kNginxAnnotationPrefix = "nginx.ingress.kubernetes.io/";

struct NginxAnnotation {
  enum class Likeness : unsigned char {
    /// The same values mean the same.
    kSame,
    /// For the same purpose, with values of another form or reach.
    kNear,
    /// Holdfast does so anyway, or has nothing that it would change.
    kNotNeeded,
  };

  /// Without the prefix.
  std::string_view name;
  /// Holdfast's, without its prefix; empty: none is needed.
  std::string_view ours;
  Likeness likeness;
};

/// Those that have an equivalent, or need none.
std::span<const NginxAnnotation> nginx_annotations();

/// The one of that name, without the prefix; absent: nothing of Holdfast's stands for it.
std::optional<NginxAnnotation> find_nginx_annotation(std::string_view name);

}  // namespace holdfast::controller
