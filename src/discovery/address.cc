#include "discovery/address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "base/descriptor.h"
#include "base/host_port.h"

namespace holdfast::discovery {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";

base::Status cannot_listen(const Address& address, std::string_view reason) {
  return absl::FailedPreconditionError("cannot listen on " + address.target() + ": " +
                                       std::string(reason));
}

base::Status cannot_listen(const Address& address, int error) {
  return cannot_listen(address, std::generic_category().message(error));
}

base::StatusOr<Address> parse_unix(std::string path) {
  // gRPC reads the target as a URI, where these mean something else.
  if (path.empty() || path.find_first_of("%?#") != std::string::npos) {
    return absl::InvalidArgumentError("discovery address 'unix:" + path +
                                      "' needs a path without %, ? and #");
  }
  while (path.starts_with("//")) path.erase(0, 1);
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError("discovery address 'unix:" + path + "' is longer than the " +
                                      std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                      " bytes that a Unix socket's path may have");
  }
  Address address;
  address.path = std::move(path);
  return address;
}

sockaddr_un unix_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());  // parse_unix() checked the length.
  return name;
}

/// REQUIRES: a socket file at address.path.
base::Status remove_if_dead(const Address& address) {
  const base::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return cannot_listen(address, errno);
  const sockaddr_un name = unix_name(address.path);
  const bool connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
  if (connected || errno == EAGAIN) {
    return cannot_listen(address, "another process serves it");
  }
  if (errno != ECONNREFUSED) return cannot_listen(address, errno);
  if (::unlink(address.path.c_str()) != 0) return cannot_listen(address, errno);
  return absl::OkStatus();
}

base::Status claim_unix(const Address& address) {
  struct stat file {};
  if (::lstat(address.path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) return cannot_listen(address, "a file that is no socket is there");
    if (base::Status status = remove_if_dead(address); !status.ok()) return status;
  } else if (errno != ENOENT) {
    return cannot_listen(address, errno);
  }
  const base::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un name = unix_name(address.path);
  if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 ||
      ::unlink(address.path.c_str()) != 0) {
    return cannot_listen(address, errno);
  }
  return absl::OkStatus();
}

base::Status claim_tcp(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return cannot_listen(address, ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  const base::Descriptor probe(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (probe.get() < 0 ||
      ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(probe.get(), found->ai_addr, found->ai_addrlen) != 0) {
    return cannot_listen(address, errno);
  }
  return absl::OkStatus();
}

}  // namespace

std::string Address::target() const {
  if (!path.empty()) return std::string(kUnixPrefix) + path;
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

base::StatusOr<Address> parse_address(const std::string& text, bool with_tls) {
  if (text.starts_with(kUnixPrefix)) {
    if (!with_tls) return parse_unix(text.substr(kUnixPrefix.size()));
    return absl::InvalidArgumentError(
        "discovery address '" + text +
        "' is a file, whose mode says who may connect: TLS is for HOST:PORT");
  }
  base::StatusOr<base::HostPort> parsed = base::parse_host_port(text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError("discovery address: " +
                                      std::string(parsed.status().message()));
  }
  if (!with_tls && !parsed->is_loopback()) {
    return absl::InvalidArgumentError(
        "discovery address '" + text +
        "' is not of this machine, which needs mutual TLS: --discovery-certificate, "
        "--discovery-key and --discovery-ca");
  }
  Address address;
  address.host = std::move(parsed->host);
  address.port = parsed->port;
  return address;
}

base::Status claim(const Address& address) {
  return address.path.empty() ? claim_tcp(address) : claim_unix(address);
}

}  // namespace holdfast::discovery
