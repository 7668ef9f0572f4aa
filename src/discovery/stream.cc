#include "discovery/stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "discovery/limits.h"

namespace holdfast::discovery {

namespace {

/// Those that the client's certificate proves, which its authority has signed.
std::vector<std::string> identities_of(const grpc::CallbackServerContext& context) {
  std::vector<std::string> identities;
  const auto peer = context.auth_context();
  if (!peer->IsPeerAuthenticated()) return identities;
  for (const char* property : {GRPC_PEER_DNS_PROPERTY_NAME, GRPC_PEER_URI_PROPERTY_NAME}) {
    for (const grpc::string_ref& value : peer->FindPropertyValues(property)) {
      identities.emplace_back(value.data(), value.size());
    }
  }
  return identities;
}

/// REQUIRES: the publication's mutex is held. Null: none of them is known.
const View* view_of(const Publication& publication, const std::vector<std::string>& identities) {
  if (!publication.by_identity) return &publication.views.front();
  for (std::size_t i = 1; i < publication.views.size(); ++i) {
    const View& view = publication.views[i];
    if (std::find(identities.begin(), identities.end(), view.grant.identity) != identities.end()) {
      return &view;
    }
  }
  return nullptr;
}

}  // namespace

Stream::Stream(Publication& publication, grpc::CallbackServerContext& context)
    : publication_(publication), context_(context) {
  const std::vector<std::string> identities = identities_of(context);
  const std::lock_guard lock(publication_.mutex);
  publication_.streams.insert(this);
  view_ = view_of(publication_, identities);
  if (view_ == nullptr) {
    publication_.denied += 1;
    publication_.log.warn(
        "discovery client is not allowed to see anything",
        {{"peer", context.peer()}, {"identity", identities.empty() ? "" : identities.front()}});
    end(grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "no identity of yours is allowed here"),
        Writing::kCut);
  } else if (publication_.stopping) {
    end(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the control plane is stopping"),
        Writing::kCut);
  } else if (publication_.streams.size() > kStreamsMost) {
    end(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams"), Writing::kCut);
  } else {
    StartRead(&message_);
  }
}

void Stream::changed(const model::ResourceKey& key, Version before, Version now) {
  if (subscription_) subscription_->changed(key, before, now);
}

bool Stream::claim_write() {
  if (writing_ || ended_ || !said_hello_) return false;
  if (!parts_owed_ && !begin_transaction()) return false;
  writing_ = true;
  return true;
}

bool Stream::begin_transaction() {
  if (!publication_.complete) return false;
  if (!subscription_) {
    subscription_.emplace(held_, view_->resources);
    held_.clear();
  }
  if (!subscription_->has_news()) return false;
  Outgoing out = subscription_->next(view_->resources);
  publication_.transactions += 1;
  publication_.resources_sent += out.transaction.upserts.size();
  cutter_.emplace(out.number, std::move(out.transaction));
  parts_owed_ = true;
  return true;
}

void Stream::end(grpc::Status status, Writing writing) {
  if (ended_) return;
  ended_ = true;
  last_status_ = std::move(status);
  if (!writing_) {
    Finish(last_status_);
  } else if (writing == Writing::kCut) {
    context_.TryCancel();
  }
}

ClientState Stream::state() const {
  ClientState state;
  state.node = node_;
  state.version = version_;
  if (subscription_) {
    state.acknowledged_transaction = subscription_->acknowledged();
    state.current = subscription_->current();
    state.refusals = subscription_->refusals();
  }
  return state;
}

void Stream::write_claimed() {
  cutter_->next(part_);
  publication_.bytes_sent += part_.ByteSizeLong();
  {
    const std::lock_guard lock(publication_.mutex);
    parts_owed_ = !cutter_->done();
  }
  StartWrite(&part_);
}

void Stream::OnReadDone(bool ok) {
  // Without a reader nobody will answer: a stream that cannot be read is over.
  base::Status status = ok ? take_message() : absl::CancelledError("the client is gone");
  bool claimed = false;
  {
    const std::lock_guard lock(publication_.mutex);
    if (ended_) return;
    if (!status.ok()) {
      if (ok) {
        publication_.log.warn("discovery client broke the contract",
                              {{"node", node_}, {"reason", std::string(status.message())}});
      }
      end(grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message())),
          ok ? Writing::kComplete : Writing::kCut);
      return;
    }
    claimed = claim_write();
  }
  message_ = v1::ClientMessage();  // A Hello's megabyte is not kept.
  StartRead(&message_);
  if (claimed) write_claimed();
}

base::Status Stream::take_message() {
  switch (message_.message_case()) {
    case v1::ClientMessage::kHello:
      return take_hello(message_.hello());
    case v1::ClientMessage::kVerdict:
      return take_verdict(message_.verdict());
    case v1::ClientMessage::MESSAGE_NOT_SET:
      break;
  }
  if (!said_hello_) return absl::InvalidArgumentError("the first message is no Hello");
  return absl::OkStatus();  // From a newer client.
}

base::Status Stream::take_hello(const v1::Hello& hello) {
  if (said_hello_) return absl::InvalidArgumentError("a second Hello");
  hello_bytes_ += hello.ByteSizeLong();
  if (hello_bytes_ > kHelloBytesMost) {
    return absl::ResourceExhaustedError("a Hello of more than " + std::to_string(kHelloBytesMost) +
                                        " bytes");
  }
  for (const v1::HeldResource& held : hello.held()) {
    held_[model::key_of(held.name())] = held.version();
  }
  const std::lock_guard lock(publication_.mutex);
  if (node_.empty()) node_ = hello.node();
  if (version_.empty()) version_ = hello.version();
  said_hello_ = !hello.more();
  if (said_hello_) {
    publication_.log.info("discovery client connected",
                          {{"node", node_},
                           {"version", version_},
                           {"held", static_cast<std::uint64_t>(held_.size())}});
  }
  return absl::OkStatus();
}

base::Status Stream::take_verdict(const v1::Verdict& verdict) {
  std::vector<model::Refusal> refusals;
  {
    const std::lock_guard lock(publication_.mutex);
    if (!subscription_ || parts_owed_) {
      return absl::InvalidArgumentError("a verdict before its transaction's commit");
    }
    auto named = subscription_->answer(verdict, view_->resources);
    if (!named.ok()) return named.status();
    refusals = *std::move(named);
  }
  publication_.report(node_, refusals);
  return absl::OkStatus();
}

void Stream::OnWriteDone(bool ok) {
  bool claimed = false;
  {
    const std::lock_guard lock(publication_.mutex);
    writing_ = false;
    if (ended_) {
      Finish(last_status_);
      return;
    }
    if (!ok) {
      end(grpc::Status(grpc::StatusCode::CANCELLED, "the client is gone"), Writing::kCut);
      return;
    }
    if (!parts_owed_) {
      cutter_.reset();
      part_ = v1::Part();  // Clear() would keep a megabyte for each client.
    }
    claimed = claim_write();
  }
  if (claimed) write_claimed();
}

void Stream::OnCancel() {
  const std::lock_guard lock(publication_.mutex);
  end(grpc::Status::CANCELLED, Writing::kCut);
}

void Stream::OnDone() {
  {
    const std::lock_guard lock(publication_.mutex);
    publication_.streams.erase(this);
    if (said_hello_) publication_.log.info("discovery client gone", {{"node", node_}});
    if (publication_.streams.empty()) publication_.empty.notify_all();
  }
  delete this;
}

}  // namespace holdfast::discovery
