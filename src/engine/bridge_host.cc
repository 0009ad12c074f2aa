#include "engine/bridge_host.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace belljar::engine {
namespace {

std::string_view view(rust::Slice<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view view(const rust::Vec<std::uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view view(rust::Str text) { return {text.data(), text.size()}; }

std::string copy(const rust::String& text) { return {text.data(), text.size()}; }

/// Text that guests or people wrote, made fit for Rust: malformed UTF-8 becomes U+FFFD.
rust::String repaired(std::string_view text) {
  return rust::String::lossy(text.data(), text.size());
}

rust::Slice<const std::uint8_t> slice(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

bridge::HttpFailure to_bridge(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::denied: return bridge::HttpFailure::Denied;
    case HttpFailure::address_prohibited: return bridge::HttpFailure::AddressProhibited;
    case HttpFailure::name_unresolvable: return bridge::HttpFailure::NameUnresolvable;
    case HttpFailure::connection_refused: return bridge::HttpFailure::ConnectionRefused;
    case HttpFailure::connection_timeout: return bridge::HttpFailure::ConnectionTimeout;
    case HttpFailure::connection_terminated: return bridge::HttpFailure::ConnectionTerminated;
    case HttpFailure::tls: return bridge::HttpFailure::Tls;
    case HttpFailure::certificate: return bridge::HttpFailure::Certificate;
    case HttpFailure::response_timeout: return bridge::HttpFailure::ResponseTimeout;
    case HttpFailure::response_too_large: return bridge::HttpFailure::ResponseTooLarge;
    case HttpFailure::headers_too_large: return bridge::HttpFailure::HeadersTooLarge;
    case HttpFailure::bad_request: return bridge::HttpFailure::BadRequest;
    case HttpFailure::protocol: return bridge::HttpFailure::Protocol;
    case HttpFailure::internal: return bridge::HttpFailure::Internal;
  }
  return bridge::HttpFailure::Internal;
}

FileOperation from_bridge(bridge::FileOperation operation) {
  switch (operation) {
    case bridge::FileOperation::Open: return FileOperation::open;
    case bridge::FileOperation::Status: return FileOperation::status;
    case bridge::FileOperation::CreateDirectory: return FileOperation::create_directory;
    case bridge::FileOperation::RemoveDirectory: return FileOperation::remove_directory;
    case bridge::FileOperation::Unlink: return FileOperation::unlink;
    case bridge::FileOperation::Rename: return FileOperation::rename;
    case bridge::FileOperation::Link: return FileOperation::link;
    case bridge::FileOperation::SymbolicLink: return FileOperation::symbolic_link;
    case bridge::FileOperation::ReadLink: return FileOperation::read_link;
    case bridge::FileOperation::SetTimes: return FileOperation::set_times;
  }
  return FileOperation::status;
}

FileRequest from_bridge(const bridge::FileRequest& request) {
  FileRequest asked;
  asked.operation = from_bridge(request.operation);
  asked.mount = request.mount;
  asked.path = copy(request.path);
  asked.follow = request.follow;
  asked.create = request.create;
  asked.exclusive = request.exclusive;
  asked.truncate = request.truncate;
  asked.directory = request.directory;
  asked.read = request.read;
  asked.write = request.write;
  asked.to_mount = request.to_mount;
  asked.to_path = copy(request.to_path);
  asked.target = copy(request.target);
  asked.access_time = request.access_time;
  asked.modification_time = request.modification_time;
  return asked;
}

SocketUse from_bridge(bridge::SocketUse use) {
  switch (use) {
    case bridge::SocketUse::TcpBind: return SocketUse::tcp_bind;
    case bridge::SocketUse::TcpListen: return SocketUse::tcp_listen;
    case bridge::SocketUse::TcpAccept: return SocketUse::tcp_accept;
    case bridge::SocketUse::TcpConnect: return SocketUse::tcp_connect;
    case bridge::SocketUse::UdpBind: return SocketUse::udp_bind;
    case bridge::SocketUse::UdpSend: return SocketUse::udp_send;
    case bridge::SocketUse::UdpReceive: return SocketUse::udp_receive;
  }
  return SocketUse::tcp_listen;
}

/// Hands what the egress receives to the guest.
class BridgeSink final : public HttpSink {
 public:
  explicit BridgeSink(rust::Box<bridge::HttpExchange> exchange) : exchange_(std::move(exchange)) {}

  void head(std::uint16_t status, std::span<const HttpHeader> headers) override {
    rust::Vec<bridge::Header> converted;
    for (const HttpHeader& header : headers) {
      bridge::Header entry;
      entry.name = repaired(header.name);
      std::copy(header.value.begin(), header.value.end(), std::back_inserter(entry.value));
      converted.push_back(std::move(entry));
    }
    exchange_->head(status, converted);
  }
  bool chunk(std::string_view bytes) override { return exchange_->chunk(slice(bytes)); }
  void end() override { exchange_->end(); }
  void fail(HttpFailure failure, std::string_view message) override {
    exchange_->fail(to_bridge(failure), repaired(message));
  }
  void want_body() override { exchange_->want_body(); }

 private:
  rust::Box<bridge::HttpExchange> exchange_;
};

/// The guest's grip on a request under way.
class BridgeTransfer final : public bridge::HttpTransfer {
 public:
  explicit BridgeTransfer(std::unique_ptr<engine::HttpTransfer> transfer)
      : transfer_(std::move(transfer)) {}
  bool provide(rust::Slice<const std::uint8_t> bytes) const noexcept override {
    return transfer_->provide(view(bytes));
  }
  void finish() const noexcept override { transfer_->finish(); }
  void abort() const noexcept override { transfer_->abort(); }
  void resume() const noexcept override { transfer_->resume(); }

 private:
  // The base class has the plain name.
  std::unique_ptr<engine::HttpTransfer> transfer_;
};

class BridgePending final : public bridge::Pending {
 public:
  explicit BridgePending(std::unique_ptr<engine::Pending> pending) : pending_(std::move(pending)) {}

 private:
  std::unique_ptr<engine::Pending> pending_;
};

/// Implements the bridge's interface with the domain's. An exception of the host ends the process
/// here (`noexcept`), which is what it deserves: the domain's functions say that they throw none.
class BridgeHost final : public bridge::Host {
 public:
  explicit BridgeHost(std::shared_ptr<engine::Host> host) : host_(std::move(host)) {}

  std::uint64_t grants_epoch() const noexcept override { return host_->grants_epoch(); }
  bool still_granted(const bridge::FileRequest& opened, std::uint64_t device,
                     std::uint64_t inode) const noexcept override {
    return host_->still_granted(from_bridge(opened), device, inode);
  }
  bool sockets_revoked() const noexcept override { return host_->sockets_revoked(); }

  rust::Vec<bridge::Preopen> preopens() const noexcept override {
    rust::Vec<bridge::Preopen> converted;
    for (const Preopen& preopen : host_->preopens()) {
      bridge::Preopen entry;
      entry.mount = preopen.mount;
      entry.guest = repaired(preopen.guest);
      entry.writable = preopen.writable;
      entry.line = preopen.line;
      converted.push_back(std::move(entry));
    }
    return converted;
  }

  rust::Vec<bridge::Variable> environment() const noexcept override {
    rust::Vec<bridge::Variable> converted;
    for (const Variable& variable : host_->environment()) {
      bridge::Variable entry;
      entry.key = repaired(variable.key);
      entry.value = repaired(variable.value);
      converted.push_back(std::move(entry));
    }
    return converted;
  }

  rust::Vec<rust::String> arguments() const noexcept override {
    rust::Vec<rust::String> converted;
    for (const std::string& argument : host_->arguments()) converted.push_back(repaired(argument));
    return converted;
  }

  rust::Vec<std::uint8_t> standard_input() const noexcept override {
    const std::string input = host_->standard_input();
    rust::Vec<std::uint8_t> converted;
    converted.reserve(input.size());
    std::copy(input.begin(), input.end(), std::back_inserter(converted));
    return converted;
  }

  void output(std::uint8_t stream, rust::Slice<const std::uint8_t> bytes) const noexcept override {
    host_->output(stream, view(bytes));
  }

  void progress(std::uint64_t items) const noexcept override { host_->progress(items); }

  bridge::FileReply file(const bridge::FileRequest& request) const noexcept override {
    FileReply answer = host_->file(from_bridge(request));
    bridge::FileReply reply;
    reply.error = answer.error;
    reply.descriptor = answer.descriptor.release();
    reply.remote = answer.remote;
    reply.status.mode = answer.status.mode;
    reply.status.links = answer.status.links;
    reply.status.size = answer.status.size;
    reply.status.device = answer.status.device;
    reply.status.inode = answer.status.inode;
    reply.status.access_time = answer.status.access_time;
    reply.status.modification_time = answer.status.modification_time;
    reply.status.change_time = answer.status.change_time;
    reply.target = repaired(answer.target);
    return reply;
  }

  bool make_socket(bool tcp) const noexcept override {
    return host_->make_socket(tcp ? policy::Transport::tcp : policy::Transport::udp);
  }

  bool socket(rust::Str address, std::uint16_t port,
              bridge::SocketUse use) const noexcept override {
    const auto parsed = policy::Address::parse(view(address));
    return parsed && host_->socket(*parsed, port, from_bridge(use));
  }

  std::unique_ptr<bridge::Pending> begin_lookup(
      rust::Str name, rust::Box<bridge::LookupReply> reply) const noexcept override {
    auto done = [reply = std::move(reply)](LookupAnswer answer) mutable {
      rust::Vec<rust::String> addresses;
      for (const policy::Address& address : answer.addresses) addresses.push_back(address.text());
      reply->complete(answer.failed, answer.denied, addresses);
    };
    return std::make_unique<BridgePending>(host_->begin_lookup(view(name), std::move(done)));
  }

  std::unique_ptr<bridge::HttpTransfer> begin_http(
      const bridge::HttpRequest& request,
      rust::Box<bridge::HttpExchange> exchange) const noexcept override {
    using std::chrono::nanoseconds;
    HttpRequest asked;
    asked.method = copy(request.method);
    asked.scheme = copy(request.scheme);
    asked.authority = copy(request.authority);
    asked.path_and_query = copy(request.path_and_query);
    for (const bridge::Header& header : request.headers) {
      asked.headers.push_back({copy(header.name), std::string(view(header.value))});
    }
    asked.has_body = request.has_body;
    asked.connect_timeout = nanoseconds(request.connect_timeout_nanoseconds);
    asked.first_byte_timeout = nanoseconds(request.first_byte_timeout_nanoseconds);
    asked.between_bytes_timeout = nanoseconds(request.between_bytes_timeout_nanoseconds);
    return std::make_unique<BridgeTransfer>(
        host_->begin_http(std::move(asked), std::make_unique<BridgeSink>(std::move(exchange))));
  }

  std::unique_ptr<bridge::Pending> begin_capability(
      rust::Str interface, rust::Str function, rust::Str arguments,
      rust::Box<bridge::CapabilityReply> reply) const noexcept override {
    auto done = [reply = std::move(reply)](CapabilityAnswer answer) mutable {
      if (answer.ok) {
        reply->complete(repaired(answer.text));
      } else {
        reply->fail(answer.denied, repaired(answer.text));
      }
    };
    return std::make_unique<BridgePending>(
        host_->begin_capability(view(interface), view(function), view(arguments), std::move(done)));
  }

 private:
  std::shared_ptr<engine::Host> host_;
};

}  // namespace

std::shared_ptr<bridge::Host> bridge_host(std::shared_ptr<Host> host) {
  return std::make_shared<BridgeHost>(std::move(host));
}

}  // namespace belljar::engine
