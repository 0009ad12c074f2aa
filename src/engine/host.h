// What a running guest may ask of the host, in the host's own terms.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/address.h"
#include "policy/document.h"
#include "support/file.h"

namespace belljar::engine {

/// A folder that the guest finds open.
struct Preopen {
  std::uint32_t mount = 0;
  std::string guest;
  bool writable = false;
  /// The same for mounts of one folder, in all components: what waits for one of them waits
  /// in a line of its own.
  std::uint64_t line = 0;
};

struct Variable {
  std::string key;
  std::string value;
};

enum class FileOperation {
  open,
  status,
  create_directory,
  remove_directory,
  unlink,
  rename,
  link,
  symbolic_link,
  read_link,
  set_times,
};

/// A path operation of a guest. Paths are relative to the root of their mount, as the guest wrote
/// them; times are nanoseconds since 1970, or negative to stay as they are.
struct FileRequest {
  FileOperation operation = FileOperation::open;
  std::uint32_t mount = 0;
  std::string path;
  bool follow = false;
  bool create = false;
  bool exclusive = false;
  bool truncate = false;
  bool directory = false;
  bool read = false;
  bool write = false;
  std::uint32_t to_mount = 0;
  std::string to_path;
  std::string target;
  std::int64_t access_time = -1;
  std::int64_t modification_time = -1;
};

struct FileStatus {
  std::uint32_t mode = 0;
  std::uint64_t links = 0;
  std::uint64_t size = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t access_time = 0;
  std::int64_t modification_time = 0;
  std::int64_t change_time = 0;
};

/// The answer: an `errno` or zero, and what the operation gives.
struct FileReply {
  int error = 0;
  UniqueFd descriptor;
  /// Whether others serve the file (a network, a process), who may stop answering.
  bool remote = false;
  FileStatus status;
  std::string target;
};

enum class SocketUse {
  tcp_bind,
  tcp_listen,
  tcp_accept,
  tcp_connect,
  udp_bind,
  udp_send,
  udp_receive
};

/// What a lookup found.
struct LookupAnswer {
  bool failed = false;
  bool denied = false;
  std::vector<policy::Address> addresses;
};

struct HttpHeader {
  std::string name;
  std::string value;
};

/// A request as the guest's HTTP library handed it over.
struct HttpRequest {
  std::string method;
  std::string scheme;
  std::string authority;
  std::string path_and_query;
  std::vector<HttpHeader> headers;
  bool has_body = false;
  /// Zero where the guest asked for none.
  std::chrono::nanoseconds connect_timeout{0};
  std::chrono::nanoseconds first_byte_timeout{0};
  std::chrono::nanoseconds between_bytes_timeout{0};
};

/// Why a request failed, as wasi:http tells guests.
enum class HttpFailure {
  denied,
  address_prohibited,
  name_unresolvable,
  connection_refused,
  connection_timeout,
  connection_terminated,
  tls,
  certificate,
  response_timeout,
  response_too_large,
  headers_too_large,
  bad_request,
  protocol,
  internal,
};

/// Where a response goes. Any thread; calls for one exchange come one after the other.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  virtual void head(std::uint16_t status, std::span<const HttpHeader> headers) = 0;
  /// False asks the sender to wait for `HttpTransfer::resume`.
  [[nodiscard]] virtual bool chunk(std::string_view bytes) = 0;
  virtual void end() = 0;
  virtual void fail(HttpFailure failure, std::string_view message) = 0;
  /// More of the request's body can be taken.
  virtual void want_body() = 0;
};

/// The other direction. Any thread, never blocks; destroying it cancels.
class HttpTransfer {
 public:
  virtual ~HttpTransfer() = default;
  /// False asks to wait for `HttpSink::want_body`.
  [[nodiscard]] virtual bool provide(std::string_view bytes) = 0;
  virtual void finish() = 0;
  virtual void abort() = 0;
  virtual void resume() = 0;
};

/// Something begun; destroying it cancels, after which its completion may still fire once.
class Pending {
 public:
  virtual ~Pending() = default;
};

/// How an embedder's function ended.
struct CapabilityAnswer {
  bool ok = true;
  bool denied = false;
  /// The result as JSON text, or the message.
  std::string text;
};

/// What one call may ask. Calls come from any thread, several at once. `begin_…` and everything
/// that does not say otherwise must neither block nor throw: it runs on a guest's small stack.
class Host {
 public:
  virtual ~Host() = default;

  /// Moves on with every change of a grant. What is open has to be asked about again then.
  [[nodiscard]] virtual std::uint64_t grants_epoch() noexcept = 0;
  /// Whether a file or folder that this request opened, in this call or an earlier one of the same
  /// instance, may still be used so. May block.
  [[nodiscard]] virtual bool still_granted(const FileRequest& opened, std::uint64_t device,
                                           std::uint64_t inode) noexcept = 0;
  /// Whether a socket address that was allowed is not any more. May block.
  [[nodiscard]] virtual bool sockets_revoked() noexcept = 0;

  [[nodiscard]] virtual std::vector<Preopen> preopens() = 0;
  [[nodiscard]] virtual std::vector<Variable> environment() = 0;
  [[nodiscard]] virtual std::vector<std::string> arguments() = 0;
  [[nodiscard]] virtual std::string standard_input() = 0;
  /// What the guest wrote to standard output (1) or standard error (2).
  virtual void output(int stream, std::string_view bytes) = 0;
  /// Items of a stream result that were collected so far.
  virtual void progress(std::uint64_t items) = 0;

  /// Decides and does. May block.
  [[nodiscard]] virtual FileReply file(const FileRequest& request) = 0;
  /// Decides whether a socket may be made, whatever it will be used for. May block.
  [[nodiscard]] virtual bool make_socket(policy::Transport transport) = 0;
  /// Decides. May block.
  [[nodiscard]] virtual bool socket(const policy::Address& address, std::uint16_t port,
                                    SocketUse use) = 0;
  [[nodiscard]] virtual std::unique_ptr<Pending> begin_lookup(
      std::string_view name, std::move_only_function<void(LookupAnswer)> done) = 0;
  [[nodiscard]] virtual std::unique_ptr<HttpTransfer> begin_http(
      HttpRequest request, std::unique_ptr<HttpSink> sink) = 0;
  [[nodiscard]] virtual std::unique_ptr<Pending> begin_capability(
      std::string_view interface, std::string_view function, std::string_view arguments,
      std::move_only_function<void(CapabilityAnswer)> done) = 0;
};

}  // namespace belljar::engine
