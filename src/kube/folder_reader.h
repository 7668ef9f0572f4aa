#pragma once

// The manifest files of one folder, read when they have changed. Synchronous; control thread only.
// Owned by the manifest source. A folder that cannot be listed is an error and changes nothing; a
// file that cannot be read is that file's problem.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/status.h"
#include "kube/manifest_folder.h"

namespace holdfast::kube {

/// Whether a folder's file of that name counts: *.yaml, *.yml and *.json, unless hidden.
bool is_manifest(const std::string& name);

/// All that an open file, pipe or terminal has, at most kManifestFileBytes. `name` is for the
/// error, which is half a sentence.
base::StatusOr<std::string> read_manifest(int descriptor, const std::string& name);

class FolderReader {
 public:
  explicit FolderReader(std::string folder) : folder_(std::move(folder)) {}

  /// Brings `manifests` up to date. Files named in `touched` are read even if they look the same.
  base::Status read(const std::set<std::string>& touched, ManifestFolder& manifests);

 private:
  /// What changes when a file does; a swapped symbolic link changes the inode.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    bool operator==(const Stamp&) const = default;
  };
  void read_file(const std::string& name, bool touched, ManifestFolder& manifests);

  const std::string folder_;
  std::map<std::string, Stamp> stamps_;
};

}  // namespace holdfast::kube
