#pragma once

// The requests that write, and the answers to them: leases, the status of Ingresses, Events. Pure:
// values in, texts out and the other way round; any thread; no exception leaves.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "kube/api_server.h"
#include "kube/objects.h"

namespace holdfast::kube {

/// coordination.k8s.io/v1 Lease
struct Lease {
  /// Opaque; empty: it is to be created.
  std::string resource_version;
  /// Empty: nobody holds it.
  std::string holder;
  std::int32_t duration_seconds = 0;
  /// As written (MicroTime); compared for equality only.
  std::string acquire_time;
  std::string renew_time;
  /// How often it changed hands.
  std::int32_t transitions = 0;

  /// Whatever the resource version: the same record.
  [[nodiscard]] bool same_record(const Lease& other) const {
    return holder == other.holder && duration_seconds == other.duration_seconds &&
           acquire_time == other.acquire_time && renew_time == other.renew_time &&
           transitions == other.transitions;
  }
};

ApiRequest read_lease(const ObjectName& name);
/// POST where `lease` has no resource version, else PUT, which is refused with 409 when somebody
/// else wrote since.
ApiRequest write_lease(const ObjectName& name, const Lease& lease);
base::StatusOr<Lease> parse_lease(std::string_view body);

/// RFC 3339 in UTC with six digits behind the point (meta/v1 MicroTime), or with none (meta/v1
/// Time).
std::string micro_time(base::WallTime time);
std::string second_time(base::WallTime time);

/// An Ingress and who wrote its status (metadata.managedFields).
struct IngressWithWriters {
  Ingress ingress;
  std::vector<std::string> status_writers;
};

ApiRequest read_ingress(const ObjectName& name);
base::StatusOr<IngressWithWriters> parse_ingress(std::string_view body);
/// Writes status.loadBalancer.ingress as `manager`; empty: takes it away. Refused with 409 when the
/// object is no longer of that version.
ApiRequest patch_ingress_status(const Ingress& read, const std::vector<PublishedAddress>& published,
                                const std::string& manager);

/// The object that an Event is about.
struct Subject {
  std::string kind;
  ObjectName name;
  std::string uid;
};

/// Absent: nothing at the API server is of this kind.
std::optional<Kind> kind_named(std::string_view name);
/// Asks for the metadata alone, so that no Secret's data travels.
ApiRequest read_metadata_of(Kind kind, const ObjectName& name);
/// metadata.uid
base::StatusOr<std::string> parse_uid(std::string_view body);

/// core/v1 Event
struct Event {
  /// Of the Event itself; its namespace is the subject's, "default" where that has none.
  std::string name;
  Subject subject;
  /// "Normal" or "Warning".
  std::string type;
  /// One word in CamelCase.
  std::string reason;
  /// 1,024 bytes at the most.
  std::string message;
  std::int32_t count = 1;
  base::WallTime first;
  base::WallTime last;
  /// reportingInstance: the pod.
  std::string instance;
};

/// 409: there is one of this name.
ApiRequest create_event(const Event& event);
/// Says of the Event of this name that it happened again. A count of 0: how often is not known.
/// 404: it is there no longer.
ApiRequest repeat_event(const Event& event);

}  // namespace holdfast::kube
