#pragma once

// Kubernetes objects in JSON become typed values. Pure; any thread; no exception leaves.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/status.h"
#include "kube/objects.h"

namespace holdfast::kube {

/// An object, or why there is none. Name and resource version are as far as they could be read;
/// `name.name` is empty when even that failed.
struct ParsedObject {
  ObjectName name;
  std::string resource_version;
  base::StatusOr<Object> object = base::Status(absl::StatusCode::kUnknown, "not read");
};

/// Reads one object of a known kind. null is absent, unknown fields are ignored, a field of the
/// wrong type is an error that names it. Of the annotations, kubectl's copy of the whole object is
/// left out. `default_namespace` stands in where a namespaced object names none.
ParsedObject parse_object(Kind kind, const nlohmann::json& value,
                          const std::string& default_namespace = "");

/// "networking.k8s.io/v1", ... as in `apiVersion:`.
const char* api_version_of(Kind kind);
/// False: objects of this kind are of the whole cluster.
bool is_namespaced(Kind kind);
/// Where the API server serves the objects of a kind, such as /api/v1/services: those of every
/// namespace, or of one. The namespace of a cluster-scoped kind is not looked at.
std::string collection_path(Kind kind, const std::string& namespace_name = "");
/// Where it serves one object. The namespace of a cluster-scoped kind is not looked at.
std::string object_path(Kind kind, const ObjectName& name);

}  // namespace holdfast::kube
