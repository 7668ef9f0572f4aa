#pragma once

// The annotations of ingress-nginx, for people who come from it: what Holdfast calls the same
// thing. Pure.

#include <optional>
#include <span>
#include <string_view>

namespace holdfast::controller {

inline constexpr std::string_view kNginxAnnotationPrefix = "nginx.ingress.kubernetes.io/";

struct NginxAnnotation {
  /// Without the prefix.
  std::string_view name;
  /// Holdfast's, without its prefix; empty: Holdfast needs none, since it does so anyway or has
  /// nothing of the kind.
  std::string_view ours;
};

/// Those that have an equivalent, or need none.
std::span<const NginxAnnotation> nginx_annotations();

/// The one of that name, without the prefix; absent: nothing of Holdfast's stands for it.
std::optional<NginxAnnotation> find_nginx_annotation(std::string_view name);

}  // namespace holdfast::controller
