// The sink on a descriptor: a bounded queue and one thread that writes batches of whole lines.
//
// The thread may be stuck in write(2) for ever. It therefore owns what it touches (shared Queue)
// and is left behind, detached, when the process ends.

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/log.h"

namespace holdfast::base {
namespace {

struct Queue {
  std::mutex mutex;
  std::condition_variable wake_writer;
  std::condition_variable writer_ended;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::uint64_t lost = 0;
  bool writer_idle = false;
  bool stopping = false;
  bool ended = false;

  [[nodiscard]] bool crowded() const {
    return lines.size() >= kLogQueueLines / 2 || bytes >= kLogQueueBytes / 2;
  }
};

/// Standard output and standard error often are one pipe. Writes of up to PIPE_BUF are atomic there
/// (pipe(7)); longer ones of two sinks could cut each other's lines.
std::size_t batch_bytes_for(int descriptor) {
  struct stat out {};
  struct stat err {};
  const bool standard = descriptor == STDOUT_FILENO || descriptor == STDERR_FILENO;
  if (standard && fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
      S_ISFIFO(out.st_mode) && out.st_dev == err.st_dev && out.st_ino == err.st_ino) {
    return PIPE_BUF;
  }
  return kLogBatchBytes;
}

/// Writes everything, however long the reader takes. False: the descriptor is of no use.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // Somebody who shares the open file made it non-blocking.
      pollfd writable{descriptor, POLLOUT, 0};
      if (::poll(&writable, 1, -1) < 0 && errno != EINTR) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

/// Takes the oldest lines that fit one batch, at least one. REQUIRES: the lock; not empty.
std::vector<std::string> take_batch(Queue& queue, std::size_t most) {
  std::vector<std::string> batch;
  std::size_t size = 0;
  while (!queue.lines.empty()) {
    std::string& line = queue.lines.front();
    if (!batch.empty() && size + line.size() + 1 > most) break;
    size += line.size() + 1;
    queue.bytes -= line.size();
    batch.push_back(std::move(line));
    queue.lines.pop_front();
  }
  return batch;
}

void write_lines(Queue& queue, int descriptor, std::size_t batch_bytes) {
  std::string text;
  std::unique_lock lock(queue.mutex);
  while (true) {
    if (queue.lines.empty()) {
      if (queue.stopping) break;
      queue.writer_idle = true;
      queue.wake_writer.wait(lock, [&] { return !queue.lines.empty() || queue.stopping; });
      queue.writer_idle = false;
      queue.wake_writer.wait_for(lock, kLogLinger,
                                 [&] { return queue.stopping || queue.crowded(); });
      continue;
    }
    const std::vector<std::string> batch = take_batch(queue, batch_bytes);
    lock.unlock();
    text.clear();
    for (const std::string& line : batch) {
      text += line;
      text += '\n';
    }
    const bool written = write_all(descriptor, text);
    lock.lock();
    if (!written) queue.lost += batch.size();
  }
  queue.ended = true;
  queue.writer_ended.notify_all();
}

class DescriptorSink final : public LogSink {
 public:
  explicit DescriptorSink(int descriptor) {
    // Signals belong to the threads that wait for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer_ = std::thread([queue = queue_, descriptor, batch_bytes = batch_bytes_for(descriptor)] {
      write_lines(*queue, descriptor, batch_bytes);
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~DescriptorSink() override { flush_and_stop(kLogStopPatience); }

  DescriptorSink(const DescriptorSink&) = delete;
  DescriptorSink& operator=(const DescriptorSink&) = delete;

  void write(std::string line) override {
    bool wake = false;
    {
      const std::lock_guard lock(queue_->mutex);
      if (queue_->stopping || line.size() > kLogQueueBytes) {
        ++queue_->lost;
        return;
      }
      while (queue_->lines.size() >= kLogQueueLines ||
             queue_->bytes + line.size() > kLogQueueBytes) {
        queue_->bytes -= queue_->lines.front().size();
        queue_->lines.pop_front();
        ++queue_->lost;
      }
      const bool was_crowded = queue_->crowded();
      queue_->bytes += line.size();
      queue_->lines.push_back(std::move(line));
      // A waking costs a system call; a writer that lingers or writes comes back by itself.
      wake =
          (queue_->writer_idle && queue_->lines.size() == 1) || (!was_crowded && queue_->crowded());
    }
    if (wake) queue_->wake_writer.notify_one();
  }

  [[nodiscard]] std::uint64_t lost_lines() const override {
    const std::lock_guard lock(queue_->mutex);
    return queue_->lost;
  }

  void flush_and_stop(Duration patience) override {
    if (!writer_.joinable()) return;
    bool ended = false;
    {
      std::unique_lock lock(queue_->mutex);
      queue_->stopping = true;
      queue_->wake_writer.notify_one();
      ended = queue_->writer_ended.wait_for(lock, patience, [this] { return queue_->ended; });
      if (!ended) {
        queue_->lost += queue_->lines.size();
        queue_->lines.clear();
        queue_->bytes = 0;
      }
    }
    if (ended) {
      writer_.join();
    } else {
      writer_.detach();
    }
  }

 private:
  const std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
  std::thread writer_;
};

}  // namespace

std::unique_ptr<LogSink> make_descriptor_sink(int descriptor) {
  return std::make_unique<DescriptorSink>(descriptor);
}

}  // namespace holdfast::base
