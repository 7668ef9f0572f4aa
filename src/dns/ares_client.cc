#include <ares.h>
#include <arpa/nameser.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "dns/client.h"
#include "dns/limits.h"

namespace holdfast::dns {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

void append(const ares_addrttl& record, Answer& answer) {
  base::IpAddress address;
  std::memcpy(address.bytes.data(), &record.ipaddr, sizeof(record.ipaddr));
  answer.addresses.push_back(address);
}

void append(const ares_addr6ttl& record, Answer& answer) {
  base::IpAddress address{.ipv6 = true};
  std::memcpy(address.bytes.data(), &record.ip6addr, sizeof(record.ip6addr));
  answer.addresses.push_back(address);
}

/// `parse` is ares_parse_a_reply or ares_parse_aaaa_reply: each record has the least TTL of itself
/// and the aliases in front of it.
template <typename Record, typename Parse>
Answer read_records(Parse parse, const unsigned char* message, int bytes) {
  std::vector<Record> records(kRecordsMost);
  int count = kRecordsMost;
  const int status = parse(message, bytes, nullptr, records.data(), &count);
  if (status == ARES_ENODATA || (status == ARES_SUCCESS && count == 0)) {
    return {.kind = Answer::Kind::kNoAddress};
  }
  if (status != ARES_SUCCESS) return {.reason = ares_strerror(status)};
  Answer answer{.kind = Answer::Kind::kAddresses};
  records.resize(static_cast<std::size_t>(count));
  answer.ttl = std::chrono::seconds(records.front().ttl);
  for (const Record& record : records) {
    answer.ttl = std::min(answer.ttl, std::chrono::seconds(record.ttl));
    append(record, answer);
  }
  return answer;
}

Answer read_answer(Family family, int status, const unsigned char* message, int bytes) {
  if (status == ARES_ENOTFOUND) return {.kind = Answer::Kind::kNoSuchName};
  if (status == ARES_ENODATA) return {.kind = Answer::Kind::kNoAddress};
  if (status != ARES_SUCCESS) return {.reason = ares_strerror(status)};
  return family == Family::kIpv4
             ? read_records<ares_addrttl>(ares_parse_a_reply, message, bytes)
             : read_records<ares_addr6ttl>(ares_parse_aaaa_reply, message, bytes);
}

/// A channel of c-ares that lives while questions are under way. Its sockets are c-ares' own; we
/// tell it when they are ready. Held by a shared_ptr that its handlers keep.
class Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(asio::io_context& context, std::string servers)
      : servers_(std::move(servers)), context_(context), timer_(context) {}

  void ask(const Question& question, Client::Done done) {
    ++under_way_;
    auto query = std::make_unique<Query>();
    *query = {shared_from_this(), question.family, std::move(done)};
    if (const int status = open(); status != ARES_SUCCESS) {
      finish(std::move(query), {.reason = ares_strerror(status)});
      return;
    }
    ares_query(channel_, question.name.c_str(), ns_c_in,
               question.family == Family::kIpv4 ? ns_t_a : ns_t_aaaa, on_answer, query.release());
    set_timer();
  }

  void stop() {
    stopped_ = true;
    close();
  }

 private:
  struct Query {
    std::shared_ptr<Channel> channel;
    Family family = Family::kIpv4;
    Client::Done done;
  };

  /// One of c-ares' sockets, which closes it itself.
  struct Socket {
    Socket(asio::io_context& context, int socket) : descriptor(context, socket), number(socket) {}

    asio::posix::stream_descriptor descriptor;
    const int number;
    bool gone = false;
    bool wants_read = false;
    bool wants_write = false;
    bool awaits_read = false;
    bool awaits_write = false;
  };

  int open() {
    if (channel_ != nullptr) return ARES_SUCCESS;
    // DNS alone, without /etc/hosts and search domains, whatever the system is set to.
    char lookups[] = "b";
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(kQueryTimeout.count());
    options.tries = kQueryTries;
    options.lookups = lookups;
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = this;
    ares_channel opened = nullptr;
    int status = ares_init_options(&opened, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                       ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) return status;
    if (!servers_.empty()) status = ares_set_servers_ports_csv(opened, servers_.c_str());
    if (status != ARES_SUCCESS) {
      ares_destroy(opened);
      return status;
    }
    channel_ = opened;
    return status;
  }

  void close() {
    timer_.cancel();
    if (channel_ != nullptr) ares_destroy(std::exchange(channel_, nullptr));
  }

  static void on_answer(void* argument, int status, int /*timeouts*/, unsigned char* message,
                        int bytes) {
    std::unique_ptr<Query> query(static_cast<Query*>(argument));
    if (status == ARES_EDESTRUCTION) return;
    const std::shared_ptr<Channel> channel = query->channel;
    Answer answer = read_answer(query->family, status, message, bytes);
    channel->finish(std::move(query), std::move(answer));
  }

  /// From within c-ares, which must not be destroyed there.
  void finish(std::unique_ptr<Query> query, Answer answer) {
    asio::post(context_, [self = shared_from_this(), done = std::move(query->done),
                          answer = std::move(answer)]() mutable {
      if (self->stopped_) return;
      done(std::move(answer));
      // With the next channel come new sockets, and what resolv.conf says then.
      if (--self->under_way_ == 0) self->close();
    });
  }

  static void on_socket(void* argument, ares_socket_t number, int wants_read, int wants_write) {
    auto* channel = static_cast<Channel*>(argument);
    const auto place = channel->sockets_.find(number);
    if (wants_read == 0 && wants_write == 0) {
      if (place == channel->sockets_.end()) return;
      place->second->gone = true;
      place->second->descriptor.release();
      channel->sockets_.erase(place);
      return;
    }
    std::shared_ptr<Socket> socket;
    if (place != channel->sockets_.end()) {
      socket = place->second;
    } else {
      socket = std::make_shared<Socket>(channel->context_, number);
      channel->sockets_.emplace(number, socket);
    }
    socket->wants_read = wants_read != 0;
    socket->wants_write = wants_write != 0;
    channel->wait(socket);
  }

  void wait(const std::shared_ptr<Socket>& socket) {
    if (socket->wants_read && !std::exchange(socket->awaits_read, true)) {
      socket->descriptor.async_wait(asio::posix::descriptor_base::wait_read,
                                    [self = shared_from_this(), socket](Error error) {
                                      socket->awaits_read = false;
                                      self->process(socket, error, socket->number, ARES_SOCKET_BAD);
                                    });
    }
    if (socket->wants_write && !std::exchange(socket->awaits_write, true)) {
      socket->descriptor.async_wait(asio::posix::descriptor_base::wait_write,
                                    [self = shared_from_this(), socket](Error error) {
                                      socket->awaits_write = false;
                                      self->process(socket, error, ARES_SOCKET_BAD, socket->number);
                                    });
    }
  }

  void process(const std::shared_ptr<Socket>& socket, Error error, ares_socket_t readable,
               ares_socket_t writable) {
    if (error || socket->gone || channel_ == nullptr) return;
    ares_process_fd(channel_, readable, writable);
    if (!socket->gone) wait(socket);
    set_timer();
  }

  /// For c-ares' own timeouts.
  void set_timer() {
    timeval left{};
    if (channel_ == nullptr || ares_timeout(channel_, nullptr, &left) == nullptr) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(std::chrono::seconds(left.tv_sec) +
                         std::chrono::microseconds(left.tv_usec));
    timer_.async_wait([self = shared_from_this()](Error error) {
      if (error || self->channel_ == nullptr) return;
      ares_process_fd(self->channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      self->set_timer();
    });
  }

  // Fixed after construction.
  const std::string servers_;
  asio::io_context& context_;

  asio::steady_timer timer_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, std::shared_ptr<Socket>> sockets_;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
};

class AresClient final : public Client {
 public:
  AresClient(asio::io_context& context, std::string servers)
      : channel_(std::make_shared<Channel>(context, std::move(servers))) {}
  ~AresClient() override { channel_->stop(); }

  void ask(const Question& question, Done done) override {
    channel_->ask(question, std::move(done));
  }

 private:
  const std::shared_ptr<Channel> channel_;
};

}  // namespace

std::unique_ptr<Client> make_client(asio::io_context& context,
                                    const std::vector<std::string>& servers) {
  // Counted by c-ares; on Linux there is nothing to give back.
  static const int library = ares_library_init(ARES_LIB_INIT_ALL);
  static_cast<void>(library);
  std::string list;
  for (const std::string& server : servers) list += (list.empty() ? "" : ",") + server;
  return std::make_unique<AresClient>(context, std::move(list));
}

}  // namespace holdfast::dns
