// What the crate asks of C++. Implemented in src/engine/; nothing else includes this header.
#pragma once

#include <cstdint>
#include <memory>

#include "rust/cxx.h"

namespace belljar::engine::bridge {

struct CapabilityReply;
struct FileReply;
struct FileRequest;
struct HttpExchange;
struct HttpRequest;
struct LookupReply;
struct Outcome;
struct Preopen;
struct Variable;
enum class SocketUse : std::uint8_t;

/// Something begun; destroying it cancels. Any thread.
class Pending {
 public:
  virtual ~Pending() = default;
};

/// The sending half of an HTTP exchange; destroying it cancels. Any thread.
class HttpTransfer {
 public:
  virtual ~HttpTransfer() = default;
  virtual bool provide(rust::Slice<const std::uint8_t> bytes) const noexcept = 0;
  virtual void finish() const noexcept = 0;
  virtual void abort() const noexcept = 0;
  virtual void resume() const noexcept = 0;
};

/// What one call may ask of the host. Any thread.
class Host {
 public:
  virtual ~Host() = default;
  virtual std::uint64_t grants_epoch() const noexcept = 0;
  virtual bool still_granted(const FileRequest& opened, std::uint64_t device,
                             std::uint64_t inode) const noexcept = 0;
  virtual rust::Vec<Preopen> preopens() const noexcept = 0;
  virtual rust::Vec<Variable> environment() const noexcept = 0;
  virtual rust::Vec<rust::String> arguments() const noexcept = 0;
  virtual rust::Vec<std::uint8_t> standard_input() const noexcept = 0;
  virtual void output(std::uint8_t stream,
                      rust::Slice<const std::uint8_t> bytes) const noexcept = 0;
  virtual void progress(std::uint64_t items) const noexcept = 0;
  virtual FileReply file(const FileRequest& request) const noexcept = 0;
  virtual bool make_socket(bool tcp) const noexcept = 0;
  virtual bool socket(rust::Str address, std::uint16_t port, SocketUse use) const noexcept = 0;
  virtual bool sockets_revoked() const noexcept = 0;
  virtual std::unique_ptr<Pending> begin_lookup(rust::Str name,
                                                rust::Box<LookupReply> reply) const noexcept = 0;
  virtual std::unique_ptr<HttpTransfer> begin_http(
      const HttpRequest& request, rust::Box<HttpExchange> exchange) const noexcept = 0;
  virtual std::unique_ptr<Pending> begin_capability(
      rust::Str interface, rust::Str function, rust::Str arguments,
      rust::Box<CapabilityReply> reply) const noexcept = 0;
};

/// Fires once, from any thread.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void complete(const Outcome& outcome) noexcept = 0;
};

}  // namespace belljar::engine::bridge
