#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/descriptor.h"
#include "check_report.h"
#include "command.h"
#include "control_plane.h"
#include "controller/check.h"
#include "controller/world_sink.h"
#include "dns/external_names.h"
#include "kube/folder_reader.h"
#include "kube/manifest_folder.h"

namespace holdfast {
namespace {

/// What the reader of manifests says on the way is said in the report.
class NoLog final : public base::LogSink {
 public:
  void write(std::string /*line*/) override {}
  [[nodiscard]] std::uint64_t lost_lines() const override { return 0; }
  void flush_and_stop(base::Duration /*patience*/) override {}
};

/// Files are checked without asking anybody.
class NoDns final : public dns::Client {
 public:
  void ask(const dns::Question& /*question*/, Done /*done*/) override {}
};

/// Adds what can be said of external names for their form alone.
void judge_external_names(controller::WorldSink& objects, const base::Clock& clock) {
  NoDns client;
  dns::ExternalNames names(objects, client, clock, 0, [] {});
  const auto services = objects.world().services;
  for (const auto& [name, service] : services) names.upsert(service);
}

base::Status unusable(const std::string& path, int error) {
  return absl::NotFoundError(path + ": " + std::generic_category().message(error));
}

/// A text that begins as JSON does is read as JSON, whatever its name.
std::string name_for(const std::string& path, const std::string& content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && content[first] == '{';
  return kube::is_manifest(path) || !json ? path : path + ".json";
}

/// What a person names may be a pipe, such as a shell's <(helm template ...).
base::Status add_file(const std::string& path, kube::ManifestFolder& manifests) {
  const bool is_input = path == "-";
  const base::Descriptor file(is_input ? ::dup(STDIN_FILENO)
                                       : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return unusable(path, errno);
  const base::StatusOr<std::string> content = kube::read_manifest(file.get(), path);
  const std::string name = is_input ? "<stdin>" : path;
  manifests.set_file(content.ok() ? name_for(name, *content) : name, content);
  return {};
}

/// As --manifests reads it: its own files, not those of folders in it.
base::Status add_folder(const std::string& path, kube::ManifestFolder& manifests) {
  std::set<std::string> files;
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string file = entry->path().string();
    if (!kube::is_manifest(entry->path().filename().string())) continue;
    if (entry->is_regular_file(error)) {
      files.insert(file);
    } else {
      manifests.set_file(file, absl::InvalidArgumentError("not a file"));
    }
  }
  if (error) return unusable(path, error.value());
  base::Status status;
  for (const std::string& file : files) status.Update(add_file(file, manifests));
  return status;
}

int run_check(const Options& options) {
  auto compile_options = options_of_compiler(options);
  if (!compile_options.ok()) return usage_error(compile_options.status());
  if (std::ranges::count(options.check.files, "-") > 1) {
    return usage_error(absl::InvalidArgumentError("standard input (-) can be read only once"));
  }
  const base::SystemClock clock;
  NoLog sink;
  const base::Log log(sink, clock, base::LogLevel::kError);
  controller::WorldSink objects;
  kube::ManifestFolder manifests(objects, log);
  for (const std::string& path : options.check.files) {
    std::error_code none;
    const base::Status added = std::filesystem::is_directory(path, none)
                                   ? add_folder(path, manifests)
                                   : add_file(path, manifests);
    if (!added.ok()) return usage_error(added);
  }
  manifests.publish();
  if (compile_options->allow_external_name) judge_external_names(objects, clock);
  const controller::CheckReport report =
      controller::check(objects.world(), *std::move(compile_options), objects.unreadable());
  const std::string text = options.check.output == "json" ? check_json(report) : check_text(report);
  if (!print(text)) return kExitFailed;
  const bool failed = report.count(controller::Severity::kError) > 0 ||
                      (options.check.strict && report.count(controller::Severity::kWarning) > 0);
  return failed ? kExitFailed : 0;
}

void add_flags_of_check(CLI::App& app, Options& options) {
  add_check_flags(app, options);
  add_class_flags(app, options);
}

}  // namespace

Command check_command() {
  return {"check", "what would be served of manifests, and what is wrong with them",
          add_flags_of_check, run_check};
}

}  // namespace holdfast
