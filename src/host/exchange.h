// One request on its way out and its response on the way back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/curl_library.h"
#include "host/egress.h"
#include "host/event_loop.h"
#include "host/http_pool.h"
#include "host/request_body.h"
#include "host/resolver.h"
#include "host/response_head.h"
#include "host/scrubber.h"

namespace belljar::host {

/// The certificates that servers are checked against.
struct TrustStore {
  /// A file in PEM; empty takes the system's.
  std::string file;
};

/// What exchanges share.
struct ExchangeContext {
  EventLoop& loop;
  Resolver& resolver;
  const EgressOptions& options;
  const TrustStore& trust;
  /// How many more may speak HTTP/2; see EgressOptions::http2_exchanges.
  std::size_t& http2_slots;
};

/// Decide, resolve, check the addresses, record, connect to a checked one, stream. Everything but
/// `body` happens on the event loop.
///
/// The guest hears of a head before anything else of a response, and of nothing that came after one
/// that was not whole. Where a secret went out it gets what no part of a secret can be in; an
/// answer that breaks off ends for it where a whole one would have come to by then.
class Exchange final : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(ExchangeContext context, EgressRequest request,
           std::shared_ptr<EgressPrincipal> principal, std::unique_ptr<engine::HttpSink> sink);
  ~Exchange();

  /// Begins, in this pool. `ended` is called once, on the loop, when all is over.
  void begin(HttpPool& pool, std::move_only_function<void()> ended);
  /// The guest has gone away.
  void cancel();
  /// Ends with a failure that happened before it began.
  void fail(engine::HttpFailure failure, std::string_view message);

  /// The request's body, which the guest fills. Any thread.
  [[nodiscard]] RequestBody& body() noexcept { return body_; }
  /// The guest has made room for more of the response.
  void resume_download();
  /// More of the request's body has come.
  void resume_upload();

  [[nodiscard]] const std::string& pool_name() const { return principal_->pool(); }

 private:
  [[nodiscard]] policy::Decision decide();
  [[nodiscard]] bool prepare_secrets();
  void watch_body();
  void resolved(Result<std::vector<policy::Address>> addresses);
  void keep_to_this_machine();
  void recorded(bool durable);
  void connect();
  void prepare_headers();
  [[nodiscard]] bool may_speak_http2();
  void set_deadline(std::chrono::nanoseconds wish, std::chrono::milliseconds limit,
                    engine::HttpFailure failure, std::string message);
  void done(CURLcode code);
  void deny(const policy::Decision& decision, engine::HttpFailure failure);
  void end();
  void release_handle();
  template <typename Value>
  void set(CURLoption option, Value value) {
    library_->curl_easy_setopt(handle_, option, value);
  }
  [[nodiscard]] bool still_allowed();

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* exchange);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* exchange);
  static std::size_t on_upload(char* buffer, std::size_t size, std::size_t count, void* exchange);
  static curl_socket_t on_open_socket(void* exchange, curlsocktype purpose, curl_sockaddr* address);
  static int on_debug(CURL* handle, curl_infotype type, char* data, std::size_t size,
                      void* exchange);
  static int on_before_request(void* exchange, char* primary_address, char* local_address,
                               int primary_port, int local_port);
  [[nodiscard]] bool take_header(std::string_view line);
  [[nodiscard]] bool deliver_head();
  [[nodiscard]] bool was_cut_off() const;
  [[nodiscard]] bool stop(engine::HttpFailure failure, std::string message);
  [[nodiscard]] std::size_t take_body(std::string_view data);
  [[nodiscard]] std::size_t give_upload(char* buffer, std::size_t room);

  ExchangeContext context_;
  EgressRequest request_;
  std::shared_ptr<EgressPrincipal> principal_;
  std::unique_ptr<engine::HttpSink> sink_;
  HttpPool* pool_ = nullptr;
  /// Known once it has begun; outlives it.
  const CurlLibrary* library_ = nullptr;
  std::move_only_function<void()> ended_;

  std::vector<OutgoingSecret> secrets_;
  std::shared_ptr<const SecretPatterns> patterns_;
  std::optional<Scrubber> scrubber_;
  std::vector<policy::Address> addresses_;
  std::size_t next_address_ = 0;
  std::uint64_t epoch_ = 0;

  CURL* handle_ = nullptr;
  curl_slist* headers_ = nullptr;
  curl_slist* connect_to_ = nullptr;
  EventLoop::TimerId deadline_ = 0;

  ResponseHead head_;
  bool anything_received_ = false;
  /// The server has said, within TLS, that it closes the connection.
  bool closing_announced_ = false;
  std::uint64_t received_ = 0;
  /// Why a callback told libcurl to stop.
  std::optional<std::pair<engine::HttpFailure, std::string>> stopped_;
  bool download_paused_ = false;
  bool waiting_for_guest_ = false;
  bool upload_paused_ = false;
  bool holds_http2_slot_ = false;
  bool over_ = false;

  RequestBody body_;
};

}  // namespace belljar::host
