#include "kube/manifest_folder.h"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "kube/json.h"
#include "kube/object_parser.h"
#include "kube/yaml.h"

namespace holdfast::kube {
namespace {

/// In the order in which the sink hears of them: what a class names is known before the class.
constexpr Kind kAllKinds[] = {Kind::kConfigMap,     Kind::kNamedSecret,  Kind::kSecret,
                              Kind::kIngress,       Kind::kIngressClass, Kind::kService,
                              Kind::kEndpointSlice, Kind::kEndpoints};

/// As the API server would be asked: those of one type all together, all of them by name.
void split_secrets(std::map<ObjectName, Object>& secrets, std::map<ObjectName, Object>& named) {
  for (const auto& [name, object] : secrets) {
    const auto& secret = std::get<std::shared_ptr<const Secret>>(object);
    named.emplace(name, std::make_shared<const NamedSecret>(*secret));
  }
  std::erase_if(secrets, [](const auto& entry) {
    return std::get<std::shared_ptr<const Secret>>(entry.second)->type != kTlsSecretType;
  });
}

std::string_view group_of(std::string_view version) {
  const std::size_t slash = version.find('/');
  return slash == std::string_view::npos ? "" : version.substr(0, slash);
}

/// The kind of ours that a document is of, in whatever version.
std::optional<Kind> known_kind(std::string_view kind, std::string_view version) {
  for (const Kind known : kAllKinds) {
    if (known == Kind::kNamedSecret || kind != to_string(known) || version.empty()) continue;
    const bool was_moved = known == Kind::kIngress && group_of(version) == "extensions";
    if (group_of(version) == group_of(api_version_of(known)) || was_moved) return known;
  }
  return std::nullopt;
}

/// The kinds of those groups of which every kind is known here, so that any other one is misspelt.
constexpr std::array<std::string_view, 3> kOthersOfOurGroups = {"NetworkPolicy", "IPAddress",
                                                                "ServiceCIDR"};

/// What is wrong with a document of no kind of ours; empty: it is a foreign kind, which is nobody's
/// mistake.
std::string mistake_in(const std::string& kind, const std::string& version) {
  if (kind.empty()) return "a document has no kind";
  if (version.empty()) return kind + ": there is no apiVersion";
  const bool is_ours =
      version == api_version_of(Kind::kIngress) || version == api_version_of(Kind::kEndpointSlice);
  const bool is_other = std::find(kOthersOfOurGroups.begin(), kOthersOfOurGroups.end(), kind) !=
                        kOthersOfOurGroups.end();
  return is_ours && !is_other ? version + " has no kind " + kind : "";
}

base::StatusOr<std::vector<Json>> parse_file(const std::string& name, const std::string& content) {
  if (content.find_first_not_of(" \t\r\n") == std::string::npos) {
    return absl::InvalidArgumentError("the file is empty; remove it to remove its objects");
  }
  if (!name.ends_with(".json")) return parse_yaml(content);
  base::StatusOr<Json> document = parse_json(content);
  if (!document.ok()) return document.status();
  std::vector<Json> documents;
  documents.push_back(*std::move(document));
  return documents;
}

/// Stands in for the API server's resource version: the same content has the same one.
void stamp(Json& document) {
  const auto metadata = document.find("metadata");
  if (metadata == document.end() || !metadata->is_object()) return;
  metadata->erase("resourceVersion");
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  (*metadata)["resourceVersion"] = "content-" + std::to_string(std::hash<std::string>()(text));
}

/// A file that keeps its last content although `files` says it is gone or broken stays reported.
void add_problem(std::string& problem, const std::string& more) {
  if (!problem.empty()) problem += "; ";
  problem += more;
}

}  // namespace

void ManifestFolder::set_file(const std::string& name, const base::StatusOr<std::string>& content) {
  File& file = files_[name];
  base::StatusOr<std::vector<Json>> documents =
      content.ok() ? parse_file(name, *content) : content.status();
  File fresh;
  for (std::size_t i = 0; documents.ok() && i < documents->size(); ++i) {
    if ((*documents)[i].is_object()) {
      read_document(name, (*documents)[i], file, fresh);
    } else if (!(*documents)[i].is_null()) {
      documents =
          absl::InvalidArgumentError("document " + std::to_string(i + 1) + ": expected an object");
    }
  }
  if (!documents.ok()) {
    file.problem = std::string(documents.status().message());
    return;
  }
  // A document that does not say which object it is may be any of those that are missing now.
  if (!fresh.problem.empty()) keep_missing(file.entries, fresh.entries);
  add_other_versions(file, fresh);
  file = std::move(fresh);
}

void ManifestFolder::keep_missing(const std::vector<Entry>& last, std::vector<Entry>& entries) {
  for (const Entry& old : last) {
    const bool known = std::any_of(entries.begin(), entries.end(),
                                   [&](const Entry& entry) { return entry.key == old.key; });
    if (!known) entries.push_back(old);
  }
}

void ManifestFolder::add_other_versions(const File& last, File& fresh) {
  const auto with_key = [](auto& entries, const Key& key) {
    return std::find_if(entries.begin(), entries.end(),
                        [&](const Entry& entry) { return entry.key == key; });
  };
  for (Entry& other : std::exchange(fresh.of_other_versions, {})) {
    const auto read = with_key(fresh.entries, other.key);
    if (read != fresh.entries.end()) {
      add_problem(read->problem, other.problem);
      continue;
    }
    const auto before = with_key(last.entries, other.key);
    if (before != last.entries.end()) other.object = before->object;
    fresh.entries.push_back(std::move(other));
  }
}

void ManifestFolder::read_document(const std::string& file_name, Json& document, const File& last,
                                   File& into) const {
  base::Status complaint;
  const Fields fields(document, complaint);
  const std::string kind = fields.text("kind");
  const std::string version = fields.text("apiVersion");
  if (!complaint.ok()) return add_problem(into.problem, std::string(complaint.message()));
  if (kind.ends_with("List") && document.contains("items")) {
    const std::string item_kind = kind.substr(0, kind.size() - 4);
    return read_list(file_name, item_kind, version, document, last, into);
  }
  const std::optional<Kind> known = known_kind(kind, version);
  if (!known) {
    if (std::string mistake = mistake_in(kind, version); !mistake.empty()) {
      return add_problem(into.problem, mistake);
    }
    log_.info("manifest of a kind that is not used, skipped",
              {{"file", std::string_view(file_name)},
               {"kind", std::string_view(kind)},
               {"api_version", std::string_view(version)}});
    return;
  }
  stamp(document);
  ParsedObject parsed = parse_object(*known, document, "default");
  if (parsed.name.name.empty()) {
    return add_problem(into.problem, kind + ": " + std::string(parsed.object.status().message()));
  }
  if (version != api_version_of(*known)) {
    into.of_other_versions.push_back(
        {{*known, parsed.name},
         std::nullopt,
         "its version " + version + " is not read, " + api_version_of(*known) + " is"});
    return;
  }
  Entry entry{{*known, parsed.name}, std::nullopt, ""};
  if (parsed.object.ok()) {
    entry.object = *std::move(parsed.object);
  } else {
    entry.problem = std::string(parsed.object.status().message());
    for (const Entry& old : last.entries) {
      if (old.key == entry.key) entry.object = old.object;
    }
  }
  into.entries.push_back(std::move(entry));
}

void ManifestFolder::read_list(const std::string& file_name, const std::string& item_kind,
                               const std::string& item_version, Json& list, const File& last,
                               File& into) const {
  Json& items = list["items"];
  if (items.is_null()) return;
  if (!items.is_array()) return add_problem(into.problem, "items: expected a list");
  for (Json& item : items) {
    if (!item.is_object()) {
      add_problem(into.problem, "items: expected objects");
      continue;
    }
    // The items of a list of one kind leave out what the list has said.
    if (!item_kind.empty() && !item.contains("kind")) {
      item["kind"] = item_kind;
      item["apiVersion"] = item_version;
    }
    read_document(file_name, item, last, into);
  }
}

void ManifestFolder::remove_file(const std::string& name) { files_.erase(name); }

void ManifestFolder::merge(std::array<Objects, kKindCount>& objects,
                           std::map<ProblemKey, std::string>& problems) const {
  std::map<Key, std::string> defined_in;
  if (!folder_problem_.empty()) problems[{"Manifest", {"", "."}}] = folder_problem_;
  for (const auto& [name, file] : files_) {
    if (!file.problem.empty()) problems[{"Manifest", {"", name}}] = file.problem;
    for (const Entry& entry : file.entries) {
      const ProblemKey problem_key = {to_string(entry.key.first), entry.key.second};
      if (!entry.object) {
        add_problem(problems[problem_key], entry.problem + " (in " + name + ")");
        continue;
      }
      const auto [first, is_first] = defined_in.emplace(entry.key, name);
      if (!is_first) {
        add_problem(problems[problem_key],
                    "defined again in " + name + "; the one in " + first->second + " counts");
        continue;
      }
      if (!entry.problem.empty()) {
        add_problem(problems[problem_key], entry.problem + " (in " + name + ")");
      }
      const auto& [kind, object_name] = entry.key;
      objects[static_cast<std::size_t>(kind)].emplace(object_name, *entry.object);
    }
  }
}

void ManifestFolder::publish() {
  std::array<Objects, kKindCount> objects;
  std::map<ProblemKey, std::string> problems;
  merge(objects, problems);
  split_secrets(objects[static_cast<std::size_t>(Kind::kSecret)],
                objects[static_cast<std::size_t>(Kind::kNamedSecret)]);
  publish_problems(std::move(problems));
  const auto same = [](const Objects::value_type& one, const Objects::value_type& two) {
    return one.first == two.first &&
           metadata_of(one.second).resource_version == metadata_of(two.second).resource_version;
  };
  for (const Kind kind : kAllKinds) {
    Objects& fresh = objects[static_cast<std::size_t>(kind)];
    Objects& known = published_[static_cast<std::size_t>(kind)];
    const bool unchanged =
        published_once_ && std::equal(fresh.begin(), fresh.end(), known.begin(), known.end(), same);
    if (unchanged) continue;
    known = std::move(fresh);
    std::vector<Object> all;
    all.reserve(known.size());
    for (const auto& [name, object] : known) all.push_back(object);
    sink_.replace(kind, std::move(all));
  }
  published_once_ = true;
}

void ManifestFolder::publish_problems(std::map<ProblemKey, std::string> problems) {
  const auto known = std::exchange(published_problems_, std::move(problems));
  for (const auto& [key, reason] : known) {
    if (published_problems_.count(key) == 0) sink_.report_unreadable(key.first, key.second, "");
  }
  for (const auto& [key, reason] : published_problems_) {
    const auto before = known.find(key);
    if (before != known.end() && before->second == reason) continue;
    sink_.report_unreadable(key.first, key.second, reason);
  }
}

std::vector<std::string> ManifestFolder::file_names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : files_) names.push_back(name);
  return names;
}

std::size_t ManifestFolder::unreadable_files() const {
  std::size_t count = 0;
  for (const auto& [name, file] : files_) count += file.problem.empty() ? 0 : 1;
  return count;
}

}  // namespace holdfast::kube
