#include "model/resource.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>

#include <cstring>
#include <string_view>

#include "base/hash.h"

namespace holdfast::model {

namespace {

v1::Kind kind_of(const v1::Resource& resource) {
  switch (resource.body_case()) {
    case v1::Resource::kVirtualHost:
      return v1::KIND_VIRTUAL_HOST;
    case v1::Resource::kCluster:
      return v1::KIND_CLUSTER;
    case v1::Resource::kEndpointSet:
      return v1::KIND_ENDPOINT_SET;
    case v1::Resource::kServerName:
      return v1::KIND_SERVER_NAME;
    case v1::Resource::kCertificate:
      return v1::KIND_CERTIFICATE;
    case v1::Resource::kTrustBundle:
      return v1::KIND_TRUST_BUNDLE;
    case v1::Resource::BODY_NOT_SET:
      break;
  }
  return v1::KIND_UNSPECIFIED;
}

const char* kind_text(v1::Kind kind) {
  switch (kind) {
    case v1::KIND_VIRTUAL_HOST:
      return "VirtualHost";
    case v1::KIND_CLUSTER:
      return "Cluster";
    case v1::KIND_ENDPOINT_SET:
      return "EndpointSet";
    case v1::KIND_SERVER_NAME:
      return "ServerName";
    case v1::KIND_CERTIFICATE:
      return "Certificate";
    case v1::KIND_TRUST_BUNDLE:
      return "TrustBundle";
    default:
      return "resource of unknown kind";
  }
}

std::string serialize(const v1::Resource& resource) {
  std::string bytes;
  // The stream writes its last bytes when it goes. It cannot fail: the string grows, and proto3 has
  // no required fields.
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  resource.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string print(const v1::Resource& resource) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(resource, &json, options).ok()) {
    // Only bytes that are not UTF-8 lead here, and validate() lets none in.
    return "{}";
  }
  return json;
}

}  // namespace

ResourceKey key_of(const v1::Resource& resource) { return {kind_of(resource), resource.name()}; }

ResourceKey key_of(const v1::ResourceName& name) { return {name.kind(), name.name()}; }

v1::ResourceName name_of(const ResourceKey& key) {
  v1::ResourceName name;
  name.set_kind(key.kind);
  name.set_name(key.name);
  return name;
}

std::optional<ClusterName> parse_cluster_name(std::string_view name) {
  const std::size_t first = name.find('/');
  const std::size_t last = name.rfind('/');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return std::nullopt;
  const std::string_view service = name.substr(first + 1, last - first - 1);
  const std::string_view port = name.substr(last + 1);
  if (service.find('/') != std::string_view::npos || port.empty()) return std::nullopt;
  return ClusterName{std::string(name.substr(0, first)), std::string(service), std::string(port)};
}

std::string to_string(const ResourceKey& key) {
  return std::string(kind_text(key.kind)) + " " + key.name;
}

ResourcePtr seal(v1::Resource resource) {
  resource.clear_version();
  std::string content = serialize(resource);
  resource.set_version(base::fnv1a(content));
  if (resource.has_certificate()) ::explicit_bzero(content.data(), content.size());
  return share(std::move(resource));
}

void wipe_key(v1::Resource& resource) {
  if (!resource.has_certificate()) return;
  std::string& key = *resource.mutable_certificate()->mutable_private_key();
  ::explicit_bzero(key.data(), key.size());
}

ResourcePtr share(v1::Resource resource) {
  if (!resource.has_certificate()) {
    return std::make_shared<const v1::Resource>(std::move(resource));
  }
  return {new v1::Resource(std::move(resource)), [](v1::Resource* last) {
            wipe_key(*last);
            delete last;
          }};
}

std::string to_json(const v1::Resource& resource) {
  if (resource.has_certificate()) {
    v1::Resource public_part;
    public_part.set_name(resource.name());
    public_part.set_version(resource.version());
    *public_part.mutable_certificate()->mutable_origin() = resource.certificate().origin();
    public_part.mutable_certificate()->set_chain(resource.certificate().chain());
    return print(public_part);
  }
  return print(resource);
}

}  // namespace holdfast::model
