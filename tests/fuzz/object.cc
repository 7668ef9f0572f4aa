// JSON of every kind becomes an object or a reason, the same one alone and in a list. The first
// byte of an input chooses the kind.

#include <nlohmann/json.hpp>

#include "kube/api_message.h"
#include "kube/json.h"
#include "kube/object_parser.h"
#include "tests/fuzz/target.h"

namespace holdfast::fuzz {
namespace {

using kube::Json;
using kube::Kind;
using kube::ParsedObject;

constexpr std::size_t kExpandedBytesMost = std::size_t{16} << 10;
constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

void require_sane(const ParsedObject& parsed, Kind kind) {
  if (!parsed.object.ok()) {
    require(!parsed.object.status().message().empty(), "what cannot be read has a reason");
    return;
  }
  const kube::Metadata& metadata = kube::metadata_of(*parsed.object);
  require(kube::kind_of(*parsed.object) == kind, "it is of its kind");
  require(!parsed.name.name.empty() && metadata.name == parsed.name, "it has its name");
  require(metadata.resource_version == parsed.resource_version, "it has its version");
  require(kube::is_namespaced(kind) || parsed.name.namespace_name.empty(),
          "what is the cluster's has no namespace");
  if (kind != Kind::kEndpoints) return;
  const auto& endpoints = *std::get<std::shared_ptr<const kube::Endpoints>>(*parsed.object);
  for (const kube::EndpointSlice& slice : kube::slices_of(endpoints)) {
    require(!slice.endpoints.empty(), "a slice that is made has endpoints");
    require(slice.service_name == metadata.name.name, "and is of the Service of that name");
  }
}

void require_same(const ParsedObject& a, const ParsedObject& b) {
  require(a.name == b.name && a.resource_version == b.resource_version,
          "the same name and version");
  require(a.object.ok() == b.object.ok(), "the same outcome");
  require(a.object.status() == b.object.status(), "the same reason");
}

void check_in_list(const std::string& text, const Json& value, Kind kind,
                   const ParsedObject& alone) {
  const std::string list = R"({"kind":")" + std::string(kube::to_string(kind)) +
                           R"(List","metadata":{"resourceVersion":"1"},"items":[)" + text + "]}";
  const auto page = kube::parse_list_page(kind, list);
  // A list is two levels deeper, which may be too deep.
  if (!page.ok() && page.status().message() == "nested too deeply") return;
  require(page.ok() == value.is_object(), "a list of objects is a list",
          std::string(page.status().message()));
  if (!page.ok()) return;
  require(page->objects.size() == 1, "of one object");
  require_same(page->objects[0], alone);
}

void run(std::string_view input) {
  if (input.empty()) return;
  const auto kind = static_cast<Kind>(static_cast<unsigned char>(input[0]) % kube::kKindCount);
  const std::string text = expand(input.substr(1), kExpandedBytesMost);
  const auto value = kube::parse_json(text);
  if (!value.ok()) {
    require(!value.status().message().empty(), "what is not JSON has a reason");
    return;
  }
  const ParsedObject parsed = kube::parse_object(kind, *value);
  require_sane(parsed, kind);

  const ParsedObject placed = kube::parse_object(kind, *value, "somewhere");
  require_sane(placed, kind);
  require(!placed.object.ok() || !kube::is_namespaced(kind) || !placed.name.namespace_name.empty(),
          "the namespace that stands in is used");

  const auto again = kube::parse_json(value->dump());
  require(again.ok(), "what was read is read again");
  require_same(kube::parse_object(kind, *again), parsed);
  if (!text.starts_with(kByteOrderMark)) check_in_list(text, *value, kind, parsed);
}

}  // namespace
}  // namespace holdfast::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  holdfast::fuzz::run(holdfast::fuzz::view_of(data, size));
  return 0;
}
