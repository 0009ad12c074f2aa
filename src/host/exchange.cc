#include "host/exchange.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "host/header_name.h"
#include "host/method_override.h"
#include "host/searchable.h"
#include "policy/rules.h"
#include "support/crypto.h"
#include "support/result.h"
#include "support/text.h"

namespace belljar::host {
namespace {

using engine::HttpFailure;

/// Bytes that may arrive for a response besides twice what its body may have: for TLS, heads, the
/// framing of bodies, and whatever else a server sends.
constexpr std::uint64_t arrival_allowance = std::uint64_t{1} << 20;

/// Headers of the connection, not of the response (RFC 9110, 7.6.1).
constexpr std::array<std::string_view, 8> hop_headers{
    "connection", "keep-alive", "proxy-authenticate", "proxy-connection",
    "te",         "trailer",    "transfer-encoding",  "upgrade"};

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 5> methods{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

/// Codings of the transfer that libcurl undoes (RFC 9112, 7.1). Nobody asked for others, and nobody
/// would undo them.
bool is_plain_transfer(std::string_view coding) {
  return equals_ignoring_case(coding, "chunked") || equals_ignoring_case(coding, "identity");
}

std::pair<HttpFailure, std::string> explain(const CurlLibrary& library, CURLcode code) {
  const std::string text = library.curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT: return {HttpFailure::connection_refused, text};
    case CURLE_OPERATION_TIMEDOUT: return {HttpFailure::connection_timeout, text};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return {HttpFailure::certificate, text};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: return {HttpFailure::tls, text};
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_FAIL_REWIND: return {HttpFailure::connection_terminated, text};
    case CURLE_URL_MALFORMAT: return {HttpFailure::bad_request, text};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING: return {HttpFailure::protocol, text};
    default: return {HttpFailure::internal, text};
  }
}

}  // namespace

Exchange::Exchange(ExchangeContext context, EgressRequest request,
                   std::shared_ptr<EgressPrincipal> principal,
                   std::unique_ptr<engine::HttpSink> sink)
    : context_(context),
      request_(std::move(request)),
      principal_(std::move(principal)),
      sink_(std::move(sink)),
      body_(request_.has_body ? request_.content_length : std::nullopt) {
  // Content in a HEAD request has no meaning (RFC 9110, 9.3.2), and libcurl would send a PUT.
  if (request_.method == "HEAD") request_.has_body = false;
}

Exchange::~Exchange() { release_handle(); }

void Exchange::begin(HttpPool& pool, std::move_only_function<void()> ended) {
  pool_ = &pool;
  library_ = &pool.library();
  ended_ = std::move(ended);
  if (over_) return end();
  epoch_ = principal_->epoch();
  if (const policy::Decision decision = decide(); !decision) {
    return deny(decision, HttpFailure::denied);
  }
  principal_->allowed(request_);
  if (!prepare_secrets()) return;
  if (request_.has_body) watch_body();
  set_deadline({}, context_.options.name_timeout, HttpFailure::name_unresolvable,
               "the name was not resolved in time");
  if (request_.host.address) return resolved(std::vector{*request_.host.address});
  context_.resolver.lookup(request_.host, weak_from_this(),
                           [weak = weak_from_this()](Result<std::vector<policy::Address>> found) {
                             if (const auto self = weak.lock()) self->resolved(std::move(found));
                           });
}

policy::Decision Exchange::decide() {
  policy::Decision decision = principal_->decide(request_);
  for (const std::string& method : request_.overriding_methods) {
    if (!decision) break;
    EgressRequest as_read = request_;
    as_read.method = method;
    decision = principal_->decide(as_read);
    if (!decision) {
      decision.reason =
          fmt::format("besides its own method the request names {}, which a server may act on: {}",
                      method, decision.reason);
    }
  }
  return decision;
}

bool Exchange::prepare_secrets() {
  auto secrets = principal_->secrets_for(request_);
  if (!secrets) {
    fail(HttpFailure::internal, secrets.error().message());
    return false;
  }
  secrets_ = *std::move(secrets);
  const auto sent = principal_->secrets_sent_to(request_);
  std::vector<std::string_view> values;
  for (const OutgoingSecret& secret : secrets_) values.push_back(secret.value->reveal());
  for (const auto& value : sent) values.push_back(value->reveal());
  patterns_ = std::make_shared<const SecretPatterns>(values);
  scrubber_.emplace(patterns_);
  if (patterns_->empty()) return true;
  if (auto reason = asks_for_what_cannot_be_searched(request_.headers)) {
    deny({false, "secrets", *std::move(reason), {}}, HttpFailure::denied);
    return false;
  }
  return true;
}

void Exchange::watch_body() {
  std::vector<std::string_view> refused;
  for (const std::string_view method : methods_to_try()) {
    EgressRequest as_read = request_;
    as_read.method = method;
    if (!principal_->decide(as_read)) refused.push_back(method);
  }
  if (!refused.empty()) body_.watch_for(OverrideScanner(std::move(refused)));
}

void Exchange::keep_to_this_machine() {
  if (request_.scheme == policy::Scheme::https || secrets_.empty()) return;
  // By its name it is this machine; whoever resolves names may have another opinion.
  std::erase_if(addresses_, [](const policy::Address& address) { return !address.is_loopback(); });
}

void Exchange::resolved(Result<std::vector<policy::Address>> found) {
  if (over_) return;
  if (!found) return fail(HttpFailure::name_unresolvable, found.error().message());
  std::optional<policy::Decision> refusal;
  for (const policy::Address& address : *found) {
    policy::Decision decision = principal_->decide_address(request_, address);
    if (decision) {
      addresses_.push_back(address);
    } else if (!refusal) {
      refusal = std::move(decision);
    }
  }
  if (addresses_.empty()) {
    if (refusal) {
      refusal->reason = request_.host.address ? refusal->reason
                                              : fmt::format("{} has no address that is allowed: {}",
                                                            request_.host.name, refusal->reason);
      return deny(*refusal, HttpFailure::address_prohibited);
    }
    return fail(HttpFailure::name_unresolvable, "the name has no address");
  }
  keep_to_this_machine();
  if (addresses_.empty()) {
    return deny({false,
                 "secrets go over https",
                 fmt::format("a secret goes out over http to this machine only, and {} is not an "
                             "address of it",
                             request_.host.name),
                 {}},
                HttpFailure::denied);
  }
  // Nothing leaves before the use of a secret is on disk.
  principal_->sending(request_, secrets_, [weak = weak_from_this()](bool durable) {
    // The log may outlive the loop, but no exchange does.
    const auto self = weak.lock();
    if (!self) return;
    self->context_.loop.post([weak, durable] {
      if (const auto known = weak.lock()) known->recorded(durable);
    });
  });
}

void Exchange::recorded(bool durable) {
  if (over_) return;
  if (!durable) {
    return fail(HttpFailure::internal,
                "the use of a secret could not be recorded, so nothing was sent");
  }
  connect();
}

void Exchange::prepare_headers() {
  if (headers_ != nullptr) return;
  const auto add = [&](const std::string& line) {
    headers_ = library_->curl_slist_append(headers_, line.c_str());
  };
  std::vector<std::string> owned;
  for (const OutgoingSecret& secret : secrets_) {
    if (secret.place == policy::SecretPlace::header) {
      owned.push_back(plain_header_name(secret.detail));
      add(fmt::format("{}: {}", secret.detail, secret.value->reveal()));
    } else if (secret.place == policy::SecretPlace::bearer) {
      owned.emplace_back("authorization");
      add(fmt::format("authorization: Bearer {}", secret.value->reveal()));
    } else if (secret.place == policy::SecretPlace::basic) {
      owned.emplace_back("authorization");
      add(fmt::format("authorization: Basic {}",
                      to_base64(fmt::format("{}:{}", secret.detail, secret.value->reveal()))));
    }
  }
  bool has_accept = false;
  bool has_content_type = false;
  for (const engine::HttpHeader& header : request_.headers) {
    // Where Belljar puts a secret, what the guest put does not go out.
    if (std::find(owned.begin(), owned.end(), plain_header_name(header.name)) != owned.end()) {
      continue;
    }
    // A compressed response could not be looked through.
    if (asks_for_compression(header) && !patterns_->empty()) continue;
    has_accept = has_accept || header.name == "accept";
    has_content_type = has_content_type || header.name == "content-type";
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  if (!patterns_->empty()) add("accept-encoding: identity");
  // A name without a value takes out what libcurl would add by itself.
  add("expect:");
  if (!has_accept) add("accept:");
  if (!has_content_type) add("content-type:");
}

bool Exchange::may_speak_http2() {
  // Without TLS nobody says beforehand what they speak. A body would meet a window that is full,
  // where libcurl before 8.0 turns in circles.
  if (request_.scheme != policy::Scheme::https || request_.has_body) return false;
  if (holds_http2_slot_ || context_.http2_slots == 0) return holds_http2_slot_;
  --context_.http2_slots;
  return holds_http2_slot_ = true;
}

void Exchange::connect() {
  const policy::Address address = addresses_[next_address_++];
  release_handle();
  prepare_headers();
  handle_ = library_->curl_easy_init();
  const std::string url = fmt::format("{}://{}:{}{}", policy::name_of(request_.scheme),
                                      request_.host.url_text(), request_.port, request_.target);
  // The host's default port is left to libcurl, which leaves it out of the Host header.
  const std::string plain = fmt::format("{}://{}{}", policy::name_of(request_.scheme),
                                        request_.host.url_text(), request_.target);
  const bool usual = request_.port == policy::default_port(request_.scheme);
  set(CURLOPT_URL, (usual ? plain : url).c_str());
  // The pin: whatever the name says by now, the connection goes to the address that was checked,
  // and only connections to that address are used again.
  const std::string pin =
      fmt::format("::{}:{}", policy::Host{address.text(), address}.url_text(), request_.port);
  connect_to_ = library_->curl_slist_append(nullptr, pin.c_str());
  set(CURLOPT_CONNECT_TO, connect_to_);

  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
  set(CURLOPT_HTTP_VERSION,
      static_cast<long>(may_speak_http2() ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_MAXLIFETIME_CONN, 300L);
  if (!context_.trust.file.empty()) set(CURLOPT_CAINFO, context_.trust.file.c_str());
  // libcurl repeats a request whose kept connection died; that must not do a thing twice.
  if (!is_idempotent(request_.method)) set(CURLOPT_FRESH_CONNECT, 1L);

  set(CURLOPT_HTTPHEADER, headers_);
  const bool takes_body =
      request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
  if (request_.has_body || takes_body) {
    set(CURLOPT_UPLOAD, 1L);
    set(CURLOPT_READFUNCTION, on_upload);
    set(CURLOPT_READDATA, this);
    const std::optional<std::uint64_t> length =
        request_.has_body ? request_.content_length : std::optional<std::uint64_t>(0);
    if (length) set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*length));
  } else if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  }
  if (request_.method != "HEAD") set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());

  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  set(CURLOPT_OPENSOCKETDATA, this);
  if (!patterns_->empty() && request_.scheme == policy::Scheme::https) {
    // libcurl takes a connection that is cut off for one that ends. Only its log knows better.
    set(CURLOPT_VERBOSE, 1L);
    set(CURLOPT_DEBUGFUNCTION, on_debug);
    set(CURLOPT_DEBUGDATA, this);
  }
  set(CURLOPT_PREREQFUNCTION, on_before_request);
  set(CURLOPT_PREREQDATA, this);

  auto wish = request_.connect_timeout;
  const auto limit = std::chrono::nanoseconds(context_.options.connect_timeout);
  if (wish.count() <= 0 || wish > limit) wish = limit;
  set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, static_cast<long>(wish.count() / 1'000'000)));
  set_deadline(request_.first_byte_timeout,
               context_.options.connect_timeout + context_.options.head_timeout,
               HttpFailure::response_timeout, "no response came in time");
  const std::uint64_t most = 2 * principal_->limits().response.value + arrival_allowance;
  pool_->add(handle_, most, [weak = weak_from_this()](CURLcode code) {
    if (const auto self = weak.lock()) self->done(code);
  });
}

void Exchange::set_deadline(std::chrono::nanoseconds wish, std::chrono::milliseconds limit,
                            HttpFailure failure, std::string message) {
  if (deadline_ != 0) context_.loop.cancel(deadline_);
  std::chrono::nanoseconds time = limit;
  if (wish.count() > 0 && wish < time) time = wish;
  deadline_ = context_.loop.at(EventLoop::Clock::now() + time,
                               [weak = weak_from_this(), failure, message = std::move(message)] {
                                 const auto self = weak.lock();
                                 if (!self) return;
                                 self->deadline_ = 0;
                                 // A guest that does not read is not a server that does not send.
                                 if (self->waiting_for_guest_) return;
                                 self->fail(failure, message);
                               });
}

bool Exchange::still_allowed() {
  const std::uint64_t now = principal_->epoch();
  if (std::exchange(epoch_, now) == now) return true;
  const policy::Decision decision = decide();
  if (decision) return true;
  principal_->refused(request_, decision);
  return stop(HttpFailure::denied, decision.reason);
}

bool Exchange::stop(HttpFailure failure, std::string message) {
  stopped_ = {failure, std::move(message)};
  return false;
}

curl_socket_t Exchange::on_open_socket(void* exchange, curlsocktype purpose,
                                       curl_sockaddr* address) {
  auto* const self = static_cast<Exchange*>(exchange);
  // The last look before the connection: the binary address is one of those that were checked.
  std::optional<policy::Address> target;
  if (address->family == AF_INET) {
    std::array<std::uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(&address->addr)->sin_addr, 4);
    target = policy::Address::v4(bytes);
  } else if (address->family == AF_INET6) {
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&address->addr)->sin6_addr,
                16);
    target = policy::Address::v6(bytes);
  }
  const bool checked = target && std::find(self->addresses_.begin(), self->addresses_.end(),
                                           *target) != self->addresses_.end();
  if (purpose != CURLSOCKTYPE_IPCXN || !checked) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

int Exchange::on_before_request(void* exchange, char* primary_address, char*, int, int) {
  auto* const self = static_cast<Exchange*>(exchange);
  // Also for a connection that was kept from an earlier request.
  const auto address = policy::Address::parse(primary_address);
  if (!address || !self->principal_->decide_address(self->request_, *address)) {
    self->stopped_ = {HttpFailure::address_prohibited, "the address is not allowed any more"};
    return CURL_PREREQFUNC_ABORT;
  }
  return self->still_allowed() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

int Exchange::on_debug(CURL*, curl_infotype type, char* data, std::size_t size, void* exchange) {
  // The one message of TLS that has two bytes: an alert, here close_notify (RFC 8446, 6.1).
  if (type == CURLINFO_SSL_DATA_IN && size == 2 && data[0] == 1 && data[1] == 0) {
    static_cast<Exchange*>(exchange)->closing_announced_ = true;
  }
  return 0;
}

bool Exchange::was_cut_off() const {
  // Somebody on the way could end it within a secret, of which the beginning would be passed on.
  return !patterns_->empty() && request_.scheme == policy::Scheme::https &&
         request_.method != "HEAD" && !head_.says_where_it_ends() && !closing_announced_;
}

std::size_t Exchange::on_header(char* data, std::size_t size, std::size_t count, void* exchange) {
  auto* const self = static_cast<Exchange*>(exchange);
  const std::size_t length = size * count;
  return self->take_header({data, length}) ? length : 0;
}

bool Exchange::take_header(std::string_view line) {
  anything_received_ = true;
  const bool behind = head_.complete();
  if (!head_.take(line)) return stop(head_.problem().first, head_.problem().second);
  return behind || !head_.complete() || deliver_head();
}

bool Exchange::deliver_head() {
  for (const std::string_view coding : head_.values("transfer-encoding")) {
    if (!is_plain_transfer(coding)) {
      return stop(HttpFailure::protocol, "the response is encoded in a way that was not asked for");
    }
  }
  if (!patterns_->empty()) {
    if (auto reason = why_it_cannot_be_searched(head_)) {
      principal_->refused(request_, {false, "secrets", *reason, {}});
      return stop(HttpFailure::protocol, *std::move(reason));
    }
  }
  std::vector<engine::HttpHeader> headers;
  for (const engine::HttpHeader& header : head_.headers()) {
    if (std::find(hop_headers.begin(), hop_headers.end(), to_lower(header.name)) !=
        hop_headers.end()) {
      continue;
    }
    headers.push_back({to_lower(scrubber_->scrub(header.name)), scrubber_->scrub(header.value)});
  }
  set_deadline(request_.between_bytes_timeout, context_.options.idle_timeout,
               HttpFailure::connection_terminated, "the response stopped coming");
  sink_->head(static_cast<std::uint16_t>(head_.status()), headers);
  return true;
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* exchange) {
  return static_cast<Exchange*>(exchange)->take_body({data, size * count});
}

std::size_t Exchange::take_body(std::string_view data) {
  if (waiting_for_guest_) {
    download_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (!head_.complete()) {
    static_cast<void>(stop(HttpFailure::protocol, "the response has no head"));
    return 0;
  }
  received_ += data.size();
  const Bytes limit = principal_->limits().response;
  if (received_ > limit.value) {
    static_cast<void>(
        stop(HttpFailure::response_too_large,
             fmt::format("the response is larger than {} (limit response)", format_bytes(limit))));
    return 0;
  }
  if (!still_allowed()) return 0;
  set_deadline(request_.between_bytes_timeout, context_.options.idle_timeout,
               HttpFailure::connection_terminated, "the response stopped coming");
  const std::string safe = scrubber_->push(data);
  if (!safe.empty() && !sink_->chunk(safe)) waiting_for_guest_ = true;
  return data.size();
}

void Exchange::resume_download() {
  if (over_ || !std::exchange(waiting_for_guest_, false)) return;
  set_deadline(request_.between_bytes_timeout, context_.options.idle_timeout,
               HttpFailure::connection_terminated, "the response stopped coming");
  if (std::exchange(download_paused_, false) && handle_ != nullptr) {
    library_->curl_easy_pause(handle_, upload_paused_ ? CURLPAUSE_SEND : CURLPAUSE_CONT);
  }
}

void Exchange::resume_upload() {
  if (over_ || handle_ == nullptr || !std::exchange(upload_paused_, false)) return;
  library_->curl_easy_pause(handle_, download_paused_ ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

std::size_t Exchange::on_upload(char* buffer, std::size_t size, std::size_t count, void* exchange) {
  return static_cast<Exchange*>(exchange)->give_upload(buffer, size * count);
}

std::size_t Exchange::give_upload(char* buffer, std::size_t room) {
  if (!request_.has_body) return 0;
  RequestBody::Portion portion = body_.take(buffer, room);
  if (!portion.problem.empty()) {
    static_cast<void>(stop(HttpFailure::bad_request, std::move(portion.problem)));
    return CURL_READFUNC_ABORT;
  }
  if (portion.wait) {
    upload_paused_ = true;
    return CURL_READFUNC_PAUSE;
  }
  // A guest that uploads slowly is no server that answers slowly.
  set_deadline(request_.first_byte_timeout, context_.options.head_timeout,
               HttpFailure::response_timeout, "no response came in time");
  if (portion.wants_more) sink_->want_body();
  return portion.size;
}

void Exchange::done(CURLcode code) {
  if (over_) return;
  if (stopped_) return fail(stopped_->first, stopped_->second);
  if (code == CURLE_FILESIZE_EXCEEDED) {
    return fail(
        HttpFailure::response_too_large,
        fmt::format("more arrived for the response than twice {} and 1 MiB (limit response)",
                    format_bytes(principal_->limits().response)));
  }
  if (code == CURLE_OK && !head_.complete()) {
    return fail(HttpFailure::protocol, "the server ended without a response");
  }
  if (code == CURLE_OK && was_cut_off()) {
    return fail(HttpFailure::connection_terminated,
                "the connection was cut off, and the response does not say where it ends");
  }
  if (code == CURLE_OK) {
    const std::string rest = scrubber_->finish();
    if (!rest.empty()) static_cast<void>(sink_->chunk(rest));
    principal_->finished(request_, head_.status(), received_);
    sink_->end();
    return end();
  }
  const bool unreached = code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
                         code == CURLE_SSL_CONNECT_ERROR;
  if (unreached && !anything_received_ && next_address_ < addresses_.size()) return connect();
  const auto [failure, message] = explain(*library_, code);
  fail(failure, message);
}

void Exchange::deny(const policy::Decision& decision, HttpFailure failure) {
  principal_->refused(request_, decision);
  fail(failure, decision.reason);
}

void Exchange::fail(HttpFailure failure, std::string_view message) {
  if (over_) return;
  if (handle_ != nullptr) principal_->finished(request_, head_.status(), received_);
  sink_->fail(failure, message);
  end();
}

void Exchange::cancel() {
  if (over_) return;
  if (handle_ != nullptr) principal_->finished(request_, head_.status(), received_);
  end();
}

void Exchange::end() {
  over_ = true;
  if (deadline_ != 0) context_.loop.cancel(std::exchange(deadline_, 0));
  if (std::exchange(holds_http2_slot_, false)) ++context_.http2_slots;
  if (handle_ != nullptr && pool_ != nullptr) pool_->remove(handle_);
  if (ended_) std::exchange(ended_, {})();
}

void Exchange::release_handle() {
  if (library_ == nullptr) return;
  if (handle_ != nullptr) {
    library_->curl_easy_cleanup(std::exchange(handle_, nullptr));
  }
  library_->curl_slist_free_all(std::exchange(connect_to_, nullptr));
  // The headers outlive attempts; they go with the exchange.
  if (over_ || next_address_ == 0) library_->curl_slist_free_all(std::exchange(headers_, nullptr));
}

}  // namespace belljar::host
