#include "kube/api_writes.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/json.h"
#include "kube/object_parser.h"

namespace holdfast::kube {
namespace {

constexpr char kLeaseVersion[] = "coordination.k8s.io/v1";
constexpr char kJson[] = "application/json";
constexpr char kMergePatch[] = "application/merge-patch+json";
constexpr char kMetadataOnly[] =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Where the Event of an object without a namespace stands.
constexpr char kDefaultNamespace[] = "default";

std::string leases_path(const std::string& namespace_name) {
  return std::string("/apis/") + kLeaseVersion + "/namespaces/" + namespace_name + "/leases";
}

std::string event_namespace(const Event& event) {
  const std::string& of_subject = event.subject.name.namespace_name;
  return of_subject.empty() ? kDefaultNamespace : of_subject;
}

std::string events_path(const Event& event) {
  return "/api/v1/namespaces/" + event_namespace(event) + "/events";
}

/// Whatever is not UTF-8 is replaced: an object may name anything.
std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

base::StatusOr<std::string> utc(const char* format, std::time_t seconds) {
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return absl::OutOfRangeError("no such year");
  std::array<char, 32> text{};
  return std::string(text.data(), std::strftime(text.data(), text.size(), format, &parts));
}

Json published_json(const std::vector<PublishedAddress>& published) {
  Json addresses = Json::array();
  for (const PublishedAddress& address : published) {
    Json entry = Json::object();
    if (!address.ip.empty()) entry["ip"] = address.ip;
    if (!address.hostname.empty()) entry["hostname"] = address.hostname;
    addresses.push_back(std::move(entry));
  }
  return addresses;
}

/// managedFields, which parse_json() leaves out, of the status.
std::vector<std::string> status_writers_of(std::string_view body) {
  std::vector<std::string> writers;
  const Json value = Json::parse(body, nullptr, false);
  static const Json::json_pointer kPath("/metadata/managedFields");
  if (value.is_discarded() || !value.contains(kPath)) return writers;
  for (const Json& entry : value.at(kPath)) {
    base::Status complaint;
    const Fields fields(entry, complaint);
    if (fields.text("subresource") == "status") writers.push_back(fields.text("manager"));
  }
  return writers;
}

}  // namespace

std::string micro_time(base::WallTime time) {
  using std::chrono::microseconds;
  using std::chrono::seconds;
  const auto since = time.time_since_epoch();
  const auto whole = std::chrono::floor<seconds>(since);
  const auto rest = std::chrono::duration_cast<microseconds>(since - whole).count();
  std::array<char, 16> fraction{};
  std::snprintf(fraction.data(), fraction.size(), ".%06dZ", static_cast<int>(rest));
  return utc("%Y-%m-%dT%H:%M:%S", whole.count()).value_or("") + fraction.data();
}

std::string second_time(base::WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch());
  return utc("%Y-%m-%dT%H:%M:%SZ", whole.count()).value_or("");
}

ApiRequest read_lease(const ObjectName& name) {
  return {.target = leases_path(name.namespace_name) + "/" + name.name};
}

ApiRequest write_lease(const ObjectName& name, const Lease& lease) {
  Json spec = {{"holderIdentity", lease.holder},
               {"leaseDurationSeconds", lease.duration_seconds},
               {"leaseTransitions", lease.transitions}};
  if (!lease.acquire_time.empty()) spec["acquireTime"] = lease.acquire_time;
  if (!lease.renew_time.empty()) spec["renewTime"] = lease.renew_time;
  Json metadata = {{"namespace", name.namespace_name}, {"name", name.name}};
  const bool fresh = lease.resource_version.empty();
  if (!fresh) metadata["resourceVersion"] = lease.resource_version;
  const Json body = {{"apiVersion", kLeaseVersion},
                     {"kind", "Lease"},
                     {"metadata", std::move(metadata)},
                     {"spec", std::move(spec)}};
  const std::string collection = leases_path(name.namespace_name);
  return {.method = fresh ? "POST" : "PUT",
          .target = fresh ? collection : collection + "/" + name.name,
          .content_type = kJson,
          .body = text_of(body)};
}

base::StatusOr<Lease> parse_lease(std::string_view body) {
  const base::StatusOr<Json> value = parse_json(body);
  if (!value.ok()) return value.status();
  base::Status complaint;
  const Fields fields(*value, complaint);
  const Fields spec = fields.object("spec");
  Lease lease;
  lease.resource_version = fields.object("metadata").text("resourceVersion");
  lease.holder = spec.text("holderIdentity");
  lease.duration_seconds = spec.number("leaseDurationSeconds").value_or(0);
  lease.acquire_time = spec.text("acquireTime");
  lease.renew_time = spec.text("renewTime");
  lease.transitions = spec.number("leaseTransitions").value_or(0);
  if (!complaint.ok()) return complaint;
  if (lease.resource_version.empty()) return absl::InvalidArgumentError("no resource version");
  return lease;
}

ApiRequest read_ingress(const ObjectName& name) {
  return {.target = object_path(Kind::kIngress, name)};
}

base::StatusOr<IngressWithWriters> parse_ingress(std::string_view body) {
  const base::StatusOr<Json> value = parse_json(body);
  if (!value.ok()) return value.status();
  const ParsedObject parsed = parse_object(Kind::kIngress, *value);
  if (!parsed.object.ok()) return parsed.object.status();
  return IngressWithWriters{*std::get<std::shared_ptr<const Ingress>>(*parsed.object),
                            status_writers_of(body)};
}

ApiRequest patch_ingress_status(const Ingress& read, const std::vector<PublishedAddress>& published,
                                const std::string& manager) {
  const Json body = {{"metadata", {{"resourceVersion", read.metadata.resource_version}}},
                     {"status", {{"loadBalancer", {{"ingress", published_json(published)}}}}}};
  return {.method = "PATCH",
          .target = object_path(Kind::kIngress, read.metadata.name) +
                    "/status?fieldManager=" + percent_encoded(manager),
          .content_type = kMergePatch,
          .body = text_of(body)};
}

std::optional<Kind> kind_named(std::string_view name) {
  for (std::size_t i = 0; i < kKindCount; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (name == to_string(kind)) return kind;
  }
  return std::nullopt;
}

ApiRequest read_metadata_of(Kind kind, const ObjectName& name) {
  return {.target = object_path(kind, name), .accept = kMetadataOnly};
}

base::StatusOr<std::string> parse_uid(std::string_view body) {
  const base::StatusOr<Json> value = parse_json(body);
  if (!value.ok()) return value.status();
  base::Status complaint;
  std::string uid = Fields(*value, complaint).object("metadata").text("uid");
  if (!complaint.ok()) return complaint;
  return uid;
}

ApiRequest create_event(const Event& event) {
  const Subject& subject = event.subject;
  Json involved = {{"kind", subject.kind}, {"name", subject.name.name}};
  if (!subject.name.namespace_name.empty()) involved["namespace"] = subject.name.namespace_name;
  if (const auto kind = kind_named(subject.kind)) involved["apiVersion"] = api_version_of(*kind);
  if (!subject.uid.empty()) involved["uid"] = subject.uid;
  const Json body = {{"apiVersion", "v1"},
                     {"kind", "Event"},
                     {"metadata", {{"namespace", event_namespace(event)}, {"name", event.name}}},
                     {"involvedObject", std::move(involved)},
                     {"type", event.type},
                     {"reason", event.reason},
                     {"message", event.message},
                     {"count", event.count},
                     {"firstTimestamp", second_time(event.first)},
                     {"lastTimestamp", second_time(event.last)},
                     {"source", {{"component", "holdfast"}}},
                     {"reportingComponent", "holdfast.dev/controller"},
                     {"reportingInstance", event.instance}};
  return {.method = "POST",
          .target = events_path(event),
          .content_type = kJson,
          .body = text_of(body)};
}

ApiRequest repeat_event(const Event& event) {
  Json body = {{"lastTimestamp", second_time(event.last)}};
  if (event.count > 0) body["count"] = event.count;
  return {.method = "PATCH",
          .target = events_path(event) + "/" + event.name,
          .content_type = kMergePatch,
          .body = text_of(body)};
}

}  // namespace holdfast::kube
