#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

#include "base/machine.h"
#include "command.h"

namespace holdfast {
namespace {

/// How long the end of the process waits for a reader of the logs that is stuck.
constexpr std::chrono::seconds kLogPatience{1};

// For the terminate handler, which takes no arguments.
const base::Log* crash_log = nullptr;
base::LogSink* crash_sink = nullptr;

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

std::string what_of(const std::exception_ptr& error) {
  if (!error) return "no exception";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "not a std::exception";
  }
}

[[noreturn]] void terminate_with_a_line() {
  if (crash_log != nullptr) {
    const std::string reason = what_of(std::current_exception());
    crash_log->error("ending, because a thread met an exception that nobody expected",
                     {{"reason", std::string_view(reason)}});
    crash_sink->flush_and_stop(kLogPatience);
  }
  _exit(kExitFailed);
}

// A process that is number 1 of its container ignores signals left to their default.
void end_at_once(int signal) { _exit(128 + signal); }

/// Whoever started us may have closed them: the next descriptors opened would get the logs.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is the one that is missing.
    if (fcntl(descriptor, F_GETFD) < 0) static_cast<void>(open("/dev/null", O_RDWR));
  }
}

std::unique_ptr<base::LogSink> make_log_sink() {
  open_standard_descriptors();
  return base::make_descriptor_sink(STDERR_FILENO);
}

}  // namespace

Program::Program(const Options& options)
    : sink_(make_log_sink()),
      access_sink_(options.access_log == "json" ? base::make_descriptor_sink(STDOUT_FILENO)
                                                : nullptr),
      log_(*sink_, clock_, log_level_of(options)) {
  crash_log = &log_;
  crash_sink = sink_.get();
  std::set_terminate(terminate_with_a_line);
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const base::StatusOr<std::uint64_t> limit = base::raise_descriptor_limit();
  if (limit.ok()) {
    log_.debug("descriptor limit raised", {{"descriptors", *limit}});
  } else {
    const std::string reason(limit.status().message());
    log_.warn("descriptor limit not raised", {{"reason", std::string_view(reason)}});
  }
  if (options.core_dumps) return;
  if (const base::Status hidden = base::hide_memory(); !hidden.ok()) {
    const std::string reason(hidden.message());
    log_.warn("private keys may get into core dumps", {{"reason", std::string_view(reason)}});
  }
}

Program::~Program() {
  std::set_terminate(std::abort);
  crash_log = nullptr;
  if (access_sink_) access_sink_->flush_and_stop(kLogPatience);
  sink_->flush_and_stop(kLogPatience);
}

void Program::log_listening(std::string_view what, std::string_view address, int port) const {
  log_.info("listening",
            {{"what", what}, {"address", address}, {"port", static_cast<std::int64_t>(port)}});
}

void Program::wait_for_stop() const {
  const sigset_t signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  log_.info("stopping", {{"signal", std::string_view(signal == SIGTERM ? "SIGTERM" : "SIGINT")}});
  std::signal(SIGTERM, end_at_once);
  std::signal(SIGINT, end_at_once);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

int Program::failed(const base::Status& status) const {
  const std::string reason(status.message());
  log_.error("not started", {{"reason", std::string_view(reason)}});
  return kExitFailed;
}

void Program::collect(std::vector<base::MetricFamily>& out) const {
  base::MetricFamily lost{"holdfast_log_lines_lost_total",
                          "Log lines lost because their reader was too slow or gone.",
                          base::MetricType::kCounter};
  const auto add = [&lost](const char* log, const base::LogSink& sink) {
    lost.samples.push_back(
        {.labels = {{"log", log}}, .value = static_cast<double>(sink.lost_lines())});
  };
  add("program", *sink_);
  if (access_sink_) add("access", *access_sink_);
  out.push_back(std::move(lost));
}

}  // namespace holdfast
