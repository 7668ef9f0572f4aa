#include <sys/inotify.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "kube/folder_reader.h"
#include "kube/limits.h"
#include "kube/manifest_folder.h"
#include "kube/source.h"

namespace holdfast::kube {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::uint32_t kFolderEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE |
                                        IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |
                                        IN_MOVE_SELF;
constexpr std::uint32_t kParentEvents = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

/// The numbers that collect() shows. Written on the control thread, read anywhere.
struct ManifestCounters {
  std::atomic<std::size_t> files{0};
  std::atomic<std::size_t> unreadable{0};
  std::atomic<std::uint64_t> readings{0};
};

/// Watches a folder, and the folder that it is in, so that a folder that is replaced as a whole (or
/// a symbolic link to one) is noticed too. Held by a shared_ptr that its handlers keep.
class FolderWatch : public std::enable_shared_from_this<FolderWatch> {
 public:
  FolderWatch(asio::io_context& context, std::filesystem::path folder, int inotify,
              ObjectSink& sink, const base::Log& log, std::shared_ptr<ManifestCounters> counters)
      : folder_(std::move(folder)),
        counters_(std::move(counters)),
        inotify_(context, inotify),
        settle_(context),
        settle_most_(context),
        retry_(context),
        reader_(folder_.string()),
        manifests_(sink, log) {}

  void start() {
    watch_folder();
    read_folder();
    wait_for_events();
  }

  void stop() {
    stopped_ = true;
    Error ignored;  // There is nothing left to wait for either way.
    inotify_.close(ignored);
    settle_.cancel();
    settle_most_.cancel();
    retry_.cancel();
  }

 private:
  void watch_folder() {
    const int old = folder_watch_;
    folder_watch_ =
        ::inotify_add_watch(inotify_.native_handle(), folder_.c_str(), kFolderEvents | IN_ONLYDIR);
    // Fails when the folder is gone, which ended the watch as well.
    if (old >= 0 && old != folder_watch_) ::inotify_rm_watch(inotify_.native_handle(), old);
    if (folder_ == folder_.root_path()) return;
    // Without the parent a folder that comes back is found by looking again.
    parent_watch_ = ::inotify_add_watch(inotify_.native_handle(), folder_.parent_path().c_str(),
                                        kParentEvents | IN_ONLYDIR);
  }

  void read_folder() {
    const base::Status status = reader_.read(std::exchange(touched_, {}), manifests_);
    manifests_.set_folder_problem(std::string(status.message()));
    manifests_.publish();
    counters_->files = manifests_.file_names().size();
    counters_->unreadable = manifests_.unreadable_files() + (status.ok() ? 0 : 1);
    counters_->readings.fetch_add(1, std::memory_order_relaxed);
    if (!status.ok() || folder_watch_ < 0) look_again_later();
  }

  void look_again_later() {
    retry_.expires_after(kManifestRetry);
    retry_.async_wait([self = shared_from_this()](Error error) {
      if (error || self->stopped_) return;
      self->watch_folder();
      self->read_folder();
    });
  }

  void wait_for_events() {
    inotify_.async_wait(asio::posix::descriptor_base::wait_read,
                        [self = shared_from_this()](Error error) {
                          if (error || self->stopped_) return;
                          self->take_events();
                          self->wait_for_events();
                        });
  }

  void take_events() {
    alignas(inotify_event) char buffer[kInotifyReadBytes];
    bool relevant = false;
    for (;;) {
      const ssize_t count = ::read(inotify_.native_handle(), buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;  // EAGAIN: that was all.
      for (ssize_t at = 0; at < count;) {
        inotify_event event;
        std::memcpy(&event, buffer + at, sizeof(event));
        const char* name = event.len > 0 ? buffer + at + sizeof(event) : "";
        relevant |= take_event(event, name);
        at += static_cast<ssize_t>(sizeof(event) + event.len);
      }
    }
    if (relevant) read_when_settled();
  }

  bool take_event(const inotify_event& event, const std::string& name) {
    const bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
    if (event.wd == parent_watch_ && event.wd != folder_watch_ && !overflow) {
      if (name != folder_.filename()) return false;
      rewatch_ = true;
    } else if (event.wd == folder_watch_) {
      if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) != 0) rewatch_ = true;
      if (!name.empty()) touched_.insert(name);
    }
    return overflow || event.wd == folder_watch_ || rewatch_;
  }

  /// An editor writes a file in several steps; each step puts the reading off a little, but not for
  /// ever.
  void read_when_settled() {
    const auto read = [self = shared_from_this()](Error error) {
      if (!error && !self->stopped_ && self->settling_) self->settled();
    };
    if (!std::exchange(settling_, true)) {
      settle_most_.expires_after(kManifestSettleMost);
      settle_most_.async_wait(read);
    }
    settle_.expires_after(kManifestSettle);
    settle_.async_wait(read);
  }

  void settled() {
    settling_ = false;
    settle_.cancel();
    settle_most_.cancel();
    if (std::exchange(rewatch_, false)) watch_folder();
    read_folder();
  }

  // Fixed after construction.
  const std::filesystem::path folder_;
  const std::shared_ptr<ManifestCounters> counters_;

  asio::posix::stream_descriptor inotify_;
  asio::steady_timer settle_;
  asio::steady_timer settle_most_;
  asio::steady_timer retry_;
  int folder_watch_ = -1;
  int parent_watch_ = -1;
  bool rewatch_ = false;
  bool settling_ = false;
  bool stopped_ = false;
  std::set<std::string> touched_;
  FolderReader reader_;
  ManifestFolder manifests_;
};

class ManifestSource final : public Source {
 public:
  ManifestSource(std::shared_ptr<FolderWatch> watch, std::shared_ptr<ManifestCounters> counters)
      : watch_(std::move(watch)), counters_(std::move(counters)) {}
  ~ManifestSource() override { watch_->stop(); }

  void start() override { watch_->start(); }
  void stop() override { watch_->stop(); }
  /// The sink is told of every object of the folder.
  void want(const std::set<Scope>&) override {}

  void collect(std::vector<base::MetricFamily>& out) const override {
    const auto add = [&out](const char* name, const char* help, base::MetricType type,
                            double value) {
      out.push_back(base::single_metric(name, help, type, value));
    };
    add("holdfast_manifest_files", "Files in the manifest folder.", base::MetricType::kGauge,
        static_cast<double>(counters_->files.load()));
    add("holdfast_manifest_unreadable_files",
        "Manifest files that do not parse and keep their last good content.",
        base::MetricType::kGauge, static_cast<double>(counters_->unreadable.load()));
    add("holdfast_manifest_readings_total", "Times the manifest folder was read.",
        base::MetricType::kCounter, static_cast<double>(counters_->readings.load()));
  }

 private:
  const std::shared_ptr<FolderWatch> watch_;
  const std::shared_ptr<ManifestCounters> counters_;
};

}  // namespace

base::StatusOr<std::unique_ptr<Source>> make_manifest_source(asio::io_context& context,
                                                             const std::string& folder,
                                                             ObjectSink& sink,
                                                             const base::Log& log) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(folder, error).lexically_normal();
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  if (error || !std::filesystem::is_directory(path, error)) {
    return absl::NotFoundError(folder + ": not a folder");
  }
  const int inotify = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) {
    return absl::ResourceExhaustedError("inotify: " + std::generic_category().message(errno));
  }
  auto counters = std::make_shared<ManifestCounters>();
  auto watch =
      std::make_shared<FolderWatch>(context, std::move(path), inotify, sink, log, counters);
  return std::make_unique<ManifestSource>(std::move(watch), std::move(counters));
}

}  // namespace holdfast::kube
