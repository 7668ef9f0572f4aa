#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include "discovery/address.h"
#include "discovery/client.h"
#include "discovery/limits.h"

namespace holdfast::discovery {

base::StatusOr<std::shared_ptr<grpc::Channel>> make_channel(const std::string& address,
                                                            const ChannelSecurity& security) {
  const base::StatusOr<Address> parsed = parse_address(address, !security.files.empty());
  if (!parsed.ok()) return parsed.status();

  grpc::ChannelArguments arguments;
  const auto set = [&arguments](const char* name, std::chrono::milliseconds value) {
    arguments.SetInt(name, static_cast<int>(value.count()));
  };
  arguments.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMost));
  arguments.SetMaxSendMessageSize(static_cast<int>(kMessageBytesMost));
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_NONE);
  set(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kConnectFirst);
  set(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, security.files.empty() ? kConnectMost : kConnectMostAfar);
  // Despite its name this is the least time that one connect is given.
  set(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeout);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTime);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeout);
  set(GRPC_ARG_HTTP2_MIN_SENT_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalLeast);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // The stream is opened anew by the client itself; gRPC would keep sent messages for a retry.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // http_proxy in the environment is for other connections.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (!security.server_name.empty()) arguments.SetSslTargetNameOverride(security.server_name);
  return grpc::CreateCustomChannel(parsed->target(), channel_credentials(security.files),
                                   arguments);
}

}  // namespace holdfast::discovery
