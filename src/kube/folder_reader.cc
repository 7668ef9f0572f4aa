#include "kube/folder_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/descriptor.h"
#include "kube/limits.h"

namespace holdfast::kube {
namespace {

std::string error_text(int error) { return std::generic_category().message(error); }

}  // namespace

bool is_manifest(const std::string& name) {
  // Editors keep their copies, and kubelet its links, under names that begin with a dot.
  if (name.empty() || name[0] == '.') return false;
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

base::Status FolderReader::read(const std::set<std::string>& touched, ManifestFolder& manifests) {
  std::error_code error;
  std::set<std::string> present;
  std::filesystem::directory_iterator entry(folder_, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!is_manifest(name)) continue;
    present.insert(name);
    if (present.size() > kManifestFiles) return absl::ResourceExhaustedError("too many files");
  }
  if (error) return absl::UnavailableError("the folder cannot be read: " + error.message());
  for (const std::string& name : present) read_file(name, touched.count(name) > 0, manifests);
  for (const std::string& name : manifests.file_names()) {
    if (present.count(name) > 0) continue;
    manifests.remove_file(name);
    stamps_.erase(name);
  }
  return {};
}

void FolderReader::read_file(const std::string& name, bool touched, ManifestFolder& manifests) {
  // O_NONBLOCK: a pipe of that name must not stop us.
  const base::Descriptor file(
      ::open((folder_ + "/" + name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    stamps_.erase(name);
    manifests.set_file(name, absl::UnavailableError("cannot be opened: " + error_text(errno)));
    return;
  }
  constexpr std::int64_t kSecond = 1'000'000'000;
  const Stamp stamp{.device = status.st_dev,
                    .inode = status.st_ino,
                    .size = status.st_size,
                    .modified_ns = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec,
                    .changed_ns = status.st_ctim.tv_sec * kSecond + status.st_ctim.tv_nsec};
  const auto known = stamps_.find(name);
  if (!touched && known != stamps_.end() && known->second == stamp) return;
  stamps_[name] = stamp;
  if (S_ISREG(status.st_mode)) {
    manifests.set_file(name, read_manifest(file.get(), name));
  } else {
    manifests.set_file(name, absl::InvalidArgumentError("not a file"));
  }
}

base::StatusOr<std::string> read_manifest(int descriptor, const std::string& name) {
  std::string content;
  std::string piece(kManifestReadBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(descriptor, piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::UnavailableError("cannot be read: " + error_text(errno));
    if (count == 0) return content;
    content.append(piece, 0, static_cast<std::size_t>(count));
    if (content.size() > kManifestFileBytes) {
      return absl::OutOfRangeError(name + " is larger than " +
                                   std::to_string(kManifestFileBytes >> 20) + " MiB");
    }
  }
}

}  // namespace holdfast::kube
