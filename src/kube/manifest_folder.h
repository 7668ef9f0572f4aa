#pragma once

// What a folder of manifests amounts to: files in, typed objects to the sink. Knows no file system,
// so that every order of edits is a line in a test.
//
// Control thread only. The sink and the log outlive it. Never fails: a file that does not parse
// keeps its last good content, an object that cannot be read keeps its last good state, and both
// are reported until they are fine again. Of objects defined twice the one in the first file by
// name counts.

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "kube/objects.h"

namespace holdfast::kube {

class ManifestFolder {
 public:
  ManifestFolder(ObjectSink& sink, const base::Log& log) : sink_(sink), log_(log) {}

  /// A file by its name in the folder: its content, or why it cannot be read.
  void set_file(const std::string& name, const base::StatusOr<std::string>& content);
  void remove_file(const std::string& name);
  /// The folder as a whole cannot be read; empty: it can again.
  void set_folder_problem(std::string reason) { folder_problem_ = std::move(reason); }

  /// Tells the sink what has changed since the last call; the first call replaces every kind.
  void publish();

  [[nodiscard]] std::vector<std::string> file_names() const;
  [[nodiscard]] std::size_t unreadable_files() const;

 private:
  using Key = std::pair<Kind, ObjectName>;
  /// Kind (or \"Manifest\", for a file) and name.
  using ProblemKey = std::pair<std::string, ObjectName>;
  /// One object of a file. Without an object: it never read well.
  struct Entry {
    Key key;
    std::optional<Object> object;
    std::string problem;
  };
  struct File {
    std::vector<Entry> entries;
    /// While the file is read.
    std::vector<Entry> of_other_versions;
    std::string problem;
  };
  /// By name, since the order is the precedence.
  using Objects = std::map<ObjectName, Object>;

  /// Adds those of `last` that `entries` does not have.
  static void keep_missing(const std::vector<Entry>& last, std::vector<Entry>& entries);
  /// An object that is there in another version alone keeps its last good state.
  static void add_other_versions(const File& last, File& fresh);
  void read_document(const std::string& file_name, nlohmann::json& document, const File& last,
                     File& into) const;
  void read_list(const std::string& file_name, const std::string& item_kind,
                 const std::string& item_version, nlohmann::json& list, const File& last,
                 File& into) const;
  void merge(std::array<Objects, kKindCount>& objects,
             std::map<ProblemKey, std::string>& problems) const;
  void publish_problems(std::map<ProblemKey, std::string> problems);

  ObjectSink& sink_;
  const base::Log& log_;
  std::map<std::string, File> files_;
  std::string folder_problem_;

  // What the sink knows.
  bool published_once_ = false;
  std::array<Objects, kKindCount> published_;
  std::map<ProblemKey, std::string> published_problems_;
};

}  // namespace holdfast::kube
